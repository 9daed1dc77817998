"""Number of products of an operation: closed forms over the zeros of its two operands.

None of them repeats the operation. A product is effective if neither factor is zero.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor


class Products(NamedTuple):
    """Numbers of products of an operation.

    Attributes:
        nominal: Outputs × inputs of each, the papers' formula, including the padding.
        dense: Products with a value of the input, excluding the padding.
        effective: Products of two nonzero factors.
    """

    nominal: int
    dense: int
    effective: int


class Window(NamedTuple):
    """Position of the taps of a convolution over its input, one entry per spatial dimension."""

    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]


def matmul_products(
    a: Shaped[Tensor, "*batch rows inner"], b: Shaped[Tensor, "*batch inner columns"]
) -> Products:
    """Products of A B: Σ_k nnz(A[:, k]) · nnz(B[k, :]), summed over the batch.

    Args:
        a: Left factor.
        b: Right factor, with the same batch.
    """
    left, right = _mask(a, a.shape[-2]).sum(-2), _mask(b, b.shape[-1]).sum(-1)
    dense = a.numel() * b.shape[-1]
    return Products(dense, dense, int((left.double() * right.double()).sum()))


def convolution_products(
    x: Shaped[Tensor, "batch channels *space"],
    weight: Shaped[Tensor, "a b *taps"],
    out: Sequence[int],
    window: Window,
    *,
    groups: int = 1,
    transposed: bool = False,
) -> Products:
    """Products of a convolution: for each tap, its nonzero inputs times its nonzero weights.

    Σ_{c, k} nnz(x[:, c] under tap k) · nnz(w[:, c, k]), with the input first reduced over the
    batch.

    Args:
        x: Input.
        weight: `(out, in/groups, *taps)`, or `(in, out/groups, *taps)` when transposed.
        out: Spatial shape of the output.
        window: Position of the taps.
        groups: Groups of channels.
        transposed: Whether it is a transposed convolution.
    """
    size, channels, *space = x.shape
    taps = weight.shape[2:]
    active = _over_batch(x)
    reads = _mask(weight).double()  # number of outputs of each input channel at each tap
    if transposed:
        reads, fan_out = reads.sum(1), weight.shape[1]
        nominal = x.numel() * fan_out * taps.numel()
    else:
        reads = reads.unflatten(0, (groups, -1)).sum(1).flatten(0, 1)
        fan_out = weight.shape[0] // groups
        nominal = size * weight.shape[0] * math.prod(out) * weight.shape[1] * taps.numel()
    under = _gather if not transposed else _scatter
    spans = [
        [under(tap, space[d], out[d], *(side[d] for side in window)) for tap in range(taps[d])]
        for d in range(len(space))
    ]
    effective = torch.zeros((), dtype=torch.float64, device=x.device)
    for tap in product(*map(range, taps)):
        seen = active[(slice(None), *(spans[d][k] for d, k in enumerate(tap)))]
        effective += (seen.flatten(1).sum(1) * reads[(slice(None), *tap)]).sum()
    inside = math.prod(
        sum(len(range(n)[span]) for span in of_d) for of_d, n in zip(spans, space, strict=True)
    )
    return Products(nominal, size * channels * fan_out * inside, int(effective))


def band_products(steps: int, inputs: int, neurons: int, k: int | None) -> Products:
    """Products of parallel neurons, H = W X: each step reads its own input and the k − 1 before.

    Args:
        steps: Rows of W; the last row belongs to the last input.
        inputs: Columns of W.
        neurons: Number of neurons, over batch and features.
        k: Order; None reads all inputs.
    """
    if k is None:
        read = steps * inputs
    else:
        read = sum(min(k, inputs - steps + row + 1) for row in range(steps))
    return Products(*[read * neurons] * 3)


EXACT = 1 << 24
"""Maximum number of ones that a single-precision sum counts exactly."""


def _mask(x: Tensor, summed: int = 0) -> Tensor:
    """1 where x is not 0, in a dtype whose sums of that size are exact."""
    return (x != 0).to(torch.float32 if summed < EXACT else torch.float64)


def _over_batch(x: Tensor) -> Tensor:
    """Count the nonzero values of a batch at each position, `(channels, *space)`, in float64."""
    ones, mask = x.new_ones(x.shape[0]), _mask(x, x.shape[0])
    last = mask.movedim(1, -1)
    if not last.is_contiguous():
        return (ones.to(mask) @ mask.flatten(1)).double().view(mask.shape[1:])
    # channels-last: in the order of memory the sum is four times as fast
    return (ones.to(mask) @ last.flatten(1)).double().view(last.shape[1:]).movedim(-1, 0)


def _gather(tap: int, size: int, out: int, stride: int, padding: int, dilation: int) -> slice:
    """The inputs o·stride − padding + tap·dilation, 0 ≤ o < out, that exist."""
    start = tap * dilation - padding
    first = max(0, -(start // stride))  # the first output whose input is not before 0
    last = min(out - 1, (size - 1 - start) // stride)
    if last < first:
        return slice(0, 0)
    return slice(start + first * stride, start + last * stride + 1, stride)


def _scatter(tap: int, size: int, out: int, stride: int, padding: int, dilation: int) -> slice:
    """The inputs i whose output i·stride − padding + tap·dilation exists."""
    start = tap * dilation - padding
    first = max(0, -(start // stride))
    last = min(size - 1, (out - 1 - start) // stride)
    return slice(first, max(first, last + 1))
