"""Kernels on pixels in bfloat16 compute in float32, and round what they store as torch does."""

import pytest
import torch
from torch import Tensor

from engram.neuron import LIF
from engram.vision.kernel.norm import affine, batch_norm, combine, moments, products
from engram.vision.kernel.norm_lif import norm_lif
from engram.vision.layer import kernel_settings
from engram.vision.norm import BatchNorm
from tests.vision.members import MEMBERS

STEPS, CHANNELS = 4, 6


def pixels(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(STEPS * 3, CHANNELS, 5, 7, generator=generator) * 2 + 0.3
    return x.bfloat16().contiguous(memory_format=torch.channels_last)


def weights() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(9)
    weight, bias = torch.rand(2, CHANNELS, generator=generator) + 0.5
    return weight.requires_grad_(), bias.requires_grad_()


def test_every_number_is_read_and_stored_as_torch_rounds_it():
    bits = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    x = bits.view(1, 1, 256, 256)
    for factor in (1.0, 1.2345678, -3.1e-5, 7.7e20):
        found = affine(x, torch.tensor([factor]), torch.zeros(1))
        expected = (x.float() * factor).bfloat16()
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_statistics_are_those_of_the_same_numbers_in_float32():
    x, g = pixels(1), pixels(2)
    for ours, theirs in zip(moments(x), moments(x.float()), strict=True):
        assert torch.equal(ours, theirs)
    mean = torch.rand(CHANNELS, dtype=torch.float64)
    for ours, theirs in zip(
        products(x, g, mean), products(x.float(), g.float(), mean), strict=True
    ):
        assert torch.equal(ours, theirs)
    y, wide = torch.empty_like(x), torch.empty_like(x.float())
    scales = tuple(torch.rand(3, CHANNELS))
    combine(x, g, y, *scales)
    combine(x.float(), g.float(), wide, *scales)
    assert torch.equal(y, wide.bfloat16())


def both(run) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and gradients of a function in bfloat16, and of the same numbers in float32."""
    results = []
    for x in (pixels(1).requires_grad_(), pixels(1).float().requires_grad_()):
        weight, bias = weights()
        outputs = run(x, weight, bias)
        outputs[0].backward(pixels(2).to(x.dtype))
        results.append([*outputs, x.grad, weight.grad, bias.grad])
    return results[0], results[1]


def check_gradients(ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Gradients differ by the rounding of what is stored, 2⁻⁸ of the largest."""
    for one, other in zip(ours[3:], theirs[3:], strict=True):
        difference = (one.float() - other).abs().max()
        assert difference <= 2**-6 * other.abs().max()
    assert ours[3].dtype == torch.bfloat16


def test_a_batch_norm_is_that_of_float32_rounded():
    ours, theirs = both(lambda x, weight, bias: batch_norm(x, weight, bias, 1e-5))
    assert torch.equal(ours[0], theirs[0].bfloat16())
    assert torch.equal(ours[1], theirs[1])
    assert torch.equal(ours[2], theirs[2])
    check_gradients(ours, theirs)


@pytest.mark.parametrize(
    "neuron", [LIF(), LIF(detach_reset=True, tau=3.0), LIF(reset=None, decay_input=False)]
)
def test_spikes_are_those_of_float32(neuron):
    settings = kernel_settings(neuron)
    assert settings is not None
    ours, theirs = both(lambda x, weight, bias: norm_lif(x, weight, bias, 1e-5, STEPS, settings))
    assert ours[0].dtype == torch.bfloat16
    assert torch.equal(ours[0].float(), theirs[0])
    assert 0.05 < theirs[0].mean() < 0.95
    assert torch.equal(ours[1], theirs[1])
    assert torch.equal(ours[2], theirs[2])
    check_gradients(ours, theirs)


def test_second_derivatives_are_those_of_torch_in_float32():
    results = []
    for x in (pixels(1).requires_grad_(), pixels(1).float().requires_grad_()):
        weight, bias = weights()
        y = batch_norm(x, weight, bias, 1e-5).y
        (first,) = torch.autograd.grad(y.float().pow(3).sum(), x, create_graph=True)
        first.float().square().sum().backward()
        assert weight.grad is not None
        results.append(weight.grad)
    assert (results[0] - results[1]).abs().max() <= 2**-5 * results[1].abs().max()


def test_models_under_autocast_use_the_kernels(monkeypatch):
    seen = []
    fire = BatchNorm.fire

    def spy(self, x, *args):
        seen.append(x.dtype)
        return fire(self, x, *args)

    monkeypatch.setattr(BatchNorm, "fire", spy)
    member = MEMBERS["spikingformer"]
    with torch.autocast("cpu", torch.bfloat16):
        y = member.build().train()(member.images())
    y.float().sum().backward()
    assert set(seen) == {torch.bfloat16}
