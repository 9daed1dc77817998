"""Spikes, and sums of them, as bytes; what their convolutions with digits amount to."""

from functools import lru_cache

import torch
from torch import Tensor

from engram.neuron.kernel.team import Entry, entry, launch

BLOCK = 1 << 14


def to_bytes(x: Tensor) -> Tensor | None:
    """The numbers of x as bytes, laid out as it is; None unless each is whole and in 0 … 255.

    Args:
        x: Float32 or float64 on the CPU, of any dense layout.
    """
    y = torch.empty_like(x, dtype=torch.uint8)
    pieces = -(-x.numel() // BLOCK)
    wrong = torch.empty(pieces, dtype=torch.int64)
    addresses = (x.data_ptr(), y.data_ptr(), wrong.data_ptr())
    launch(_kernel("to_bytes", x.dtype), pieces, x.numel(), *addresses, x.numel(), BLOCK)
    return None if wrong.any() else y


def add_digits(y: Tensor, a: Tensor, b: Tensor, c: Tensor, bias: Tensor) -> None:
    """Writes a + b + c + bias, the bias by channel, into y; the smallest of a, b and c first.

    Args:
        y: Float32 on the CPU, `(batch, channels, height, width)`, channels-last.
        a: Laid out alike, as are b and c.
        b: See a.
        c: See a.
        bias: `(channels,)`.
    """
    channels = y.shape[1]
    rows = y.numel() // channels
    block = max(1, BLOCK // channels)
    addresses = (tensor.data_ptr() for tensor in (a, b, c, y, bias))
    kernel = _kernel("add_digits", y.dtype)
    launch(kernel, -(-rows // block), y.numel(), *addresses, rows, channels, block)


@lru_cache
def _kernel(name: str, dtype: torch.dtype) -> Entry:
    from engram.neuron.kernel import native, whole_cpu  # Numba is loaded when first needed

    return entry(getattr(whole_cpu, name)(native.REALS[dtype]))
