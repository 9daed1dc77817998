import copy

import pytest
import torch
from torch import nn

from engram.train import synchronise
from engram.vision import Spikingformer


@pytest.mark.parametrize("momentum", [0.1, None])
def test_in_one_process_it_is_torchs(momentum):
    theirs = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, momentum=momentum)).double()
    ours = copy.deepcopy(theirs)
    synchronise(ours)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    x = torch.zeros(())
    for _ in range(3):
        x = torch.randn(4, 2, 6, 6, dtype=torch.float64)
        results = []
        for net in (theirs, ours):
            net.zero_grad()
            y = net(x)
            y.pow(3).sum().backward()
            results.append([y, *(weight.grad for weight in net.parameters())])
        torch.testing.assert_close(*results)
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_every_batch_norm_of_a_model_is_replaced_where_it_is():
    model = Spikingformer(1, 16, 2, steps=2, num_classes=2)
    names = [name for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    weights = dict(model.named_parameters())
    synchronise(model)
    assert [n for n, m in model.named_modules() if "Synchronised" in type(m).__name__] == names
    assert all(weights[name] is weight for name, weight in model.named_parameters())
