"""Convolutions in whole numbers, against those in float64."""

import copy

import pytest
import torch
from torch import Tensor, nn

from engram.vision import fold, integer
from engram.vision.integer import FixedPointConv, digits_of, fold_to_fixed_point
from tests.vision.members import MEMBERS, enliven

needs_units = pytest.mark.skipif(
    not integer.has_matrix_unit(), reason="this processor has no matrix unit for bytes"
)


def spikes(*shape: int, most: int = 1) -> Tensor:
    counts = torch.randint(0, most + 1, shape, generator=torch.Generator().manual_seed(0))
    return counts.float().to(memory_format=torch.channels_last)


def test_digits_make_up_the_weight() -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 7, 3, 3) * torch.tensor([1e-6, 1.0, 3.0, 100.0, 0.0]).view(5, 1, 1, 1)
    digits = digits_of(weight)
    assert [digit.dtype for digit, _ in digits] == [torch.int8] * 3
    total = sum(digit.double() * unit.double().view(5, 1, 1, 1) for digit, unit in digits)
    largest = weight.abs().amax((1, 2, 3), keepdim=True)
    assert ((total - weight).abs() <= largest * 2.0**-22 / 2).all()


@needs_units
@pytest.mark.parametrize("most", [1, 255])
@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1}, {"bias": False}])
@pytest.mark.parametrize("kernel", [1, 3])
def test_it_rounds_less_than_float32(most: int, settings: dict[str, int], kernel: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(256, 40, kernel, **settings)  # pyright: ignore[reportArgumentType]
    x = spikes(6, 256, 9, 7, most=most)
    with torch.no_grad():
        exact = copy.deepcopy(conv).double()(x.double())
        error = (FixedPointConv(conv)(x) - exact).abs()
        assert error.max() < (conv(x) - exact).abs().max()
    assert error.max() > 0


@needs_units
def test_weights_of_few_bits_give_the_same_bits() -> None:
    conv = nn.Conv2d(16, 8, 3)
    with torch.no_grad():
        for parameter in conv.parameters():
            nn.init.normal_(parameter)
            parameter.copy_((parameter * 256).round() / 256)
        x = spikes(40, 16, 12, 12)
        assert torch.equal(FixedPointConv(conv)(x), conv(x))


@pytest.mark.parametrize("odd", [0.5, -1.0, 256.0, float("nan"), float("inf"), 1e20])
def test_what_is_not_whole_is_computed_in_floats(odd: float) -> None:
    conv = nn.Conv2d(3, 4, 3)
    x = spikes(2, 3, 5, 5)
    x[1, 2, 3, 4] = odd
    with torch.no_grad():
        torch.testing.assert_close(FixedPointConv(conv)(x), conv(x), rtol=0, atol=0, equal_nan=True)


def test_gradients_flow_in_floats() -> None:
    conv = nn.Conv2d(3, 4, 3)
    x = spikes(2, 3, 5, 5).requires_grad_()
    grads = [
        torch.autograd.grad(f(x).sum(), (x, conv.weight)) for f in (FixedPointConv(conv), conv)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


@needs_units
@pytest.mark.parametrize("name", ["spikingformer", "spikformer", "sew-add", "ms-resnet"])
def test_a_model_gives_the_same_logits(name: str) -> None:
    member = MEMBERS[name]
    model, x = enliven(member.build(), member.images()), member.images()
    quick = fold_to_fixed_point(model)  # pyright: ignore[reportArgumentType]
    assert sum(isinstance(m, FixedPointConv) for m in quick.modules()) > 5
    with torch.no_grad():
        expected = fold(model)(x)
        torch.testing.assert_close(quick(x), expected, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(copy.deepcopy(quick)(x), quick(x), rtol=0, atol=0)
