"""The parallel family: every step at once, by one matrix product over time."""

import math
from typing import final

import torch
from torch import Tensor, nn

from engram.neuron import functional as F
from engram.neuron.backend import uses_reference
from engram.neuron.kernel import psn as compiled
from engram.neuron.module import Neuron
from engram.neuron.surrogate import ATan, Surrogate


@final
class PSN(Neuron):
    """Parallel spiking neuron: H = W X, S = Θ(H − B), with W and B learned.

    Args:
        T: Number of steps; a PSN knows no other length.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: T < 1; and at the call, a sequence of another length.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """

    def __init__(self, T: int, *, surrogate: Surrogate | None = None) -> None:
        super().__init__()
        check_steps("PSN", T)
        self.T = T
        self.surrogate = surrogate or ATan()
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
        """What tells this neuron from the default one."""
        return f"T={self.T}, surrogate={self.surrogate}"


@final
class MaskedPSN(Neuron):
    """PSN whose weight is faded into a causal band: W ⊙ M_k(λ).

    Training starts at λ = 0, where it is a PSN, and ends at λ = 1, where step t reads only the
    inputs t − k + 1 … t, and the neuron can be streamed.

    Args:
        k: Order: how many inputs a step reads at λ = 1.
        T: Number of steps.
        lam: λ to start from; set the attribute `lam` while training.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: k outside 1 … T or λ outside 0 … 1; and at the call, a sequence of another
            length.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """

    band: Tensor

    def __init__(
        self, k: int, T: int, *, lam: float = 0.0, surrogate: Surrogate | None = None
    ) -> None:
        super().__init__()
        check_steps("MaskedPSN", T)
        if not 1 <= k <= T:
            raise ValueError(
                f"MaskedPSN(k={k}, T={T}): the order k counts the inputs that a step reads and "
                f"must lie in 1 … {T}"
            )
        self.k = k
        self.T = T
        self.surrogate = surrogate or ATan()
        self.weight = uniform_weight(T, T)
        self.threshold = nn.Parameter(torch.ones(T))
        self.register_buffer("band", F.band_mask(T, k), persistent=False)
        self.lam = lam

    @property
    def lam(self) -> float:
        """λ, how far the mask is faded in; part of the state_dict."""
        return self._lam

    @lam.setter
    def lam(self, value: float) -> None:
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"MaskedPSN.lam = {value!r}: λ fades the mask in, from 0 to 1")
        self._lam = float(value)

    def get_extra_state(self) -> Tensor:
        """λ travels with the weights, as a tensor: some weight files hold nothing else."""
        return torch.tensor(self._lam, dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Takes λ back from a state_dict."""
        self.lam = float(state)

    @property
    def causal(self) -> bool:
        """True once λ = 1."""
        return self._lam == 1.0

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `Temporal.forward`; a sequence that is not streamed has exactly T steps."""
        if not self.carry:
            check_length(self, x.shape[0])
        return super().forward(x, lengths)

    def _run(self, x: Tensor, state: F.PSNState | None) -> tuple[Tensor, F.PSNState | None]:
        if not self.causal:
            check_length(self, x.shape[0])
            weight = F.masked_weight(self.weight, self.band, self._lam)
            return dense_psn(x, weight, self.threshold, self.surrogate), None
        start = 0 if state is None else state.step
        stop = start + x.shape[0]
        if stop > self.T:
            check_length(self, stop)
        seen = x if state is None else torch.cat([state.history, x])
        rows = (slice(start, stop), slice(stop - seen.shape[0], stop))
        threshold = self.threshold[start:stop]
        if uses_reference(x, self.surrogate):
            weight = F.masked_weight(self.weight, self.band, 1.0)[rows]
            spikes = F.psn(seen, weight, threshold, self.surrogate)
        else:
            spikes = compiled.banded_psn(
                seen, self.weight[rows], threshold, self.surrogate, k=self.k
            )
        return spikes, F.remember(seen, self.k, stop)

    def extra_repr(self) -> str:
        """What tells this neuron from the default one."""
        return f"k={self.k}, T={self.T}, lam={self.lam}, surrogate={self.surrogate}"


@final
class SlidingPSN(Neuron):
    """PSN with one short window for all steps: H[t] = Σ_i W_i X[t − k + 1 + i], any length.

    Args:
        k: Order: how many inputs a step reads.
        exponential_init: Start from the weights (…, 1/4, 1/2, 1) instead of U(±1/√k).
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: k < 1.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """

    def __init__(
        self, k: int, *, exponential_init: bool = True, surrogate: Surrogate | None = None
    ) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(
                f"SlidingPSN(k={k}): the order k counts the inputs that a step reads, at least 1"
            )
        self.k = k
        self.surrogate = surrogate or ATan()
        self.weight = (
            nn.Parameter(0.5 ** torch.arange(k - 1, -1, -1.0))
            if exponential_init
            else uniform_weight(k)
        )
        self.threshold = nn.Parameter(torch.tensor(1.0))

    def _run(self, x: Tensor, state: F.PSNState | None) -> tuple[Tensor, F.PSNState]:
        start = 0 if state is None else state.step
        seen = x if state is None else torch.cat([state.history, x])
        steps = x.shape[0]
        if uses_reference(x, self.surrogate):
            rows = F.sliding_weight(self.weight, seen.shape[0])[-steps:]
            spikes = F.psn(seen, rows, self.threshold, self.surrogate)
        else:
            spikes = compiled.sliding_psn(
                seen, self.weight, self.threshold, self.surrogate, steps=steps
            )
        return spikes, F.remember(seen, self.k, start + steps)

    def extra_repr(self) -> str:
        """What tells this neuron from the default one."""
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
    """Raises ValueError unless T counts at least one step."""
    if T < 1:
        raise ValueError(f"{name}(T={T}): T counts the steps of a sequence, at least 1")


def check_length(neuron: PSN | MaskedPSN, steps: int) -> None:
    """Raises ValueError unless the neuron's T is the length of the sequence."""
    if steps != neuron.T:
        raise ValueError(
            f"{type(neuron).__name__}(T={neuron.T}) got a sequence of {steps} steps: build it with "
            f"T={steps}, or use SlidingPSN(k), which takes any length"
        )
