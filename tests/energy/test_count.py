import math
import warnings
from typing import Any, cast

import pytest
import torch
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
from neurobench.models import TorchModel
from spikingjelly.activation_based import neuron as sj_neuron
from torch import Tensor, nn
from torch.nn.utils import prune

from engram.energy import count, verify
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


class Sequences(nn.Module):
    """Two layers of neurons over `(time, batch, features)`, which fire now and then."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 8), LIF(), nn.Linear(8, 4), LIF())
        with torch.no_grad():
            layer: Any
            for layer in (self.layers[0], self.layers[2]):
                layer.weight.mul_(4)
                layer.bias.fill_(0.6)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.mark.parametrize("silent", [False, True])
def test_sequences_are_not_divided_by_their_steps(silent):
    x = torch.zeros(16, 3, 6) if silent else spikes(16, 3, 6, rate=0.5)
    with pytest.raises(ValueError, match="layout='time-first'"):
        count(Sequences(), [x], neurons=(Neuron,))
    found = count(Sequences(), [x], neurons=(Neuron,), layout="time-first")
    assert (found.samples, found.batch_axis) == (3, 1)
    assert found.dense == 16 * (6 * 8 + 8 * 4)
    assert found.dense == count(Sequences(), [x], neurons=(Neuron,), batch_axis=1).dense


@pytest.mark.parametrize(
    ("model", "shape", "layout", "samples"),
    [
        (nn.Conv3d(4, 8, 1), (2, 4, 5, 6, 7), "batch-first", 2),
        (nn.Conv3d(4, 8, 1), (1, 4, 5, 6, 7), "static", 1),
        (nn.Conv2d(4, 8, 1), (4, 6, 7), "single", 1),
        (nn.Conv2d(4, 8, 3), (4, 6, 7), "single", 1),
        (nn.GRU(6, 3), (5, 2, 6), "time-first", 2),
        (nn.GRU(6, 3, batch_first=True), (5, 2, 6), "batch-first", 5),
    ],
)
def test_samples_lie_where_the_layout_says(model, shape, layout, samples):
    found = count(model, [normal(*shape)], layout=layout)
    assert found.samples == samples
    if layout != "batch-first" or len(shape) == 5:
        with pytest.raises(ValueError, match=r"[Ss]tate (its )?layout"):
            count(model, [normal(*shape)])
    if layout != "single":
        wrong = "time-first" if layout != "time-first" else "batch-first"
        with pytest.raises(ValueError, match=r"stated batch axis . does not behave like samples"):
            count(model, [normal(*shape)], layout=wrong)


def test_a_layout_is_one_of_four_and_agrees_with_the_axis():
    with pytest.raises(ValueError, match="choose one of time-first, batch-first, static, single"):
        count(nn.Linear(5, 1), [normal(4, 5)], layout=cast("Any", "channels-last"))
    with pytest.raises(ValueError, match=r"samples at axis 0, but batch_axis=1"):
        count(nn.Linear(5, 1), [normal(4, 5)], layout="static", batch_axis=1)
    with pytest.raises(ValueError, match="no axis 1"):
        count(nn.Linear(5, 1), [normal(5)], layout="time-first")


def test_a_network_for_one_size_of_batch_is_counted():
    net = Calls(lambda _, x: x.reshape(4, 2, 3).flatten(1) @ torch.eye(6))
    assert count(net, [normal(4, 6)]).samples == 4


def test_the_state_of_spikingjelly_is_reset_between_batches():
    net = nn.Sequential(sj_neuron.IFNode(step_mode="m"), nn.Linear(1, 1))
    x = torch.full((3, 1, 1), 0.4)  # 0.4, 0.8, 1.2: one spike; carried on, two in the next batch
    options = {"neurons": (sj_neuron.BaseNode,), "layout": "time-first"}
    assert count(net, [x], **options).acs == 1
    assert count(net, [x, x, x], **options).acs == 1


class Carrying(nn.Module):
    """An integrator by hand that keeps its membrane, in a buffer, from call to call."""

    def __init__(self, fresh: bool) -> None:
        super().__init__()
        self.fresh = fresh
        self.layer = nn.Linear(4, 2)
        self.register_buffer("membrane", torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.fresh or not self.membrane.numel():
            self.membrane = torch.zeros_like(x)
        self.membrane = self.membrane + x
        return self.layer((self.membrane > 1).float())


def test_state_that_goes_on_to_the_next_batch_is_told():
    batches = [torch.full((3, 4), 0.8)] * 2
    assert not count(Carrying(fresh=True), [x.clone() for x in batches]).carried
    with pytest.warns(UserWarning, match="the network read state left by an earlier batch"):
        found = count(Carrying(fresh=False), [x.clone() for x in batches])
    assert found.carried == ("the network",)


def test_state_is_no_footprint():
    net = Carrying(fresh=True)
    weights = 4 * (4 * 2 + 2)
    assert [count(net, [normal(n, 4)]).footprint for n in (1, 100, 3)] == [weights] * 3
    net.register_buffer("table", torch.zeros(5), persistent=False)
    assert count(net, [normal(2, 4)]).footprint == weights + 20


def test_frozen_norms_stay_frozen():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout()).train()
    net[1].eval()
    count(net, [normal(3, 4)])
    assert [module.training for module in net] == [True, False, True]


@pytest.mark.parametrize("taps", [2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_to_the_same_size_is_no_input(taps, dilation):
    layer = nn.Conv2d(2, 3, taps, padding="same", dilation=dilation, bias=False)
    x = torch.ones(1, 2, 7, 8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch pads even kernels by a copy
        layer.weight.fill_(1)
        expected = layer(x).sum()
        found = count(layer, [x])
    assert found.dense == found.operations[0].effective == expected


def test_zeros_padded_before_a_convolution_are_its_padding():
    layer = nn.Conv1d(1, 1, 3, bias=False)
    net = nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), layer)
    assert count(net, [torch.ones(1, 1, 6)]).dense == 3 * 6 - 3
    padded_by_ones = nn.Sequential(nn.ConstantPad1d((2, 0), 1.0), layer)
    assert count(padded_by_ones, [torch.ones(1, 1, 6)]).dense == 3 * 6


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"neurons": "LIF"}, "neurons='LIF'"),
        ({"neurons": [LIF, 3]}, "classes of modules"),
        ({"batch_axis": 1.5}, r"batch_axis=1\.5"),
        ({"steps": math.nan}, "steps=nan"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_an_argument_of_a_wrong_kind_is_named(given, named):
    with pytest.raises(ValueError, match=named):
        count(nn.Linear(2, 2), [torch.ones(3, 2)], **given)


def test_neurons_are_a_class_or_any_sequence_of_classes():
    model, x = nn.Sequential(nn.Linear(4, 3), LIF()), torch.rand(5, 2, 4)
    found = [count(model, [x], neurons=n, layout="time-first") for n in (LIF, [LIF], (LIF,))]
    assert {one.membrane_updates for one in found} == {5 * 3}


@pytest.mark.parametrize("in_place", [False, True])
def test_a_compiled_network_is_counted_like_itself(in_place):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 3), LIF(), nn.Linear(3, 2)), torch.rand(5, 2, 4)
    plain = count(model, [x], neurons=LIF, layout="time-first")
    compiled: Any = model if in_place else torch.compile(model, backend="eager")
    if in_place:
        model.compile(backend="eager")
    assert count(compiled, [x], neurons=LIF, layout="time-first") == plain
    assert verify(compiled, [x], layout="time-first").count.operations == plain.operations
