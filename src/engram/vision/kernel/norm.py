"""Batch norm in training on channels-last tensors, limited by memory bandwidth only.

The mean and the variance of a batch take one pass and are as accurate as with two: each block
computes its own while it is in the cache, and the blocks are combined in float64.
"""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.kernel.eager import differentiate, differentiates_again
from engram.kernel.memory import REALS, STORED, computed, new_like
from engram.kernel.team import Entry, entry, launch

BLOCK = 1 << 14
"""Values per piece of work: 64 KiB in float32, which a second-level cache holds."""


class Normed(NamedTuple):
    """The result of a batch norm, and the statistics of the batch."""

    y: Tensor
    mean: Tensor
    variance: Tensor


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Normed:
    """Batch norm by the statistics of the batch: (x − mean)/√(variance + ε) · weight + bias.

    Args:
        x: Float32, float64 or bfloat16 on the CPU, `(batch, channels, height, width)`,
            channels-last.
        weight: `(channels,)`, in the dtype of x; float32 for bfloat16.
        bias: Likewise.
        eps: ε.

    Returns:
        The result, and the mean and the biased variance of each channel, through which no gradient
        flows.
    """
    return Normed(*_BatchNorm.apply(x, weight, bias, eps))  # pyright: ignore[reportGeneralTypeIssues]


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        check_batch(x, weight, bias)
        mean, variance = moments(x)
        scale = weight.double() / (variance + eps).sqrt()
        y = affine(x, scale, bias - mean * scale)
        ctx.save_for_backward(x, weight, bias, mean, variance)
        ctx.eps = eps
        mean, variance = mean.to(weight.dtype), variance.to(weight.dtype)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, variance = ctx.saved_tensors
        if differentiates_again(grads[0]):
            again = partial(_in_torch, ctx.eps)
            needed = ctx.needs_input_grad[:3]
            return (*differentiate(again, (x, weight, bias), needed, grads[:1]), None)
        g = grads[0].contiguous(memory_format=torch.channels_last)
        total, dot = products(x, g, mean)
        g_x, g_weight = gradients(x, g, new_like(x), weight, mean, variance, total, dot, ctx.eps)
        return g_x, g_weight, total.to(weight.dtype), None


def gradients(
    x: Tensor,
    g: Tensor,
    room: Tensor,
    weight: Tensor,
    mean: Tensor,
    variance: Tensor,
    total: Tensor,
    dot: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the weight.

    With ŝ = 1/√(variance + ε) and n pixels, dL/dx = w ŝ (g − Σg/n − (x − mean) ŝ² Σg(x − mean)/n).

    Args:
        x: Input of the norm.
        g: Gradient of its output.
        room: Tensor to which the gradient of x is written; may be g.
        weight: Weight of the norm.
        mean: Mean of each channel.
        variance: Variance of each channel.
        total: Σg over pixels.
        dot: Σg(x − mean) over pixels.
        eps: ε.
    """
    n = x.numel() / x.shape[1]
    inverse = (variance + eps).rsqrt()
    scale = weight * inverse
    slope = -scale * inverse**2 * dot / n
    combine(x, g, room, scale, slope, -scale * total / n - slope * mean)
    return room, (dot * inverse).to(weight.dtype)


def check_batch(x: Tensor, weight: Tensor, bias: Tensor, steps: int = 1) -> None:
    """Raise ValueError if the kernels would read outside these tensors.

    Args:
        x: Input of the norm.
        weight: Its weight.
        bias: Its bias.
        steps: Number of time steps in the batch.
    """
    if x.ndim != 4 or x.dtype not in STORED or not x.is_cpu:
        raise EngramError(
            f"the kernels of the batch norm got {tuple(x.shape)} of dtype {x.dtype} on {x.device}: "
            "they take (batch, channels, height, width), float32, float64 or bfloat16, on the CPU; "
            "use reference() for other input"
        )
    if not x.is_contiguous(memory_format=torch.channels_last) or x.is_neg():
        raise EngramError(
            f"the kernels of the batch norm got strides {x.stride()} for {tuple(x.shape)}: "
            "pass x.contiguous(memory_format=torch.channels_last)"
        )
    if not x.numel() or steps < 1 or x.shape[0] % steps:
        raise EngramError(
            f"the kernels of the batch norm got {tuple(x.shape)} in {steps} steps: the batch must "
            "not be empty, and its first axis must be a multiple of the steps"
        )
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor.shape != x.shape[1:2] or tensor.dtype != computed(x.dtype) or not tensor.is_cpu:
            raise EngramError(
                f"the {name} of the batch norm is {tuple(tensor.shape)} of dtype {tensor.dtype} on "
                f"{tensor.device}: this input needs ({x.shape[1]},) of dtype {computed(x.dtype)} "
                "on the CPU"
            )


def _in_torch(eps: float, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor]:
    """The batch norm in plain torch, for derivatives that the kernels do not support."""
    mean, variance = moments_in_torch(x)
    scale = weight.double() / (variance + eps).sqrt()
    shift = bias - mean * scale
    wide = x.to(weight.dtype)
    y = wide * scale.to(wide.dtype).view(-1, 1, 1) + shift.to(wide.dtype).view(-1, 1, 1)
    return (y.to(x.dtype),)


def moments_in_torch(x: Tensor) -> tuple[Tensor, Tensor]:
    """`moments` in plain torch."""
    wide = x.double()
    return wide.mean((0, 2, 3)), wide.var((0, 2, 3), correction=0)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, in float64."""
    rows, channels, block, pieces = _pieces(x)
    means, squares = x.new_empty(2, pieces, channels, dtype=computed(x.dtype))
    _launch("moments", x, means, squares)
    counts = torch.full((pieces, 1), block, dtype=torch.float64)
    counts[-1] = rows - (pieces - 1) * block
    means = means.double()
    mean = (counts * means).sum(0) / rows
    return mean, (squares.double() + counts * (means - mean) ** 2).sum(0) / rows


def affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return x · scale + shift, with a scale and a shift per channel."""
    y = new_like(x)
    real = computed(x.dtype)
    _launch("affine", x, y, scale.to(real), shift.to(real))
    return y


def products(x: Tensor, g: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Σg and Σg(x − mean) of each channel, in float64."""
    _, channels, _, pieces = _pieces(x)
    real = computed(x.dtype)
    sums, dots = x.new_empty(2, pieces, channels, dtype=real)
    _launch("products", x, g, mean.to(real), sums, dots)
    return sums.double().sum(0), dots.double().sum(0)


def combine(x: Tensor, g: Tensor, y: Tensor, scale: Tensor, slope: Tensor, shift: Tensor) -> None:
    """Write g · scale + x · slope + shift to y, which may be g."""
    _launch("combine", x, g, y, *(v.to(computed(x.dtype)) for v in (scale, slope, shift)))


def _pieces(x: Tensor) -> tuple[int, int, int, int]:
    """Number of rows, columns, rows per piece, and pieces."""
    channels = x.shape[1]
    rows = x.numel() // channels
    block = max(1, BLOCK // channels)
    return rows, channels, block, -(-rows // block)


def _launch(kernel: str, x: Tensor, *tensors: Tensor) -> None:
    """Run a kernel of `norm_cpu` on x and further tensors."""
    rows, channels, block, pieces = _pieces(x)
    addresses = (tensor.data_ptr() for tensor in (x, *tensors))
    words = (*addresses, rows, channels, block)
    launch(_kernel(kernel, x.dtype), pieces, x.numel(), *words, threads=torch.get_num_threads())


@lru_cache
def _kernel(name: str, dtype: torch.dtype) -> Entry:
    from engram.vision.kernel import norm_cpu  # Numba is loaded when first needed

    return entry(getattr(norm_cpu, name)(REALS[computed(dtype)], STORED[dtype]))
