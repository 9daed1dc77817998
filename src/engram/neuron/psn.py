"""The parallel family: every step at once, by one matrix product over time."""

import math
from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron import functional as F
from engram.neuron.backend import uses_reference
from engram.neuron.kernel import psn as compiled
from engram.neuron.module import Neuron
from engram.neuron.setting import flag, number, spike_function, whole
from engram.neuron.surrogate import ATan, Surrogate


@final
class PSN(Neuron):
    """Parallel spiking neuron: H = W X, S = Θ(H − B), with W and B learned.

    Args:
        T: Number of steps, the only length that a PSN accepts.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: T < 1; and at the call, a sequence of another length.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """

    def __init__(self, T: int, *, surrogate: Surrogate | None = None) -> None:
        super().__init__()
        T = whole("PSN", "T", T)
        check_steps("PSN", T)
        self.T = T
        self.surrogate = spike_function("PSN", surrogate, ATan())
        self.weight = uniform_weight(T, T)
        self.threshold = nn.Parameter(torch.ones(T))

    @property
    def causal(self) -> bool:
        """False: every step reads every other."""
        return False

    def _run(self, x: Tensor, state: None) -> tuple[Tensor, None]:
        check_length(self, x.shape[0])
        return dense_psn(x, self.weight, self.threshold, self.surrogate), None

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return f"T={self.T}, surrogate={self.surrogate}"


@final
class MaskedPSN(Neuron):
    """PSN whose weight is faded into a causal band: W ⊙ M_k(λ).

    Training starts at λ = 0, where it is a PSN, and ends at λ = 1, where step t reads only the
    inputs t − k + 1 … t, and the neuron can be streamed.

    Args:
        k: Order, the number of inputs per step at λ = 1.
        T: Number of steps.
        lam: λ to start from; set the attribute `lam` while training.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: k outside 1 … T or λ outside 0 … 1; and at the call, a sequence of another
            length.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """

    state_type = F.PSNState
    band: Tensor
    _lam: Tensor

    def __init__(
        self, k: int, T: int, *, lam: float = 0.0, surrogate: Surrogate | None = None
    ) -> None:
        super().__init__()
        k, T = whole("MaskedPSN", "k", k), whole("MaskedPSN", "T", T)
        check_steps("MaskedPSN", T)
        if not 1 <= k <= T:
            raise EngramError(
                f"MaskedPSN(k={k}, T={T}): the order k counts the inputs that a step reads and "
                f"must lie in 1 … {T}"
            )
        self.k = k
        self.T = T
        self.surrogate = spike_function("MaskedPSN", surrogate, ATan())
        self.weight = uniform_weight(T, T)
        self.threshold = nn.Parameter(torch.ones(T))
        self.register_buffer("band", F.band_mask(T, k), persistent=False)
        self.register_buffer("_lam", torch.zeros((), dtype=torch.float64))
        self.lam = lam

    @property
    def lam(self) -> float:
        """λ, the fade-in of the mask; a buffer, so that copies and averages include it."""
        return self._lam.item()

    @lam.setter
    def lam(self, value: float) -> None:
        value = number("MaskedPSN", "lam", value)
        if not 0.0 <= value <= 1.0:
            raise EngramError(f"MaskedPSN.lam = {value!r}: λ fades the mask in, from 0 to 1")
        self._lam.fill_(value)
        self._banded = value == 1.0

    def _load_from_state_dict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        """Also read λ from the location used by earlier versions."""
        key, earlier = f"{prefix}_lam", f"{prefix}_extra_state"
        if earlier in state_dict and key not in state_dict:
            state_dict[key] = state_dict.pop(earlier)
        if key in state_dict and not 0.0 <= float(state_dict[key]) <= 1.0:
            raise EngramError(
                f"{key} = {float(state_dict[key])!r} in the state_dict: λ fades the mask in, from "
                "0 to 1"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._banded = self.lam == 1.0

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "MaskedPSN":
        """Move λ with the module, but keep it in float64, because rounding would change it."""
        before = self._lam
        super()._apply(fn, recurse)
        if self._lam.dtype != before.dtype:
            self._lam = before.to(self._lam.device)
        return self

    @property
    def causal(self) -> bool:
        """True once λ = 1."""
        if torch.compiler.is_compiling():
            return self._banded  # a graph cannot branch on the value of a tensor
        return self.lam == 1.0

    def _rest(self, x: Tensor) -> F.PSNState | None:
        if not self.causal:
            return None
        return F.PSNState(F.no_history(x, self.k - 1), torch.zeros((), dtype=torch.int64))

    def _neurons(self, state: F.PSNState) -> torch.Size:
        return state.history.shape[1:]

    def _run(self, x: Tensor, state: F.PSNState | None) -> tuple[Tensor, F.PSNState | None]:
        if state is not None:
            return self._continue(x, state)
        check_length(self, x.shape[0])
        if torch.compiler.is_compiling():
            lam, banded = self._lam, self._banded  # a graph cannot branch on a tensor's value
        else:
            lam = self.lam
            banded = lam == 1.0
        if not banded:
            weight = F.masked_weight(self.weight, self.band, lam)
            return dense_psn(x, weight, self.threshold, self.surrogate), None
        self._check_faded()
        return self._banded_psn(x, self.weight, self.threshold), None

    def _continue(self, x: Tensor, state: F.PSNState) -> tuple[Tensor, F.PSNState]:
        """The steps after a state, as the end of a sequence that begins with its history."""
        self._check_faded()
        seen = F.seen_inputs(state.history, x, self.k - 1)
        stop = state.step + x.shape[0]
        after = F.PSNState(F.last_inputs(seen, self.k - 1), stop)
        if torch.compiler.is_compiling():
            return self._banded_psn(seen, *self._rows(x, state.step)), after
        end = int(stop)
        if end > self.T:
            check_length(self, end)
        start = end - x.shape[0]
        seen = seen[max(0, self.k - 1 - start) :]
        rows = (slice(start, end), slice(end - seen.shape[0], end))
        return self._banded_psn(seen, self.weight[rows], self.threshold[start:end]), after

    def _rows(self, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and thresholds of the steps of x, in a graph where `step` is a tensor."""
        torch._assert_async(  # pyright: ignore[reportPrivateImportUsage]
            step <= self.T - x.shape[0], f"MaskedPSN(T={self.T}) got more than {self.T} steps"
        )
        steps = torch.arange(1 - self.k, x.shape[0], device=x.device) + step
        rows = steps[self.k - 1 :]
        # inputs before the first are zero, so that any weight may stand for theirs
        return self.weight[rows].index_select(1, steps.clamp(min=0)), self.threshold[rows]

    def _banded_psn(self, seen: Tensor, weight: Tensor, threshold: Tensor) -> Tensor:
        """`weight` has a row per output step and a column per input."""
        if not uses_reference(seen, self.surrogate):
            return compiled.banded_psn(seen, weight, threshold, self.surrogate, k=self.k)
        steps, inputs = weight.shape
        last = torch.arange(inputs - steps, inputs, device=seen.device)[:, None]
        age = last - torch.arange(inputs, device=seen.device)
        inside = (age >= 0) & (age < self.k)
        return F.psn(seen, weight * inside.to(weight.dtype), threshold, self.surrogate)

    def _check_faded(self) -> None:
        """In a compiled graph, raises an error at run time if λ has been changed since."""
        if torch.compiler.is_compiling():
            torch._assert_async(  # pyright: ignore[reportPrivateImportUsage]
                self._lam == 1.0,
                "MaskedPSN was compiled at λ = 1 and λ was then changed in place: set the "
                "attribute lam, or load a state_dict, which compile it anew",
            )

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        lam = "?" if self._lam.is_meta else self.lam
        return f"k={self.k}, T={self.T}, lam={lam}, surrogate={self.surrogate}"


@final
class SlidingPSN(Neuron):
    """PSN with one short window for all steps: H[t] = Σ_i W_i X[t − k + 1 + i], any length.

    Args:
        k: Order, the number of inputs per step.
        exponential_init: Start from the weights (…, 1/4, 1/2, 1) instead of U(±1/√k).
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: k < 1.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """

    state_type = F.WindowState

    def __init__(
        self, k: int, *, exponential_init: bool = True, surrogate: Surrogate | None = None
    ) -> None:
        super().__init__()
        k = whole("SlidingPSN", "k", k)
        if k < 1:
            raise EngramError(
                f"SlidingPSN(k={k}): the order k counts the inputs that a step reads, at least 1"
            )
        self.k = k
        self.surrogate = spike_function("SlidingPSN", surrogate, ATan())
        self.weight = (
            nn.Parameter(0.5 ** torch.arange(k - 1, -1, -1.0))
            if flag("SlidingPSN", "exponential_init", exponential_init)
            else uniform_weight(k)
        )
        self.threshold = nn.Parameter(torch.tensor(1.0))

    def _rest(self, x: Tensor) -> F.WindowState:
        return F.WindowState(F.no_history(x, self.k - 1))

    def _neurons(self, state: F.WindowState) -> torch.Size:
        return state.history.shape[1:]

    def _run(self, x: Tensor, state: F.WindowState | None) -> tuple[Tensor, F.WindowState | None]:
        seen = x if state is None else F.seen_inputs(state.history, x, self.k - 1)
        steps = x.shape[0]
        if uses_reference(x, self.surrogate):
            rows = F.sliding_weight(self.weight, seen.shape[0])[-steps:]
            spikes = F.psn(seen, rows, self.threshold, self.surrogate)
        else:
            spikes = compiled.sliding_psn(
                seen, self.weight, self.threshold, self.surrogate, steps=steps
            )
        after = None if state is None else F.WindowState(F.last_inputs(seen, self.k - 1))
        return spikes, after

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return f"k={self.k}, surrogate={self.surrogate}"


def dense_psn(x: Tensor, weight: Tensor, threshold: Tensor, surrogate: Surrogate) -> Tensor:
    """`functional.psn`, compiled where it can be."""
    run = F.psn if uses_reference(x, surrogate) else compiled.psn
    return run(x, weight, threshold, surrogate)


def uniform_weight(*shape: int) -> nn.Parameter:
    """Weights from U(±1/√fan_in), Kaiming's with a = √5."""
    bound = 1 / math.sqrt(shape[-1])
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def check_steps(name: str, T: int) -> None:
    """Raise ValueError unless T counts at least one step."""
    if T < 1:
        raise EngramError(f"{name}(T={T}): T counts the steps of a sequence, at least 1")


def check_length(neuron: PSN | MaskedPSN, steps: int) -> None:
    """Raise ValueError unless the neuron's T is the length of the sequence."""
    if steps != neuron.T:
        raise EngramError(
            f"{type(neuron).__name__}(T={neuron.T}) got a sequence of {steps} steps: build it with "
            f"T={steps}, or use SlidingPSN(k), which takes any length"
        )
