"""Learnable delays: each channel of a sequence is delayed by its own time."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.channel import check_channels, per_channel, per_neuron
from engram.neuron.functional import (
    WindowState,
    last_inputs,
    no_history,
    seen_inputs,
    state_dtype,
)
from engram.neuron.module import Temporal
from engram.neuron.setting import values, whole


def delayed(
    seen: Float[Tensor, "seen *neurons"], delay: Float[Tensor, "..."], max_delay: int
) -> Float[Tensor, "time *neurons"]:
    """Delay a sequence by `delay` steps, with linear interpolation between integer steps.

    Y[t] = (1 − f)·X[t − n] + f·X[t − n − 1], n = ⌊d⌋, f = d − n.

    Args:
        seen: The `max_delay` steps before the sequence, zero at its start, and the sequence X.
        delay: d in steps, broadcast to one step of x; clipped to 0 … `max_delay`, with a gradient
            that passes through the clipping.
        max_delay: The longest delay, at least 1.

    Returns:
        Y; integer d shift X exactly.

    References:
        Khalfaoui-Hassani et al., "Dilated convolution with learnable spacings", ICLR 2023,
        arXiv 2112.03740, with one unit weight a channel; Hammouamri et al., ICLR 2024,
        arXiv 2306.17670, for spiking networks, with a Gaussian in place of the interpolation.
    """
    fixed = delay.detach()
    bounded = fixed.clamp(0, max_delay)
    whole = bounded.floor().clamp(max=max_delay - 1)
    fraction = delay + (bounded - fixed) - whole
    steps = torch.arange(max_delay, seen.shape[0], device=seen.device)
    rows = steps.reshape(-1, *[1] * (seen.ndim - 1)) - whole.long()
    rows = rows.expand(-1, *seen.shape[1:])
    near, far = (seen.gather(0, rows - i) for i in (0, 1))
    return (1 - fraction) * near + fraction * far


@final
class Delay(Temporal):
    """Delays each channel by a learned time of up to `max_delay` steps.

    Args:
        max_delay: The longest delay in steps.
        channels: Number of channels with their own delay, the third axis of the input; 1 shares
            one delay among all neurons.
        delay: The initial delay of every channel in steps; None draws them uniformly between 0 and
            `max_delay`. A tensor gives each neuron its own, in a shape that broadcasts to the
            features of the input.

    Raises:
        ValueError: `max_delay` or channels below 1, or a delay outside 0 … `max_delay`; and at the
            call, input whose third axis differs from the channels, or to whose features the delays
            do not broadcast.

    References:
        Khalfaoui-Hassani et al., ICLR 2023, arXiv 2112.03740.
    """

    state_type = WindowState

    def __init__(
        self, max_delay: int, channels: int = 1, *, delay: float | Tensor | None = None
    ) -> None:
        super().__init__()
        max_delay = whole("Delay", "max_delay", max_delay)
        channels = whole("Delay", "channels", channels)
        check_channels("Delay", channels)
        if max_delay < 1:
            raise EngramError(f"Delay(max_delay={max_delay}): the longest delay is at least 1 step")
        delay = None if delay is None else values("Delay", "delay", delay)
        bounds = None if delay is None else torch.as_tensor(delay, device="cpu")
        if bounds is not None and not ((bounds >= 0) & (bounds <= max_delay)).all():
            raise EngramError(
                f"Delay(delay={delay!r}): the delay must lie in 0 … {max_delay}, or raise max_delay"
            )
        self.max_delay = max_delay
        self.each = isinstance(delay, Tensor)
        if isinstance(delay, Tensor):
            start = delay.detach().clone().to(torch.get_default_dtype())
        else:
            start = torch.rand(channels) * max_delay
            start = start if delay is None else torch.full_like(start, delay)
        self.delay = nn.Parameter(start)

    def _run(self, x: Tensor, state: WindowState | None) -> tuple[Tensor, WindowState]:
        history = no_history(x, self.max_delay) if state is None else state.history
        seen = seen_inputs(history, x, self.max_delay)
        delay = per_neuron(self.delay, x) if self.each else per_channel(self.delay, x)
        y = delayed(seen.to(state_dtype(x)), delay, self.max_delay)
        return y.to(x.dtype), WindowState(last_inputs(seen, self.max_delay))

    def _neurons(self, state: WindowState) -> torch.Size:
        return state.history.shape[1:]

    def extra_repr(self) -> str:
        """Settings that differ from the default layer."""
        own = f"shape={tuple(self.delay.shape)}" if self.each else f"channels={len(self.delay)}"
        return f"max_delay={self.max_delay}, {own}"
