from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from engram.energy import (
    FP16,
    FP32,
    INT8,
    Arithmetic,
    Memory,
    Quantised,
    compute_j,
    count,
    equal_information,
    memory_j,
    neurons_j,
    operation_j,
    paper_j,
)
from engram.neuron import LIF, PSN, Neuron
from engram.vision import spikingformer_imagenet_8_512
from tests.energy.networks import Calls, normal, spikes


class FirstAndLast(nn.Module):
    """What of Spikingformer-8-512 depends on no weight: the first convolution and the head."""

    steps = 4

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.head = nn.Linear(512, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.stem(x if x.ndim == 4 else x.flatten(0, 1))
        return self.head(first.flatten(1)[:1, :512])


@pytest.mark.parametrize("shown", [1, 4])
def test_the_published_case_to_the_last_operation(shown):
    # 0.347329512 G = 4 · 224² · 64 · 27 + 513,000, whether the model shows the picture four times
    # or its first convolution looks once, which the paper charges four times
    x = normal(1, 3, 224, 224)
    found = count(FirstAndLast(), [x if shown == 1 else x.expand(4, 1, 3, 224, 224)])
    assert paper_j(found) == pytest.approx(0.347329512e9 * 4.6e-12, rel=1e-12)
    assert [one.nominal for one in found.operations] == [shown * 224**2 * 64 * 27, 512_000]
    assert found.operations[1].biases == 1000


def test_the_published_energy_of_the_published_operations():
    # arXiv 2304.11954: 0.347329512 G MAC and 6.5175 G AC are 7.463 mJ, against 18.819 mJ
    energy = 0.347329512e9 * FP32.mac_pj + 6.5175e9 * FP32.ac_pj
    assert energy * 1e-12 == pytest.approx(7.4635e-3, abs=5e-8)
    assert pytest.approx(0.6034, abs=5e-5) == 1 - 7.463 / 18.819


def test_the_constants_are_a_multiplication_and_an_addition():
    assert (FP32.mac_pj, FP32.ac_pj) == (pytest.approx(3.7 + 0.9), 0.9)
    assert (FP16.mac_pj, FP16.ac_pj) == (pytest.approx(1.1 + 0.4), 0.4)
    assert (INT8.mac_pj, INT8.ac_pj) == (pytest.approx(0.2 + 0.03), 0.03)


def test_additions_and_multiplications_are_charged_apart():
    x = spikes(2, 10)
    gated, real = count(nn.Linear(10, 4), [x]), count(nn.Linear(10, 4), [3 * x])
    expected = x.sum() * 4 / 2
    assert compute_j(gated) == pytest.approx(expected * 0.9e-12)
    assert compute_j(real) == pytest.approx(expected * 4.6e-12)
    assert compute_j(real, Arithmetic("ours", 10, 1)) == pytest.approx(expected * 10e-12)
    assert compute_j(gated) == pytest.approx(operation_j(gated.operations[0]) / 2)


def test_the_papers_formula_scales_by_the_rate_and_ignores_zero_weights():
    layer = nn.Linear(10, 4)
    x = spikes(2, 10)
    before = paper_j(count(layer, [x]))
    assert before == pytest.approx((10 * 4 + 4) * x.mean() * 0.9e-12)
    with torch.no_grad():
        layer.weight.zero_()
    assert paper_j(count(layer, [x])) == before
    assert compute_j(count(layer, [x])) == 0


def test_membranes_take_an_update_each_and_parallel_neurons_their_matrix():
    x = normal(5, 2, 3)
    lif = count(LIF(), [x], neurons=(Neuron,), batch_axis=1)
    psn = count(PSN(5), [x], neurons=(Neuron,), batch_axis=1)
    assert neurons_j(lif) == pytest.approx(5 * 3 * 4.6e-12)
    assert neurons_j(psn) == pytest.approx((5 + 5 * 5) * 3 * 4.6e-12)
    assert compute_j(psn) == 0


def test_memory_moves_each_byte_as_often_as_it_says():
    net = Calls(lambda net, x: net.layer(net.neuron(x)), layer=nn.Linear(3, 2), neuron=LIF())
    x = normal(5, 2, 3)
    found = count(net, [x], neurons=(Neuron,), batch_axis=1)
    weights, activations, membranes = 6 * 4, 2 * 5 * 3 / 8, 2 * 5 * 3 * 4
    per_byte = Memory(sram_pj=1, dram_pj=1000)
    least = weights * 1000 + activations + membranes
    assert memory_j(found, per_byte) == pytest.approx(least * 1e-12)
    each = least + 3 * 4 * found.acs
    assert memory_j(found, per_byte, reuse=False) == pytest.approx(each * 1e-12)
    assert memory_j(found, Memory(0, 0)) == 0


def test_a_whole_number_moves_the_bits_that_it_needs():
    nothing_else = Memory(sram_pj=8, dram_pj=0)
    for largest, bits in ((1, 1), (2, 2), (3, 2), (4, 3), (7, 3)):
        x = torch.tensor([[0.0, largest]])
        moved = memory_j(count(nn.Linear(2, 1), [x]), nothing_else)
        assert moved == pytest.approx(2 * 2 * bits * 1e-12)
    halves = torch.tensor([[0.5, 1.0]])
    assert memory_j(count(nn.Linear(2, 1), [halves]), nothing_else) == pytest.approx(128e-12)


class Counting(nn.Module):
    """One linear layer, at each of T steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.layer = nn.Linear(10, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


@pytest.mark.parametrize(("steps", "bits"), [(1, 1), (3, 2), (4, 3), (7, 3), (8, 4)])
def test_equal_information_counts_every_step(steps, bits):
    x = spikes(steps, 5, 10, rate=1.0)
    found = count(Counting(steps), [x], batch_axis=1)
    beside = equal_information(found, Quantised(weight_bits=8, multiply_pj=0.8, add_pj=0.1))
    assert beside.bits == bits
    assert beside.spiking_j == pytest.approx(steps * 40 * 0.1e-12)
    assert beside.quantised_j == pytest.approx(40 * (0.1 * bits + 0.1) * 1e-12)


def test_the_quantised_network_skips_what_never_fired():
    x = torch.zeros(4, 5, 10)
    x[0, :, 0] = 1
    found = count(Counting(4), [x], batch_axis=1)
    only_adds = Quantised(multiply_pj=0)
    beside = equal_information(found, only_adds)
    assert beside.quantised_j == beside.spiking_j == pytest.approx(4 * 0.1e-12)


def test_the_head_runs_once_for_both():
    net: Any = Calls(lambda net, x: net.layer(x.mean(0)), layer=nn.Linear(10, 4))
    net.steps = 4
    beside = equal_information(count(net, [spikes(4, 5, 10)], batch_axis=1))
    assert beside.quantised_j == beside.spiking_j


@pytest.mark.parametrize("costs", [FP32, Memory(), Quantised()])
@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_constant_out_of_range_is_named(costs, bad):
    name = next(name for name in vars(costs) if name.endswith("_pj"))
    with pytest.raises(ValueError, match=rf"{name}={bad}\): give a finite number"):
        replace(costs, **{name: bad})


def test_the_published_case_of_the_whole_model():
    model = spikingformer_imagenet_8_512()
    found = count(model, [normal(1, 3, 224, 224)], neurons=(Neuron,))
    real = [one for one in found.synaptic if one.gate is None]
    assert [one.path for one in real] == ["stem.0.conv", "head"]
    stem, head = real
    assert 4 * stem.nominal + head.nominal + head.biases == 347_329_512
    those = replace(found, operations=(stem, head))
    assert paper_j(those) == pytest.approx(0.347329512e9 * 4.6e-12, rel=1e-12)
