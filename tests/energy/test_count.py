from typing import Any

import pytest
import torch
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
from neurobench.models import TorchModel
from torch import Tensor, nn
from torch.nn.utils import prune

from engram.energy import count
from engram.neuron import LIF, Neuron, OverTime
from tests.energy.networks import Calls, normal, spikes


class Pruned(nn.Module):
    """A small spiking network, half of one layer pruned."""

    steps = 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.neuron1 = LIF(threshold=0.2)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1, groups=2)
        self.neuron2 = LIF(threshold=0.1)
        self.head = nn.Linear(6, 5)
        prune.l1_unstructured(self.conv2, "weight", 0.5)
        prune.remove(self.conv2, "weight")

    def forward(self, x: Tensor) -> Tensor:
        x = x.expand(self.steps, *x.shape)
        x = self.neuron1(OverTime(self.conv1)(x))
        x = self.neuron2(OverTime(self.conv2)(x))
        return self.head(x.mean((0, 3, 4)))


def neurobench(model: nn.Module, batches: list[Tensor]) -> dict[str, float]:
    wrapped = TorchModel(model)
    wrapped.add_activation_module(Neuron)
    wrapped.register_hooks()
    operations, sparsity = SynapticOperations(), []
    seen: Any = {}
    for x in batches:
        with torch.no_grad():
            out = wrapped(x)
        data = (x, torch.zeros(len(x)))
        seen = operations(wrapped, out, data)
        sparsity.append(ActivationSparsity()(wrapped, out, data))
        wrapped.reset_hooks()
    wrapped.cleanup_hooks()
    return seen | {
        "ActivationSparsity": sum(sparsity) / len(sparsity),
        "ConnectionSparsity": ConnectionSparsity()(wrapped),
        "Footprint": Footprint()(wrapped),
        "ParameterCount": ParameterCount()(wrapped),
    }


def test_neurobench_counts_the_same():
    torch.manual_seed(0)
    model = Pruned()
    batches = [normal(4, 2, 9, 8, seed=seed) for seed in range(2)]
    found = count(model, batches, neurons=(Neuron,))
    ours = found.neurobench()
    theirs = neurobench(model, batches)
    assert theirs["Effective_MACs"] > 0 < theirs["Effective_ACs"]
    assert found.membrane_updates == 3 * (4 + 6) * 5 * 4
    for name, value in theirs.items():
        # NeuroBench rounds the share of zero weights to four places
        assert ours[name] == pytest.approx(value, abs=5e-5 if name == "ConnectionSparsity" else 0)


def test_attention_which_neurobench_cannot_see_is_counted():
    net = Calls(lambda net, x: net.layer(x @ x.mT @ x), layer=nn.Linear(4, 3))
    x = spikes(2, 5, 4, rate=0.5)
    ours, theirs = count(net, [x]), neurobench(net, [x])
    assert theirs["Dense"] == 5 * 4 * 3
    assert ours.dense == theirs["Dense"] + 2 * 5 * 5 * 4
    first, second, _ = ours.operations
    assert first.effective == (x @ x.mT).sum()
    assert second.effective == (x @ x.mT).bool().float().matmul(x).sum()


def test_a_pruned_weight_is_no_operation():
    layer = nn.Linear(10, 4)
    x = spikes(3, 10)
    whole = count(layer, [x]).acs
    with torch.no_grad():
        layer.weight[1] = 0
    assert count(layer, [x]).acs == whole * 3 / 4
    assert count(layer, [x]).dense == 40
    assert count(layer, [x]).connection_sparsity == 0.25


def test_batches_of_one_or_of_many_count_the_same():
    torch.manual_seed(0)
    model, x = Pruned(), normal(6, 2, 9, 8)
    together, one_by_one = (count(model, x.split(n), neurons=(Neuron,)) for n in (6, 1))
    assert together.neurobench() == pytest.approx(one_by_one.neurobench())
    assert together.samples == one_by_one.samples == 6


def test_frames_have_their_samples_behind_time():
    model = OverTime(nn.Conv2d(2, 3, 1))
    assert count(model, [normal(7, 4, 2, 5, 5)]).samples == 4
    assert count(model, [normal(7, 4, 2, 5, 5)], batch_axis=0).samples == 7
    assert count(nn.Linear(5, 1), [normal(4, 5)]).samples == 4


def test_the_network_says_how_many_steps_it_has():
    assert count(Pruned(), [normal(1, 2, 8, 8)]).steps == 3
    assert count(nn.Linear(5, 1), [normal(4, 5)]).steps == 1
    assert count(nn.Linear(5, 1), [normal(4, 5)], steps=6).steps == 6


def test_training_goes_on_as_it_was():
    norm: Any = nn.BatchNorm1d(4)
    model = nn.Sequential(nn.Linear(5, 4), norm, nn.Dropout()).train()
    before = norm.running_mean.clone()
    count(model, [normal(4, 5)])
    assert model.training
    assert torch.equal(norm.running_mean, before)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_batch_that_is_not_finite_is_named(bad):
    x = normal(4, 5)
    x[1, 2] = bad
    with pytest.raises(
        ValueError, match=r"batch 2 holds 1 values that are NaN or infinite among 20"
    ):
        count(nn.Linear(5, 1), [normal(4, 5), x])


def test_a_count_wants_a_batch():
    with pytest.raises(ValueError, match="there is no batch"):
        count(nn.Linear(5, 1), [])
