"""The LIF family: charge, fire, reset, one step after another."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron import functional as F
from engram.neuron.backend import uses_reference
from engram.neuron.channel import per_neuron
from engram.neuron.kernel.lif import lif as compiled_lif
from engram.neuron.module import Neuron
from engram.neuron.setting import flag, spike_function, values
from engram.neuron.surrogate import ATan, Surrogate


class LeakyNeuron(Neuron):
    """A neuron that charges, fires where H ≥ V_th, and resets."""

    threshold: float | Tensor
    reset: float | Tensor | None

    def __init__(
        self,
        *,
        threshold: float | Tensor,
        reset: float | Tensor | None,
        detach_reset: bool,
        surrogate: Surrogate | None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        keep(self, "threshold", threshold)
        keep(self, "reset", reset, optional=True)
        if reset is None and lowest(self.threshold) <= 0:
            raise EngramError(
                f"{name}(threshold={shown(threshold)}, reset=None): the soft reset subtracts the "
                "threshold, which must then be positive"
            )
        if self.reset is not None and lowest(self.threshold - self.reset) <= 0:
            raise EngramError(
                f"{name}(threshold={shown(threshold)}, reset={shown(reset)}): the reset potential "
                "must lie below the threshold; reset=None gives the soft reset"
            )
        self.detach_reset = flag(name, "detach_reset", detach_reset)
        self.surrogate = spike_function(name, surrogate, ATan())

    def extra_repr(self) -> str:
        """The settings, as accepted by the constructor."""
        return (
            f"threshold={shown(self.threshold)}, reset={shown(self.reset)}, "
            f"detach_reset={self.detach_reset}, surrogate={self.surrogate}"
        )


class SteppedNeuron(LeakyNeuron):
    """A leaky neuron that runs step by step, in a kernel if available.

    The kernels support one value per layer; a layer with values per neuron or channel runs on the
    reference in plain torch.
    """

    decay_input: bool
    state_type = F.LIFState

    @abstractmethod
    def _leak(self) -> tuple[float | Tensor, Tensor | None]:
        """τ, or 1/τ if it is learned."""

    def _step(self, x: Tensor, state: F.LIFState | None) -> tuple[Tensor, F.LIFState]:
        return self._run(x, state, single_step=True)

    def _run(
        self, x: Tensor, state: F.LIFState | None, *, single_step: bool = False
    ) -> tuple[Tensor, F.LIFState]:
        tau, leak = self._leak()
        threshold, reset = self.threshold, self.reset
        own = (
            isinstance(threshold, Tensor)
            or isinstance(reset, Tensor)
            or isinstance(tau, Tensor)
            or (leak is not None and leak.ndim > 0)
        )
        if not own and not uses_reference(x, self.surrogate):
            return compiled_lif(
                x,
                state,
                tau=tau,  # pyright: ignore[reportArgumentType]
                leak=leak,
                threshold=threshold,  # pyright: ignore[reportArgumentType]
                reset=reset,  # pyright: ignore[reportArgumentType]
                decay_input=self.decay_input,
                detach_reset=self.detach_reset,
                surrogate=self.surrogate,
                single_step=single_step,
            )
        if single_step:
            return super()._step(x, state)
        values: dict[str, Any] = {"tau": tau, "leak": leak, "threshold": threshold, "reset": reset}
        if own:
            values |= {n: per_neuron(v, x) for n, v in values.items() if isinstance(v, Tensor)}
        return F.lif(
            x,
            state,
            **values,
            decay_input=self.decay_input,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
        )


@final
class IF(SteppedNeuron):
    """Integrate-and-fire: H[t] = V[t−1] + X[t], a LIF with infinite τ.

    Args:
        threshold: Firing threshold V_th, or a value for each neuron: a tensor that broadcasts to
            the features of the input.
        reset: Reset potential, or a value for each neuron; None subtracts the threshold instead
            (soft reset).
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: The reset does not leave the membrane below threshold, or a value is not finite;
            and at the call, values that do not broadcast to the features.
    """

    decay_input = False

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        reset: float | Tensor | None = 0.0,
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
    """Leaky integrate-and-fire: H[t] = V[t−1] + (X[t] − (V[t−1] − V_rest))/τ.

    Args:
        tau: Membrane time constant in steps, above 1; or a value for each neuron, at least 1: a
            tensor that broadcasts to the features of the input. For τ = 1, where all membranes
            decay completely at every step, use `Threshold`.
        threshold: Firing threshold V_th, or a value for each neuron.
        reset: Reset potential V_reset, or a value for each neuron; None subtracts the threshold
            instead (soft reset). The membrane starts there, or at 0 for the soft reset.
        decay_input: Whether the input is also divided by τ.
        resting: The potential V_rest that the membrane leaks to, or a value for each neuron; None
            is the reset potential, or 0 for the soft reset.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: τ is too short, the reset does not leave the membrane below threshold, or a
            value is not finite; and at the call, values that do not broadcast to the features.
    """

    tau: float | Tensor
    resting: float | Tensor | None

    def __init__(
        self,
        tau: float | Tensor = 2.0,
        threshold: float | Tensor = 1.0,
        reset: float | Tensor | None = 0.0,
        *,
        decay_input: bool = True,
        resting: float | Tensor | None = None,
        detach_reset: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, reset=reset, detach_reset=detach_reset, surrogate=surrogate
        )
        tau = values("LIF", "tau", tau)
        check_tau("LIF", tau, at_least=isinstance(tau, Tensor))
        keep(self, "tau", tau, finite=False)
        keep(self, "resting", resting, optional=True)
        self.decay_input = flag("LIF", "decay_input", decay_input)

    def _leak(self) -> tuple[float | Tensor, None]:
        return self.tau, None

    def _run(
        self, x: Tensor, state: F.LIFState | None, *, single_step: bool = False
    ) -> tuple[Tensor, F.LIFState]:
        if self.resting is None:
            return super()._run(x, state, single_step=single_step)
        if single_step:
            return Neuron._step(self, x, state)
        spikes, after = super()._run(x.to(F.state_dtype(x)) + self._resting_current(x), state)
        return spikes.to(x.dtype), after

    def _resting_current(self, x: Tensor) -> Tensor:
        """The constant current that holds the membrane at V_rest in place of V_reset."""
        resting = 0.0 if self.resting is None else self.resting
        gap = torch.as_tensor(resting) - (0.0 if self.reset is None else self.reset)
        current = gap if self.decay_input else gap / self.tau
        return per_neuron(current.to(x.device), x)

    def extra_repr(self) -> str:
        """The settings, as accepted by the constructor."""
        resting = "" if self.resting is None else f"resting={shown(self.resting)}, "
        return (
            f"tau={shown(self.tau)}, decay_input={self.decay_input}, {resting}"
            f"{super().extra_repr()}"
        )


@final
class ParametricLIF(SteppedNeuron):
    """LIF with a learnable time constant: 1/τ = sigmoid(w), one w per layer or per channel.

    Args:
        tau: The time constant that training starts from, above 1; or a value for each of `shape`.
        threshold: Firing threshold V_th, or a value for each neuron.
        reset: Reset potential, or a value for each neuron; None subtracts the threshold instead
            (soft reset).
        shape: Shape of w, which broadcasts to the features of the input: `(channels, 1, 1)` before
            or after a 2-D convolution, `(features,)` for one w per neuron. Empty shares one w.
        decay_input: Whether the input is also divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: τ ≤ 1, `tau` does not broadcast to `shape`, the reset does not leave the
            membrane below threshold, or a value is not finite; and at the call, w does not
            broadcast to the features.

    References:
        Fang et al., "Incorporating learnable membrane time constant", ICCV 2021, arXiv 2007.05785.
    """

    def __init__(
        self,
        tau: float | Tensor = 2.0,
        threshold: float | Tensor = 1.0,
        reset: float | Tensor | None = 0.0,
        *,
        shape: Sequence[int] | None = None,
        decay_input: bool = True,
        detach_reset: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__(
            threshold=threshold, reset=reset, detach_reset=detach_reset, surrogate=surrogate
        )
        tau = values("ParametricLIF", "tau", tau)
        check_tau("ParametricLIF", tau)
        start = -(torch.as_tensor(tau, dtype=torch.get_default_dtype()) - 1.0).log()
        if shape is not None:
            try:
                start = start.expand(tuple(shape))
            except (RuntimeError, TypeError) as error:
                raise EngramError(
                    f"ParametricLIF(tau={shown(tau)}, shape={shape!r}): tau must broadcast to the "
                    "shape, which is a tuple of whole numbers"
                ) from error
        self.w = nn.Parameter(start.clone())
        self.decay_input = flag("ParametricLIF", "decay_input", decay_input)

    @property
    def tau(self) -> float | Tensor:
        """The time constant learned so far, 1 + exp(−w) steps; one for each w.

        It is infinite if that overflows.
        """
        tau = 1.0 + (-self.w.detach().double()).exp()
        return tau if tau.ndim else tau.item()

    def _leak(self) -> tuple[float, Tensor]:
        return math.inf, self.w.sigmoid()

    def extra_repr(self) -> str:
        """The settings, as accepted by the constructor."""
        shape = f"shape={tuple(self.w.shape)}, " if self.w.ndim else ""
        return f"{shape}decay_input={self.decay_input}, {super().extra_repr()}"


def keep(
    module: nn.Module,
    name: str,
    value: float | Tensor | None,
    *,
    finite: bool = True,
    optional: bool = False,
) -> None:
    """Store a setting as a float, or as a buffer if neurons have individual values.

    Raises:
        ValueError: A value is undefined, infinite where it must be finite, or missing where it is
            not optional; or it is not a number nor a tensor of numbers.
    """
    if value is not None or not optional:
        value = values(type(module).__name__, name, value)
    array = None if value is None else on_host(value)
    if array is not None and (array.isnan().any() or (finite and array.isinf().any())):
        raise EngramError(
            f"{type(module).__name__}({name}={shown(value)}): the values must be finite numbers"
        )
    if isinstance(value, Tensor) and value.numel() != 1:
        dtype = torch.promote_types(value.dtype, torch.get_default_dtype())
        module.register_buffer(name, value.detach().to(dtype).clone())
    else:
        setattr(module, name, None if array is None else array.item())


def on_host(value: float | Tensor) -> Tensor:
    """The values of a setting where they can be read, also while layers are built on "meta"."""
    return torch.as_tensor(value, dtype=torch.float64, device="cpu")


def lowest(value: float | Tensor) -> float:
    """The smallest value of a setting."""
    return on_host(value).min().item()


def shown(value: float | Tensor | None) -> str:
    """Format a setting for messages: its value, or range and shape of several."""
    if isinstance(value, Tensor) and value.numel() > 1:
        return f"<{value.min().item():g} … {value.max().item():g}, shape {tuple(value.shape)}>"
    return repr(value.item() if isinstance(value, Tensor) and value.numel() == 1 else value)


def check_tau(name: str, tau: float | Tensor, *, at_least: bool = False) -> None:
    """Raise ValueError unless each time constant is above one step, or at least one."""
    taus = on_host(tau)
    if taus.numel() and not (taus >= 1.0 if at_least else taus > 1.0).all():
        raise EngramError(
            f"{name}(tau={shown(tau)}): the membrane time constant must be "
            f"{'at least' if at_least else 'above'} 1 step; for a neuron without leak use IF"
        )
