"""The parallel resonate-and-fire neuron: a membrane that oscillates, all steps at once."""

import math
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from engram.neuron.backend import writes_onnx
from engram.neuron.channel import check_channels, log_uniform, per_channel
from engram.neuron.check import check_finite
from engram.neuron.functional import copied_state, state_dtype
from engram.neuron.lif import check_tau
from engram.neuron.module import Neuron
from engram.neuron.pair import Pair, pair_recurrence, refuse_state
from engram.neuron.recurrence import linear_recurrence
from engram.neuron.setting import number, spike_function, whole
from engram.neuron.surrogate import ATan, Surrogate


class PRFState(NamedTuple):
    """The state of a resonate-and-fire neuron.

    Attributes:
        membrane: The complex membrane u, shaped `(*neurons)`.
    """

    membrane: Tensor

    __deepcopy__ = copied_state


def prf(
    x: Float[Tensor, "time *neurons"],
    step: Float[Tensor, "..."],
    frequency: Float[Tensor, "..."],
    state: PRFState | None = None,
    *,
    tau: float = 2.0,
    threshold: float = 1.0,
    surrogate: Surrogate,
) -> tuple[Float[Tensor, "time *neurons"], PRFState]:
    """Parallel resonate-and-fire: every step of a damped oscillation at once.

    u[t] = exp(Δ(−1/τ + iθ))·u[t−1] + Δ·X[t], S = Θ(Re u − V_th).

    The reset is decoupled from the spikes: it is the rotation by Δθ at each step.

    Args:
        x: Input sequence X.
        step: Δ, positive, broadcast to one step of x: the rate at which the membrane decays and
            rotates.
        frequency: θ in radians per unit of Δ, broadcast to one step of x.
        state: The membrane before the first step; None starts from zero.
        tau: Time constant τ of the decay in units of Δ.
        threshold: Firing threshold V_th.
        surrogate: The spike function.

    Returns:
        Spikes in the dtype of x, and the membrane after the last step.

    References:
        Huang et al., "PRF: parallel resonate and fire neuron for long sequence learning in spiking
        neural networks", 2024, arXiv 2410.03530.
    """
    if writes_onnx():
        return _prf_in_pairs(x, step, frequency, state, tau, threshold, surrogate)
    decay = torch.exp(torch.complex(-step / tau, step * frequency))
    drive = (step * x.to(state_dtype(x))).to(decay.dtype)
    membrane = linear_recurrence(drive, decay, None if state is None else state.membrane)
    return surrogate(membrane.real - threshold).to(x.dtype), PRFState(membrane[-1])


def _prf_in_pairs(
    x: Tensor,
    step: Tensor,
    frequency: Tensor,
    state: PRFState | None,
    tau: float,
    threshold: float,
    surrogate: Surrogate,
) -> tuple[Tensor, PRFState]:
    """`prf` without complex numbers."""
    refuse_state("PRF", state)
    drive = step * x.to(state_dtype(x))
    decay = Pair(-step / tau, step * frequency).exp()
    membrane = pair_recurrence(Pair(drive, torch.zeros_like(drive)), decay)
    last = torch.stack([membrane.real[-1], membrane.imag[-1]])
    return surrogate(membrane.real - threshold).to(x.dtype), PRFState(last)


@final
class PRF(Neuron):
    """Parallel resonate-and-fire: u[t] = exp(Δ(−1/τ + iθ))·u[t−1] + Δ·X[t], Δ and θ learned.

    Args:
        channels: Number of channels with their own Δ and θ, the third axis of the input; 1 shares
            one pair among all neurons.
        tau: Time constant of the decay in units of Δ, above 1.
        step_range: The range of the initial Δ, drawn log-uniformly.
        threshold: Firing threshold V_th.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: No channel, τ ≤ 1, or a range of Δ that is not positive and rising; and at the
            call, input whose third axis differs from the channels.

    References:
        Huang et al., 2024, arXiv 2410.03530.
    """

    state_type = PRFState
    complex_state = True

    def __init__(
        self,
        channels: int = 1,
        *,
        tau: float = 2.0,
        step_range: tuple[float, float] = (1e-3, 1e-1),
        threshold: float = 1.0,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__()
        channels = whole("PRF", "channels", channels)
        tau = number("PRF", "tau", tau)
        threshold = number("PRF", "threshold", threshold)
        check_channels("PRF", channels)
        check_tau("PRF", tau)
        check_finite("PRF", threshold=threshold)
        self.tau = tau
        self.threshold = threshold
        self.surrogate = spike_function("PRF", surrogate, ATan())
        self.log_step = log_uniform("PRF", channels, step_range)
        # the open end of (0, 1] keeps the logarithm finite
        self.log_frequency = nn.Parameter(torch.log(2 * math.pi * (1 - torch.rand(channels))))

    def _run(self, x: Tensor, state: PRFState | None) -> tuple[Tensor, PRFState]:
        return prf(
            x,
            per_channel(self.log_step, x).exp(),
            per_channel(self.log_frequency, x).exp(),
            state,
            tau=self.tau,
            threshold=self.threshold,
            surrogate=self.surrogate,
        )

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return (
            f"channels={self.log_step.shape[0]}, tau={self.tau}, threshold={self.threshold}, "
            f"surrogate={self.surrogate}"
        )
