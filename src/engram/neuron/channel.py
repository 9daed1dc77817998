"""Parameters per channel, for sequences `(time, batch, channels, *features)`."""

import math

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.functional import state_dtype
from engram.neuron.setting import number


def per_channel(parameter: Tensor, x: Tensor) -> Tensor:
    """A parameter `(*own, channels)` shaped to broadcast over one step of x, in its state dtype.

    Args:
        parameter: The values per channel; with one channel all neurons of x share them, for any
            shape of x.
        x: Input sequence, `(time, batch, channels, *features)`.

    Returns:
        The parameter, `(*own, 1, channels, 1, …)`.

    Raises:
        ValueError: The third axis of x differs from the channels of the parameter.
    """
    *own, channels = parameter.shape
    parameter = parameter.to(state_dtype(x))
    if channels == 1:
        return parameter.reshape([*own, *[1] * (x.ndim - 1)])
    if x.ndim < 3 or x.shape[2] != channels:
        raise EngramError(
            f"a layer of {channels} channels got input of shape {tuple(x.shape)}: give it "
            f"(time, batch, {channels}, *features), or build it with channels=1, which shares its "
            "parameters among all neurons"
        )
    return parameter.reshape([*own, 1, channels, *[1] * (x.ndim - 3)])


def per_neuron(parameter: Tensor, x: Tensor) -> Tensor:
    """A parameter `(*features)`, or any shape that broadcasts to it, in the state dtype of x.

    Args:
        parameter: The values, such as `(features,)` or `(channels, 1, 1)`.
        x: Input sequence, `(time, batch, *features)`.

    Raises:
        ValueError: The parameter does not broadcast to the features of x.
    """
    own, features = tuple(parameter.shape), tuple(x.shape[2:])
    pairs = zip(reversed(own), reversed(features), strict=False)
    if len(own) > len(features) or any(a not in (1, b) for a, b in pairs):
        raise EngramError(
            f"a neuron with parameters of shape {own} got input of shape {tuple(x.shape)}: give "
            f"it (time, batch, *features) whose features {own} broadcasts to"
        )
    return parameter.to(state_dtype(x))


def check_channels(name: str, channels: int) -> None:
    """Raise ValueError unless there is at least one channel."""
    if channels < 1:
        raise EngramError(f"{name}(channels={channels}): a layer has at least 1 channel")


def log_uniform(name: str, channels: int, step_range: tuple[float, float]) -> nn.Parameter:
    """Draw log Δ, one per channel, uniformly between the logarithms of the range.

    Raises:
        ValueError: The range is not positive and increasing.
    """
    try:
        ends = list(step_range)
    except TypeError:
        ends = []
    low, high = (number(name, "step_range", end) for end in ends) if len(ends) == 2 else (0.0, 0.0)
    if not 0 < low <= high < math.inf:
        raise EngramError(
            f"{name}(step_range={step_range}): give the smallest and the largest step, both "
            f"positive, such as (0.001, 0.1)"
        )
    return nn.Parameter(torch.empty(channels).uniform_(math.log(low), math.log(high)))
