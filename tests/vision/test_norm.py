"""The batch norm of the vision models, against torch's own."""

import copy

import pytest
import torch
from torch import nn

from engram.neuron import reference
from engram.vision.norm import BatchNorm


def twins(channels: int, dtype: torch.dtype) -> tuple[BatchNorm, nn.BatchNorm2d]:
    torch.manual_seed(0)
    ours = BatchNorm(channels).to(dtype)
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)
    theirs = nn.BatchNorm2d(channels).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("shape", [(4, 3, 5, 7), (64, 32, 16, 16), (2, 1, 1, 1), (9, 130, 11, 3)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_it_is_torchs(shape: tuple[int, ...], dtype: torch.dtype, tolerance: float) -> None:
    ours, theirs = twins(shape[1], dtype)
    x = (3 * torch.randn(shape, dtype=dtype) + 5).to(memory_format=torch.channels_last)
    weight = torch.randn(shape, dtype=dtype)
    got, expected = [], []
    for norm, found in ((ours, got), (theirs, expected)):
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        norm(leaf)
        y = norm(leaf)
        inputs = (leaf, norm.weight, norm.bias)
        found += [y, *torch.autograd.grad((y * weight).sum(), inputs), *norm.buffers()]
    assert ours.serves(x)
    scale = shape[0] * shape[2] * shape[3]
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * (1 + scale / 100))


def test_its_gradient_is_the_slope() -> None:
    norm, _ = twins(3, torch.float64)
    x = torch.randn(4, 3, 2, 5, dtype=torch.float64).to(memory_format=torch.channels_last)
    assert torch.autograd.gradcheck(norm, x.requires_grad_())


def test_a_far_mean_costs_no_accuracy() -> None:
    norm, _ = twins(2, torch.float32)
    x = (torch.randn(64, 2, 32, 32) + 1000).to(memory_format=torch.channels_last)
    norm(x)
    torch.testing.assert_close(
        norm.running_var, 0.9 + 0.1 * x.double().var((0, 2, 3)).float(), rtol=1e-5, atol=0
    )


def test_elsewhere_torch_computes() -> None:
    norm, _ = twins(3, torch.float32)
    x = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    assert norm.serves(x)
    assert not norm.serves(x.contiguous())
    assert not norm.serves(x.half())
    assert norm.serves(x.bfloat16())
    assert not norm.double().serves(x.bfloat16())
    norm.float()
    with reference():
        assert not norm.serves(x)
    assert not copy.deepcopy(norm).eval().serves(x)
    with pytest.raises(ValueError, match="more than 1 value"):
        norm(torch.randn(1, 3, 1, 1))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    before = torch.get_num_threads()
    norm, _ = twins(32, torch.float32)
    x = torch.randn(64, 32, 16, 16, generator=torch.Generator().manual_seed(1))
    x = x.to(memory_format=torch.channels_last)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(norm(x), norm(x))
        torch.set_num_threads(3 - threads)
        y = norm(x)
        torch.set_num_threads(threads)
        assert torch.equal(norm(x), y)
    finally:
        torch.set_num_threads(before)
