"""Batch norm and neurons in one pass, against torch's batch norm and the neurons' reference."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from engram.neuron import IF, LIF, PSN, ATan, Neuron, ParametricLIF, Sigmoid, Triangle, reference
from engram.vision.layer import Chain, ConvBN, fire, kernel_settings

NEURONS: dict[str, Callable[[], Neuron]] = {
    "lif": partial(LIF, surrogate=Sigmoid(4.0)),
    "lif-detached": partial(LIF, detach_reset=True, surrogate=ATan(2.0)),
    "lif-slow": partial(LIF, 3.0, 0.5, decay_input=False, surrogate=Triangle(1.0)),
    "lif-soft": partial(LIF, 4.0, reset=None),
    "lif-below-rest": partial(LIF, 1.5, reset=-0.4),
    "if": IF,
    "if-soft-detached": partial(IF, reset=None, detach_reset=True),
}
OTHERS: dict[str, Callable[[], Neuron]] = {"plif": ParametricLIF, "psn": partial(PSN, 4)}


def layer(neuron: Callable[[], Neuron], channels: int = 24) -> tuple[ConvBN, Neuron]:
    torch.manual_seed(0)
    conv = ConvBN(5, channels, 3).double()
    nn.init.normal_(conv.bn.weight, 1.0)  # pyright: ignore[reportArgumentType]
    nn.init.normal_(conv.bn.bias, 0.5)  # pyright: ignore[reportArgumentType]
    return conv, neuron().double()


@pytest.mark.parametrize("neuron", [*NEURONS.values(), *OTHERS.values()])
@pytest.mark.parametrize("size", [1, 9, 40])
def test_spikes_gradients_and_statistics_are_those_of_the_parts(
    neuron: Callable[[], Neuron], size: int
) -> None:
    conv, fires = layer(neuron)
    twin, twin_fires = copy.deepcopy(conv), copy.deepcopy(fires)
    x = torch.randn(4, 3, 5, size, size, dtype=torch.float64)
    weight = torch.randn(4, 3, 24, size, size, dtype=torch.float64)
    found = []
    for parts, model in ((False, (conv, fires)), (True, (twin, twin_fires))):
        leaf = x.clone().requires_grad_()
        if parts:
            with reference():
                y = twin_fires(twin(leaf))
        else:
            y = fire(conv, fires, leaf)
        inputs = (leaf, *(p for m in model for p in m.parameters()))
        found.append([y, *torch.autograd.grad((y * weight).sum(), inputs), *model[0].buffers()])
    assert 0 < found[0][0].mean() < 1
    assert torch.equal(found[0][0], found[1][0])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("neuron", NEURONS.values())
def test_these_neurons_are_fused(neuron: Callable[[], Neuron]) -> None:
    conv, fires = layer(neuron)
    y = fire(conv, fires, torch.randn(2, 3, 5, 6, 6, dtype=torch.float64))
    assert "NormLIF" in str(y.grad_fn.next_functions)


@pytest.mark.parametrize("neuron", OTHERS.values())
def test_others_are_not(neuron: Callable[[], Neuron]) -> None:
    assert kernel_settings(neuron()) is None


def test_a_hook_sees_what_passes() -> None:
    conv, fires = layer(LIF)
    seen = []
    fires.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    fire(conv, fires, torch.randn(2, 3, 5, 6, 6, dtype=torch.float64))
    assert seen[0].shape == (2, 3, 24, 6, 6)


def test_a_chain_is_a_sequence() -> None:
    torch.manual_seed(0)
    layers = [LIF(), ConvBN(3, 8, 3), LIF(), ConvBN(8, 8), ConvBN(8, 4), nn.Identity()]
    chain = Chain(nn.Sequential(*layers[:2]), nn.Sequential(*layers[2:])).double()
    plain = copy.deepcopy(nn.Sequential(*layers)).double()
    x = 3 * torch.rand(4, 2, 3, 8, 8, dtype=torch.float64)
    with reference():
        expected = plain(x)
    torch.testing.assert_close(chain(x), expected)
