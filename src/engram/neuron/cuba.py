"""The current-based LIF: an exponential synapse in front of a leaky membrane."""

from typing import Any, final

from torch import Tensor

from engram.neuron import functional as F
from engram.neuron.backend import uses_reference
from engram.neuron.integrator import leaky_sum, spread, weighted
from engram.neuron.kernel.lif import lif as compiled_lif
from engram.neuron.lif import LeakyNeuron, check_tau, keep, shown
from engram.neuron.setting import flag, values
from engram.neuron.surrogate import Surrogate


@final
class CubaLIF(LeakyNeuron):
    """Current-based LIF: I[t] = I[t−1] + (w·X[t] − I[t−1])/τ_syn drives the membrane of a LIF.

    The current has no reset and runs in parallel over time, the membrane step after step in a
    kernel; where the neurons have values of their own, the membrane runs in plain torch.

    Args:
        tau_syn: Time constant of the synapse in steps, at least 1, or a value for each neuron: a
            tensor that broadcasts to the features of the input.
        tau: Time constant of the membrane in steps, at least 1, or a value for each neuron.
        threshold: Firing threshold V_th, or a value for each neuron.
        reset: Reset potential, or a value for each neuron; None subtracts the threshold instead
            (soft reset). The membrane starts there, or at 0 for the soft reset; the current at 0.
        input_weight: w, which multiplies the input, or a value for each neuron.
        resting: The potential that the membrane leaks to, or a value for each neuron; None is the
            reset potential, or 0 for the soft reset.
        decay_input: Whether X and I are divided by τ_syn and τ; without,
            I[t] = I[t−1]·(1 − 1/τ_syn) + w·X[t] and H[t] = V[t−1]·(1 − 1/τ) + I[t].
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: A time constant below 1, the reset does not leave the membrane below threshold,
            or a value is not finite; and at the call, values that do not broadcast to the features.

    References:
        Pedersen et al., Nature Communications 2024, arXiv 2311.14641, by forward Euler: first the
        current, then the membrane from the new current.
    """

    state_type = F.CubaLIFState

    tau_syn: float | Tensor
    tau: float | Tensor
    input_weight: float | Tensor
    resting: float | Tensor | None

    def __init__(
        self,
        tau_syn: float | Tensor = 2.0,
        tau: float | Tensor = 2.0,
        threshold: float | Tensor = 1.0,
        reset: float | Tensor | None = 0.0,
        *,
        input_weight: float | Tensor = 1.0,
        resting: float | Tensor | None = None,
        decay_input: bool = True,
        detach_reset: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, reset=reset, detach_reset=detach_reset, surrogate=surrogate
        )
        for name, given in (("tau_syn", tau_syn), ("tau", tau)):
            value = values("CubaLIF", name, given)
            check_tau("CubaLIF", value, at_least=True)
            keep(self, name, value)
        keep(self, "input_weight", input_weight)
        keep(self, "resting", resting, optional=True)
        self.decay_input = flag("CubaLIF", "decay_input", decay_input)

    def _run(self, x: Tensor, state: F.CubaLIFState | None) -> tuple[Tensor, F.CubaLIFState]:
        settings: dict[str, Any] = {
            "tau": self.tau,
            "threshold": self.threshold,
            "reset": self.reset,
            "decay_input": self.decay_input,
            "detach_reset": self.detach_reset,
            "surrogate": self.surrogate,
        }
        own: dict[str, Any] = {
            name: spread(value, x) for name, value in settings.items() if isinstance(value, Tensor)
        }
        reference = uses_reference(x, self.surrogate)
        current, after = self._current(x, state, reference)
        spikes, membrane = (F.lif if own or reference else compiled_lif)(
            self._with_resting(current, x),
            None if state is None else F.LIFState(state.voltage),
            **settings | own,
        )
        return spikes.to(x.dtype), F.CubaLIFState(after.voltage, membrane.voltage)

    def _current(
        self, x: Tensor, state: F.CubaLIFState | None, reference: bool
    ) -> tuple[Tensor, F.LIFState]:
        drive = weighted(x, self.input_weight)
        before = None if state is None else F.LIFState(state.current)
        tau, decay = spread(self.tau_syn, x), self.decay_input
        if reference:
            return F.li(drive, before, tau=tau, decay_input=decay)
        return leaky_sum(drive, before, tau, drive.new_zeros(()), decay)

    def _with_resting(self, current: Tensor, x: Tensor) -> Tensor:
        """The current plus the one that holds the membrane at its resting potential."""
        if self.resting is None:
            return current
        gap = spread(self.resting, x)
        gap = gap if self.reset is None else gap - spread(self.reset, x)
        return current + (gap if self.decay_input else gap / spread(self.tau, x))

    def extra_repr(self) -> str:
        """The settings, as accepted by the constructor."""
        resting = "" if self.resting is None else f"resting={shown(self.resting)}, "
        return (
            f"tau_syn={shown(self.tau_syn)}, tau={shown(self.tau)}, "
            f"input_weight={shown(self.input_weight)}, {resting}"
            f"decay_input={self.decay_input}, {super().extra_repr()}"
        )
