"""How a sequence lies in memory, and where the results go."""

import ctypes
import sys
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

REALS = {torch.float32: np.float32, torch.float64: np.float64}
"""The types that kernels integrate in, for NumPy."""
STORED = REALS | {torch.bfloat16: np.uint16}
"""The types that kernels read and write; the bits of bfloat16 are those of a uint16."""
HUGE = 4 << 20
"""From this many bytes on, new memory is asked for in huge pages."""
PAGE = 4096
MADV_HUGEPAGE = 14


def computed(stored: torch.dtype) -> torch.dtype:
    """The type in which kernels compute with numbers that are stored in this one."""
    return torch.float32 if stored is torch.bfloat16 else stored


def time_major(x: Tensor) -> Tensor:
    """X itself where each step is one dense block and the steps follow each other, else a copy.

    Channels-last activations pass: a neuron does not mind in which order its neighbours lie, as
    long as every step has the same order.
    """
    if x.is_neg():  # a view that changes the sign of what lies in memory
        x = x.resolve_neg()
    if x.is_contiguous():
        return x
    dense = 1
    for stride, size in sorted(zip(x.stride()[1:], x.shape[1:], strict=True)):
        if size != 1:
            if stride != dense:
                return x.contiguous()
            dense *= size
    return x if x.stride(0) == dense else x.contiguous()


def address(tensor: Tensor | None) -> int:
    """Where a tensor lies in memory; 0 for none."""
    return 0 if tensor is None else tensor.data_ptr()


def stored(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x if its numbers are stored in this dtype, else a copy in which they are."""
    return x if x.dtype is dtype and not x.is_neg() else x.to(dtype).resolve_neg()


def laid_out_like(x: Tensor, y: Tensor) -> Tensor:
    """Y itself where it lies in memory as x does, else a copy that does."""
    if y.is_neg():
        y = y.resolve_neg()
    return y if y.stride() == x.stride() else torch.empty_like(x, dtype=y.dtype).copy_(y)


def new_like(x: Tensor) -> Tensor:
    """New memory in the layout of x; a large one in huge pages where the system gives them."""
    y = torch.empty_like(x)
    if y.nbytes >= HUGE and y.is_cpu and (advise := _madvise()) is not None:
        start = -(-y.data_ptr() // PAGE) * PAGE
        # advice only: where it is not taken, the memory is as good, and slower to touch first
        advise(start, (y.data_ptr() + y.nbytes - start) // PAGE * PAGE, MADV_HUGEPAGE)
    return y


@cache
def _madvise() -> Any:
    if sys.platform != "linux":
        return None
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return advise
