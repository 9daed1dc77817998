"""What is reported of a pruning, against brute force."""

import copy
import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engram.errors import EngramError
from engram.neuron import LIF
from engram.prune import History, Plan, Pruning, bake, layer_series, pruned_weights, survey
from engram.train import attach


def loops(x, weight, stride, padding):
    """Products of a convolution whose factors are both not zero, one by one."""
    n, channels, height, width = x.shape
    outputs, _, kh, kw = weight.shape
    rows = (height + 2 * padding - kh) // stride + 1
    columns = (width + 2 * padding - kw) // stride + 1
    found = 0
    for i, o, r, c, k, dy, dx in np.ndindex(n, outputs, rows, columns, channels, kh, kw):
        y, z = r * stride + dy - padding, c * stride + dx - padding
        if 0 <= y < height and 0 <= z < width:
            found += x[i, k, y, z] != 0 and weight[o, k, dy, dx] != 0
    return int(found)


class Spiking(nn.Module):
    """A convolution, neurons, and a convolution and a linear layer that read spikes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.neuron = LIF(threshold=0.3)
        self.second = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.head = nn.Linear(4 * 9, 5)
        self.seen: list[torch.Tensor] = []

    def forward(self, x):
        spikes = self.neuron(self.first(x).unsqueeze(0))[0]
        self.seen = [x.detach(), spikes.detach()]
        return self.head(self.second(spikes).flatten(1))


def pruned() -> Any:
    model = Spiking()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    pruning = Pruning(model, Plan(sparsity=0.6), 1)
    attach(pruning, optimizer)
    model(torch.randn(2, 2, 6, 6)).square().mean().backward()
    optimizer.step()
    return model


def test_operations_and_energy_of_layers_are_those_of_brute_force():
    model = pruned()
    x = torch.randn(3, 2, 6, 6)
    first, second, head = survey(model, [x])
    baked: Any = bake(model)
    with torch.no_grad():
        baked(x)
    images, spikes = baked.seen
    of_first = loops(images.numpy(), baked.first.weight.detach().numpy(), 1, 1)
    of_second = loops(spikes.numpy(), baked.second.weight.detach().numpy(), 2, 1)
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    assert first.operations == pytest.approx(of_first / 3)
    assert second.operations == pytest.approx(of_second / 3)
    assert first.energy_j == pytest.approx(of_first / 3 * 4.6e-12)
    assert second.energy_j == pytest.approx(of_second / 3 * 0.9e-12)
    assert [one.name for one in (first, second, head)] == [
        "first.weight", "second.weight", "head.weight",
    ]  # fmt: skip
    assert first.zeros == int((baked.first.weight == 0).sum())
    sparsity, operations, _ = layer_series([first, second, head])
    assert sparsity.values == (first.sparsity, second.sparsity, head.sparsity)
    assert operations.index == ("first.weight", "second.weight", "head.weight")


def test_a_survey_leaves_the_model_as_it_is_and_names_dead_layers():
    model = pruned()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model.second.parametrizations.weight.original.zero_()  # pyright: ignore
    reports = survey(model, [torch.randn(2, 2, 6, 6)])
    assert [one.dead for one in reports] == [False, True, False]
    assert reports[1].operations == 0
    assert model.state_dict().keys() == before.keys()
    assert len(list(pruned_weights(model))) == 3


def test_a_history_holds_sparsity_and_regrowth_of_its_steps():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(20, 30), nn.Linear(30, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    pruning = Pruning(model, Plan(strength=0.02), 12)
    attach(pruning, optimizer)
    history = History(pruning, every=3)
    attach(history, optimizer)
    kept = []
    for step in range(12):
        optimizer.zero_grad()
        (model(torch.randn(8, 20)) - 1).square().mean().backward()
        optimizer.step()
        if step % 3 == 2:
            flat = [one.weight.detach().flatten() for one in pruned_weights(model)]
            kept.append(torch.cat(flat).numpy() != 0)
    series = {one.name: one for one in history.series()}
    assert series["sparsity"].index == (3, 6, 9, 12)
    assert series["sparsity"].values == pytest.approx([1 - one.mean() for one in kept])
    wanted = [(b & ~a).sum() / (~a).sum() for a, b in pairwise(kept)]
    assert any(wanted)
    assert series["regrowth"].values[0] is None
    assert series["regrowth"].values[1:] == pytest.approx(wanted)
    assert series["effective λ"].values == pytest.approx([0.02] * 4)
    dead = [int(not one[:600].any()) + int(not one[600:].any()) for one in kept]
    assert series["dead layers"].values == tuple(dead)
    assert series["sparsity of 0.weight"].values[-1] == pytest.approx(1 - kept[-1][:600].mean())
    file = io.BytesIO()
    torch.save(history.state_dict(), file)
    file.seek(0)
    again = History(pruning, every=3)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert again.series() == history.series()


def test_baking_a_copy_leaves_the_model_pruned():
    model = pruned()
    weight = model.second.weight.detach().clone()
    baked: Any = bake(copy.deepcopy(model))
    assert not list(pruned_weights(baked))
    assert len(list(pruned_weights(model))) == 3
    assert torch.equal(model.second.weight, weight)
    assert torch.equal(baked.second.weight, weight)
    assert type(baked.second) is nn.Conv2d
    model(torch.randn(2, 2, 6, 6))


def test_a_history_that_would_never_record_is_refused():
    pruning = Pruning(nn.Linear(3, 3), Plan(sparsity=0.5), 5)
    with pytest.raises(EngramError, match="every=0"):
        History(pruning, every=0)
