"""The values of a NIR node as NumPy arrays and settings."""

from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor

from engram.errors import EngramError

SAME = 1e-6
"""Values that differ by less than this, relatively, are one value: float32 keeps seven digits."""
MAX_VALUES = 1 << 28


def array(value: Any) -> np.ndarray:
    """A field of a node as an array, also where it is a tensor that requires grad."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value
        return value.numpy()
    return np.asarray(value)


def values(node: nir.NIRNode, field: str, *, finite: bool = True) -> np.ndarray:
    """A numeric field of a node in double precision.

    Raises:
        ValueError: It is not numeric, too large, or holds undefined or infinite values.
    """
    found = array(getattr(node, field))
    if found.dtype.kind not in "biuf":
        raise EngramError(f"its {field} is of type {found.dtype}: it must be numbers")
    if found.size == 0:
        raise EngramError(f"its {field} has the shape {found.shape}: it is empty")
    if found.size > MAX_VALUES:
        raise EngramError(f"its {field} has the shape {found.shape}: that is too large to load")
    found = found.astype(float)
    bad = np.isnan(found) if not finite else ~np.isfinite(found)
    if bad.any():
        raise EngramError(
            f"its {field} holds {found[bad].flat[0]} ({bad.sum()} of {found.size} values): it must "
            "be finite; train or export the network again"
        )
    return found


def alike(a: Any, b: Any) -> bool:
    """Whether two arrays are the same to float32 precision."""
    return bool(np.allclose(a, b, rtol=SAME, atol=1e-9, equal_nan=False))


def setting(found: np.ndarray) -> float | Tensor:
    """One float where all neurons share a value, otherwise a tensor with a value for each.

    An axis along which the values do not change is kept as one, and leading ones are dropped:
    channels that differ give `(channels, 1, 1)`.
    """
    low, high = float(found.min()), float(found.max())
    if low == high:
        return low
    if high - low <= SAME * max(abs(low), abs(high)):
        return float(np.median(found))
    for axis in range(found.ndim):
        first = found.take([0], axis)
        found = first if (found == first).all() else found
    leading = next(axis for axis, n in enumerate(found.shape) if n != 1)
    return torch.tensor(found.reshape(found.shape[leading:]))
