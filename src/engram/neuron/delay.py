"""Delays that learn: each channel of a sequence arrives later by a time of its own."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from engram.neuron.channel import check_channels, per_channel
from engram.neuron.functional import PSNState, remember, state_dtype
from engram.neuron.module import Temporal


def delayed(
    seen: Float[Tensor, "seen *neurons"], delay: Float[Tensor, "..."], max_delay: int
) -> Float[Tensor, "time *neurons"]:
    """A sequence later by `delay` steps, linear between whole steps.

    Y[t] = (1 − f)·X[t − n] + f·X[t − n − 1], n = ⌊d⌋, f = d − n.

    Args:
        seen: The `max_delay` steps before the sequence, zero at its start, and the sequence X.
        delay: d in steps, broadcast to one step of x; counts as 0 below 0 and as `max_delay` above
            it, and its gradient passes through these bounds.
        max_delay: The longest delay, at least 1.

    Returns:
        Y; the whole d shift X exactly.

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
    near, far = (torch.take_along_dim(seen, rows - i, dim=0) for i in (0, 1))
    return (1 - fraction) * near + fraction * far


@final
class Delay(Temporal):
    """Delays each channel by a learned time of up to `max_delay` steps.

    Args:
        max_delay: The longest delay in steps.
        channels: Channels with a delay of their own, the third axis of the input; 1 shares one
            delay among all neurons.
        delay: The delay in steps that every channel starts from; None draws them uniformly between
            0 and `max_delay`.

    Raises:
        ValueError: `max_delay` or channels below 1, or a delay outside 0 … `max_delay`; and at the
            call, input whose third axis does not count the channels.

    References:
        Khalfaoui-Hassani et al., ICLR 2023, arXiv 2112.03740.
    """

    def __init__(self, max_delay: int, channels: int = 1, *, delay: float | None = None) -> None:
        super().__init__()
        check_channels("Delay", channels)
        if max_delay < 1:
            raise ValueError(f"Delay(max_delay={max_delay}): the longest delay is at least 1 step")
        if delay is not None and not 0 <= delay <= max_delay:
            raise ValueError(
                f"Delay(delay={delay!r}): the delay must lie in 0 … {max_delay}, or raise max_delay"
            )
        self.max_delay = max_delay
        start = torch.rand(channels) * max_delay
        self.delay = nn.Parameter(start if delay is None else torch.full_like(start, delay))

    def _run(self, x: Tensor, state: PSNState | None) -> tuple[Tensor, PSNState]:
        if state is None:
            state = PSNState(x.new_zeros(self.max_delay, *x.shape[1:]), 0)
        seen = torch.cat([state.history, x])
        y = delayed(seen.to(state_dtype(x)), per_channel(self.delay, x), self.max_delay)
        return y.to(x.dtype), remember(seen, self.max_delay + 1, state.step + x.shape[0])

    def extra_repr(self) -> str:
        """What tells this layer from the default one."""
        return f"max_delay={self.max_delay}, channels={self.delay.shape[0]}"
