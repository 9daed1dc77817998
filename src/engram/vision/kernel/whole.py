"""Spikes, and sums of spikes, as bytes; and the sum of their convolutions with digits."""

from functools import lru_cache

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.kernel.memory import REALS
from engram.kernel.team import Entry, entry, launch

BLOCK = 1 << 14


def to_bytes(x: Tensor) -> Tensor | None:
    """The numbers of x as bytes in the same layout; None unless all are integers of 0 … 255.

    Args:
        x: Float32 or float64 on the CPU, contiguous or channels-last.

    Raises:
        ValueError: x has another dtype, device or layout.
    """
    _check("x", x, x, (torch.float32, torch.float64))
    y = torch.empty_like(x, dtype=torch.uint8)
    pieces = -(-x.numel() // BLOCK)
    wrong = torch.empty(pieces, dtype=torch.int64)
    addresses = (x.data_ptr(), y.data_ptr(), wrong.data_ptr())
    words, kernel = (*addresses, x.numel(), BLOCK), _kernel("to_bytes", x.dtype)
    launch(kernel, pieces, x.numel(), *words, threads=torch.get_num_threads())
    return None if wrong.any() else y


def add_digits(y: Tensor, a: Tensor, b: Tensor, c: Tensor, bias: Tensor) -> None:
    """Write a + b + c + bias to y.

    Args:
        y: Float32 on the CPU, `(batch, channels, height, width)`, channels-last.
        a: The smallest term, in the shape and layout of y.
        b: The middle term, likewise.
        c: The largest term, likewise.
        bias: `(channels,)`.

    Raises:
        ValueError: A tensor has another shape, dtype, device or layout.
    """
    for name, tensor in (("y", y), ("a", a), ("b", b), ("c", c)):
        _check(name, tensor, y, (torch.float32,), y.shape)
        if tensor.ndim != 4 or not tensor.is_contiguous(memory_format=torch.channels_last):
            raise EngramError(
                f"{name} {tuple(tensor.shape)} with strides {tensor.stride()}: "
                "add_digits takes (batch, channels, height, width), channels-last"
            )
    _check("bias", bias, y, (torch.float32,), y.shape[1:2])
    channels = y.shape[1]
    rows = y.numel() // channels
    block = max(1, BLOCK // channels)
    addresses = (tensor.data_ptr() for tensor in (a, b, c, y, bias))
    kernel = _kernel("add_digits", y.dtype)
    words = (*addresses, rows, channels, block)
    launch(kernel, -(-rows // block), y.numel(), *words, threads=torch.get_num_threads())


def _check(
    name: str,
    tensor: Tensor,
    like: Tensor,
    dtypes: tuple[torch.dtype, ...],
    shape: torch.Size | None = None,
) -> None:
    """Raise ValueError if the kernels would access memory outside the tensor."""
    dense = tensor.is_contiguous() or (
        tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    )
    fits = shape is None or tensor.shape == shape
    wanted = tuple(like.shape if shape is None else shape)
    if not (fits and dense and tensor.is_cpu and tensor.dtype in dtypes) or tensor.is_neg():
        raise EngramError(
            f"{name} is {tuple(tensor.shape)} of dtype {tensor.dtype} on {tensor.device} with "
            f"strides {tensor.stride()}: it must be {wanted} "
            f"of dtype {' or '.join(map(str, dtypes))} on the CPU, contiguous or channels-last"
        )


@lru_cache
def _kernel(name: str, dtype: torch.dtype) -> Entry:
    from engram.vision.kernel import whole_cpu  # Numba is loaded when first needed

    return entry(getattr(whole_cpu, name)(REALS[dtype]))
