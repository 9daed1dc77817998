"""The LIF family: charge, fire, reset, one step after another."""

import math
from abc import abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from engram.neuron import functional as F
from engram.neuron.backend import uses_reference
from engram.neuron.kernel.lif import lif as compiled_lif
from engram.neuron.module import Neuron
from engram.neuron.surrogate import ATan, Surrogate


class LeakyNeuron(Neuron):
    """A neuron that charges, fires where H ≥ V_th, and resets."""

    def __init__(
        self,
        *,
        threshold: float,
        reset: float | None,
        detach_reset: bool,
        surrogate: Surrogate | None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if reset is None and threshold <= 0:
            raise ValueError(
                f"{name}(threshold={threshold!r}, reset=None): the soft reset subtracts the "
                "threshold, which must then be positive"
            )
        if reset is not None and reset >= threshold:
            raise ValueError(
                f"{name}(threshold={threshold!r}, reset={reset!r}): the reset potential must lie "
                "below the threshold; reset=None gives the soft reset"
            )
        self.threshold = float(threshold)
        self.reset = None if reset is None else float(reset)
        self.detach_reset = detach_reset
        self.surrogate = surrogate or ATan()

    def extra_repr(self) -> str:
        """The settings, as the constructor takes them."""
        return (
            f"threshold={self.threshold}, reset={self.reset}, detach_reset={self.detach_reset}, "
            f"surrogate={self.surrogate}"
        )


class SteppedNeuron(LeakyNeuron):
    """A leaky neuron that runs step after step, in a kernel where there is one."""

    decay_input: bool
    state_type = F.LIFState

    @abstractmethod
    def _leak(self) -> tuple[float, Tensor | None]:
        """τ, and 1/τ in its place where it is learned."""

    def _run(self, x: Tensor, state: F.LIFState | None) -> tuple[Tensor, F.LIFState]:
        tau, leak = self._leak()
        lif = F.lif if uses_reference(x, self.surrogate) else compiled_lif
        return lif(
            x,
            state,
            tau=tau,
            leak=leak,
            threshold=self.threshold,
            reset=self.reset,
            decay_input=self.decay_input,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
        )


@final
class IF(SteppedNeuron):
    """Integrate-and-fire: H[t] = V[t−1] + X[t], a LIF with infinite τ.

    Args:
        threshold: Firing threshold V_th.
        reset: Reset potential; None subtracts the threshold instead (soft reset).
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: The reset does not leave the membrane below threshold.
    """

    decay_input = False

    def __init__(
        self,
        threshold: float = 1.0,
        reset: float | None = 0.0,
        *,
        detach_reset: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, reset=reset, detach_reset=detach_reset, surrogate=surrogate
        )

    def _leak(self) -> tuple[float, None]:
        return math.inf, None


@final
class LIF(SteppedNeuron):
    """Leaky integrate-and-fire: H[t] = V[t−1] + (X[t] − (V[t−1] − V_reset))/τ.

    Args:
        tau: Membrane time constant in steps, above 1.
        threshold: Firing threshold V_th.
        reset: Reset potential; None subtracts the threshold instead (soft reset).
        decay_input: Whether the input, too, is divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: τ ≤ 1, or the reset does not leave the membrane below threshold.
    """

    def __init__(
        self,
        tau: float = 2.0,
        threshold: float = 1.0,
        reset: float | None = 0.0,
        *,
        decay_input: bool = True,
        detach_reset: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, reset=reset, detach_reset=detach_reset, surrogate=surrogate
        )
        check_tau("LIF", tau)
        self.tau = float(tau)
        self.decay_input = decay_input

    def _leak(self) -> tuple[float, None]:
        return self.tau, None

    def extra_repr(self) -> str:
        """The settings, as the constructor takes them."""
        return f"tau={self.tau}, decay_input={self.decay_input}, {super().extra_repr()}"


@final
class ParametricLIF(SteppedNeuron):
    """LIF whose time constant learns: 1/τ = sigmoid(w), one w for the layer.

    Args:
        tau: The time constant that training starts from, above 1.
        threshold: Firing threshold V_th.
        reset: Reset potential; None subtracts the threshold instead (soft reset).
        decay_input: Whether the input, too, is divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: τ ≤ 1, or the reset does not leave the membrane below threshold.

    References:
        Fang et al., "Incorporating learnable membrane time constant", ICCV 2021, arXiv 2007.05785.
    """

    def __init__(
        self,
        tau: float = 2.0,
        threshold: float = 1.0,
        reset: float | None = 0.0,
        *,
        decay_input: bool = True,
        detach_reset: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, reset=reset, detach_reset=detach_reset, surrogate=surrogate
        )
        check_tau("ParametricLIF", tau)
        self.w = nn.Parameter(torch.tensor(-math.log(tau - 1.0)))
        self.decay_input = decay_input

    @property
    def tau(self) -> float:
        """The time constant learned so far, 1 + exp(−w) steps; infinite where that overflows."""
        return 1.0 + torch.exp(-self.w.detach().double()).item()

    def _leak(self) -> tuple[float, Tensor]:
        return math.inf, self.w.sigmoid()

    def extra_repr(self) -> str:
        """The settings, as the constructor takes them."""
        return f"decay_input={self.decay_input}, {super().extra_repr()}"


def check_tau(name: str, tau: float) -> None:
    """Raises ValueError unless the time constant is above one step."""
    if not tau > 1.0:
        raise ValueError(
            f"{name}(tau={tau!r}): the membrane time constant must be above 1 step; "
            "for a neuron without leak use IF"
        )
