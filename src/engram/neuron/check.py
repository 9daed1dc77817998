"""Checks of neurons before computation: mismatched shapes and invalid numbers.

The reference and the kernels make the same checks. None of them reads the values of a tensor.
"""

import ctypes
import math
from functools import lru_cache

import torch
from torch import Tensor

from engram.errors import EngramError

STATE_DTYPES = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float32: torch.float32,
    torch.float64: torch.float64,
}
"""The dtype in which a neuron integrates, by that of its input."""
_STRIDED = torch.strided


def check_sequence(x: Tensor) -> None:
    """Raise ValueError unless x is a dense floating-point sequence of at least one step."""
    if x.dtype in STATE_DTYPES and x.layout is _STRIDED and x.ndim and x.shape[0]:
        return
    if x.dtype not in STATE_DTYPES:
        raise EngramError(
            f"the input has dtype {x.dtype}: neurons take float16, bfloat16, float32 and float64, "
            "such as x.float()"
        )
    if x.layout is not torch.strided:
        raise EngramError(f"the input has the layout {x.layout}: give x.to_dense()")
    if x.ndim < 1 or x.shape[0] < 1:
        raise EngramError(
            f"the input has shape {tuple(x.shape)}: the first axis is time and needs at least one "
            "step"
        )


def check_membrane(x: Tensor, voltage: Tensor, step: torch.Size) -> None:
    """Raise ValueError unless a membrane matches the neurons driven by x.

    Args:
        x: The input.
        voltage: The membrane.
        step: Shape of one step of x.
    """
    if voltage.shape != step:
        raise EngramError(
            f"the membrane has shape {tuple(voltage.shape)}, but one step of the input "
            f"{tuple(x.shape)} has shape {tuple(step)}: a state belongs to the samples "
            f"from which it was computed; start other samples from rest, in a new stream() or with "
            "state=None, or give one membrane a neuron, as by voltage.expand(...)"
        )
    check_companion("membrane", voltage, x)


def is_state(value: object, *, meta: bool, complex_too: bool = False) -> bool:
    """Whether a value may be part of the state of a neuron, with values or on "meta"."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.dtype is not torch.bool
        and value.is_meta == meta
        and (complex_too or not value.is_complex())
    )


def described(value: object) -> str:
    """What a value is, for an error."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"a tensor of dtype {value.dtype}, layout {value.layout}, on {value.device}"


def check_companion(name: str, tensor: Tensor, x: Tensor) -> None:
    """Raise ValueError unless a tensor is dense floating point on the device of x."""
    together = tensor.is_cpu and x.is_cpu  # a third of the time of comparing devices
    if together and tensor.dtype in STATE_DTYPES and tensor.layout is _STRIDED:
        return
    if tensor.device != x.device:
        raise EngramError(
            f"the {name} is on {tensor.device} and the input on {x.device}: move one of them, as "
            "by neuron.to(x.device)"
        )
    if tensor.dtype not in STATE_DTYPES or tensor.layout is not torch.strided:
        raise EngramError(
            f"the {name} has dtype {tensor.dtype} and layout {tensor.layout}: it must be a dense "
            "floating-point tensor, such as tensor.float()"
        )


def check_leak(x: Tensor, leak: Tensor) -> None:
    """Raise ValueError unless a learned leak is one number."""
    if leak.numel() != 1:
        raise EngramError(
            f"the leak 1/tau has shape {tuple(leak.shape)}: the kernels take one number for all "
            f"neurons; one leak per neuron requires reference()"
        )
    check_companion("leak", leak, x)


def check_gradient(name: str, gradient: Tensor, like: Tensor, shape: torch.Size) -> None:
    """Raise ValueError unless a gradient has the shape of its tensor."""
    if gradient.shape != shape:
        raise EngramError(
            f"the gradient of the {name} has shape {tuple(gradient.shape)}: it must be "
            f"{tuple(shape)}, the shape of the {name}"
        )
    check_companion(f"gradient of the {name}", gradient, like)


@lru_cache(256)
def check_firing(dtype: torch.dtype, threshold: float, reset: float | None) -> None:
    """Raise ValueError unless in this dtype the reset potential is below a finite threshold.

    Args:
        dtype: The dtype of integration.
        threshold: V_th.
        reset: V_reset; None for the soft reset.
    """
    firing, resting = rounded(threshold, dtype), rounded(reset or 0.0, dtype)
    if not (math.isfinite(firing) and math.isfinite(resting)):
        raise EngramError(
            f"threshold={threshold!r} and reset={reset!r} are {firing} and {resting} in {dtype}, "
            "in which the membrane is integrated: both must be finite numbers there; choose "
            "smaller ones, or float64, as by neuron.double()"
        )
    if not resting < firing:
        raise EngramError(
            f"threshold={threshold!r} and reset={reset!r} are {firing} and {resting} in {dtype}, "
            "in which the membrane is integrated: the reset potential (0 for the soft reset) must "
            "be below the threshold in that dtype; choose numbers further apart, or float64, as by "
            "neuron.double()"
        )


def check_finite(name: str, **numbers: float | None) -> None:
    """Raise ValueError unless the numeric arguments of a neuron are finite.

    Args:
        name: The neuron.
        numbers: Its arguments by name; None counts as not given.
    """
    for argument, value in numbers.items():
        if value is not None and not math.isfinite(value):
            raise EngramError(
                f"{name}({argument}={value!r}): give a finite number"
                + (
                    "; for a membrane that never fires, set an unreachable threshold and read the "
                    "state from run()"
                    if argument == "threshold"
                    else ""
                )
            )


def rounded(value: float, dtype: torch.dtype) -> float:
    """A number rounded to the dtype; infinite if it is too large."""
    return ctypes.c_float(value).value if dtype is torch.float32 else value
