"""The neuron without memory."""

from typing import final

from torch import Tensor

from engram.neuron.functional import state_dtype
from engram.neuron.integrator import spread
from engram.neuron.lif import keep, shown
from engram.neuron.module import Neuron
from engram.neuron.setting import spike_function
from engram.neuron.surrogate import ATan, Surrogate


@final
class Threshold(Neuron):
    """Fires where its input reaches the threshold: S[t] = Θ(X[t] − V_th), a LIF with τ = 1.

    Args:
        threshold: V_th, or a value for each neuron: a tensor that broadcasts to the features of the
            input.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: A value is not finite; and at the call, values that do not broadcast to the
            features.
    """

    stateful = False

    threshold: float | Tensor

    def __init__(
        self, threshold: float | Tensor = 1.0, *, surrogate: Surrogate | None = None
    ) -> None:
        super().__init__()
        keep(self, "threshold", threshold)
        self.surrogate = spike_function("Threshold", surrogate, ATan())

    def _run(self, x: Tensor, state: None) -> tuple[Tensor, None]:
        spikes = self.surrogate(x.to(state_dtype(x)) - spread(self.threshold, x))
        return spikes.to(x.dtype), None

    def extra_repr(self) -> str:
        """The settings, as accepted by the constructor."""
        return f"threshold={shown(self.threshold)}, surrogate={self.surrogate}"
