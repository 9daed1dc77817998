"""What the constructors of neurons take: each setting as its own type, or a clear error."""

import operator
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engram.errors import EngramError
from engram.neuron.surrogate import Surrogate

LARGEST = 2**31 - 1
"""The largest size of an axis that settings may ask for."""


def number(neuron: str, argument: str, value: Any) -> float:
    """A setting that is one number for the whole layer.

    Args:
        neuron: The neuron, for the error.
        argument: The argument that is being set, for the error.
        value: What the user gave.

    Raises:
        ValueError: It is not a real number, nor a tensor that holds exactly one.
    """
    given = values(neuron, argument, value)
    if isinstance(given, Tensor):
        if given.numel() != 1:
            raise EngramError(
                f"{neuron}({argument}=<tensor of shape {tuple(given.shape)}>): give one number, "
                "which all neurons of the layer share"
            )
        return float(given.item())
    return given


def values(neuron: str, argument: str, value: Any) -> float | Tensor:
    """A setting that is one number, or a tensor of a value for each neuron.

    Arrays and lists of numbers become tensors.

    Args:
        neuron: The neuron, for the error.
        argument: The argument that is being set, for the error.
        value: What the user gave.

    Raises:
        ValueError: It is not a real number nor a dense tensor of real numbers, it is empty, or it
            requires a gradient, which a setting does not learn from.
    """
    try:
        if isinstance(value, Real):
            return float(value)
        given = value if isinstance(value, Tensor) else torch.tensor(value, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise _not_a_number(neuron, argument, value) from error
    if given.is_complex() or given.layout is not torch.strided or not given.numel():
        raise _not_a_number(neuron, argument, value)
    if given.requires_grad:
        raise EngramError(
            f"{neuron}({argument}=<tensor that requires a gradient>): this setting is not learned "
            "and would get none; give value.detach(), or use a neuron that learns it, such as "
            "ParametricLIF for tau"
        )
    return given


def whole(neuron: str, argument: str, value: Any) -> int:
    """A setting that counts something.

    Raises:
        ValueError: It is not a whole number, or larger than any tensor.
    """
    try:
        given = operator.index(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise EngramError(f"{neuron}({argument}={value!r:.80}): give a whole number") from error
    if given > LARGEST:
        raise EngramError(f"{neuron}({argument}={given:.6g}): give at most {LARGEST}")
    return given


def flag(neuron: str, argument: str, value: Any) -> bool:
    """A setting that is on or off.

    Raises:
        ValueError: It is neither True nor False.
    """
    if isinstance(value, bool | np.bool_) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise EngramError(f"{neuron}({argument}={value!r}): give True or False")


def spike_function(neuron: str, surrogate: Any, default: Surrogate) -> Surrogate:
    """The surrogate of a neuron; None takes the default.

    Raises:
        ValueError: It is not a function of one tensor.
    """
    if surrogate is None:
        return default
    if isinstance(surrogate, type) or not callable(surrogate):
        raise EngramError(
            f"{neuron}(surrogate={surrogate!r}): give a surrogate, such as ATan() or Sigmoid(4.0)"
        )
    return surrogate  # pyright: ignore[reportReturnType]


def _not_a_number(neuron: str, argument: str, value: Any) -> ValueError:
    shown = f"<{type(value).__name__}>" if isinstance(value, Tensor) else f"{value!r:.80}"
    return ValueError(
        f"{neuron}({argument}={shown}): give a finite real number, or a dense tensor of them where "
        "each neuron may have its own"
    )
