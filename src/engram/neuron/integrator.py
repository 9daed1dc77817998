"""The leaky integrator: a membrane that is read out and does not fire."""

from typing import final

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.neuron import functional as F
from engram.neuron.backend import backend
from engram.neuron.channel import per_neuron
from engram.neuron.lif import check_tau, keep, on_host, shown
from engram.neuron.module import Temporal
from engram.neuron.recurrence import linear_recurrence
from engram.neuron.setting import flag, values


def leaky_sum(
    x: Tensor, state: F.LIFState | None, tau: Tensor, resting: Tensor, decay_input: bool
) -> tuple[Tensor, F.LIFState]:
    """`functional.li` in parallel over time, of an input in its state dtype."""
    start = None if state is None else state.voltage.to(x.dtype) - resting
    above = linear_recurrence(x / tau if decay_input else x, 1 - 1 / tau, start)
    potential = above + resting
    return potential, F.LIFState(potential[-1])


@final
class LI(Temporal):
    """Leaky integrator: V[t] = V[t−1] + (X[t] − (V[t−1] − V_rest))/τ, the readout of many networks.

    It runs in parallel over time. An infinite `tau` with `decay_input=False` sums its input.

    Args:
        tau: Time constant in steps, at least 1, or a value for each neuron: a tensor that
            broadcasts to the features of the input.
        resting: The potential V_rest that the membrane starts from and leaks to, or a value for
            each neuron.
        input_weight: A factor of the input, or a value for each neuron.
        decay_input: Whether the input is also divided by τ.

    Raises:
        ValueError: τ < 1, or a value is not finite; and at the call, values that do not broadcast
            to the features.
    """

    state_type = F.LIFState

    tau: float | Tensor
    resting: float | Tensor
    input_weight: float | Tensor

    def __init__(
        self,
        tau: float | Tensor = 2.0,
        *,
        resting: float | Tensor = 0.0,
        input_weight: float | Tensor = 1.0,
        decay_input: bool = True,
    ) -> None:
        super().__init__()
        tau = values("LI", "tau", tau)
        check_tau("LI", tau, at_least=True)
        decay_input = flag("LI", "decay_input", decay_input)
        if decay_input and on_host(tau).isinf().any():
            raise EngramError(
                f"LI(tau={shown(tau)}): an infinite time constant divides the input to zero; "
                "decay_input=False gives the integrator"
            )
        keep(self, "tau", tau, finite=False)
        keep(self, "resting", resting)
        keep(self, "input_weight", input_weight)
        self.decay_input = decay_input

    def _run(self, x: Tensor, state: F.LIFState | None) -> tuple[Tensor, F.LIFState]:
        tau, resting = spread(self.tau, x), spread(self.resting, x)
        drive = weighted(x, self.input_weight)
        if backend(x.device) == "reference":
            settings = {"tau": tau, "resting": resting, "decay_input": self.decay_input}
            potential, after = F.li(drive, state, **settings)
        else:
            potential, after = leaky_sum(drive, state, tau, resting, self.decay_input)
        return potential.to(x.dtype), after

    def extra_repr(self) -> str:
        """The settings, as accepted by the constructor."""
        return (
            f"tau={shown(self.tau)}, resting={shown(self.resting)}, "
            f"input_weight={shown(self.input_weight)}, decay_input={self.decay_input}"
        )


def weighted(x: Tensor, weight: float | Tensor) -> Tensor:
    """The input times its weight, in its state dtype."""
    wide = x.to(F.state_dtype(x))
    return wide * spread(weight, x) if isinstance(weight, Tensor) or weight != 1.0 else wide


def spread(value: float | Tensor, x: Tensor) -> Tensor:
    """A setting as a tensor that broadcasts over one step of x, in its state dtype.

    Raises:
        ValueError: The values of the neurons do not broadcast to the features of x.
    """
    if isinstance(value, Tensor):
        return per_neuron(value, x)
    return torch.tensor(value, dtype=F.state_dtype(x), device=x.device)
