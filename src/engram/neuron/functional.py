"""The mathematics of spiking neurons in plain torch: pure functions, the state explicit.

Sequences are `(time, *neurons)`, where `*neurons` is usually `(batch, *features)`. Half-precision
input is integrated in float32, and the spikes come back in the dtype of the input.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from engram.neuron.check import check_firing, check_membrane, check_sequence
from engram.neuron.surrogate import Surrogate


class LIFState(NamedTuple):
    """What a leaky neuron remembers between steps.

    Attributes:
        voltage: Membrane potential after reset, V[t], shaped `(*neurons)`.
    """

    voltage: Tensor


class PSNState(NamedTuple):
    """What a causal parallel neuron remembers between steps.

    Attributes:
        history: The inputs that later steps still read, at most k−1, `(m, *neurons)`.
        step: How many steps have run.
    """

    history: Tensor
    step: int


def state_dtype(x: Tensor) -> torch.dtype:
    """The dtype a neuron integrates in: that of x, but at least float32."""
    return torch.promote_types(x.dtype, torch.float32)


def rest(x: Float[Tensor, "time *neurons"], reset: float | None) -> LIFState:
    """The state before the first step: V[0] is the reset potential, 0 for the soft reset."""
    voltage = torch.full(x.shape[1:], reset or 0.0, dtype=state_dtype(x), device=x.device)
    return LIFState(voltage)


def fire(
    charge: Float[Tensor, "*neurons"],
    *,
    threshold: float = 1.0,
    reset: float | None = 0.0,
    detach_reset: bool = False,
    surrogate: Surrogate,
) -> tuple[Float[Tensor, "*neurons"], LIFState]:
    """Spikes of the charged membrane H, and the membrane after reset.

    S = Θ(H − V_th); V = (1 − S)·H + S·V_reset, or H − S·V_th for the soft reset.

    Args:
        charge: H, the membrane after integration.
        threshold: V_th.
        reset: V_reset; None subtracts the threshold instead (soft reset).
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function.
    """
    spikes = surrogate(charge - threshold)
    kept = spikes.detach() if detach_reset else spikes
    if reset is None:
        return spikes, LIFState(charge - kept * threshold)
    if not detach_reset:  # from an infinite charge dS/dH is 0, and so is what goes through S
        kept = torch.where(charge.isinf(), spikes.detach(), spikes)
    return spikes, LIFState((1 - kept) * charge + kept * reset)


def lif(
    x: Float[Tensor, "time *neurons"],
    state: LIFState | None = None,
    *,
    tau: float = 2.0,
    leak: Float[Tensor, ""] | None = None,
    threshold: float = 1.0,
    reset: float | None = 0.0,
    decay_input: bool = True,
    detach_reset: bool = False,
    surrogate: Surrogate,
) -> tuple[Float[Tensor, "time *neurons"], LIFState]:
    """Leaky integrate-and-fire: the loop over time that the parallel neurons do without.

    H[t] = V[t−1] + (X[t] − (V[t−1] − V_reset))/τ, or with `decay_input=False`
    H[t] = V[t−1] − (V[t−1] − V_reset)/τ + X[t]; then S[t] and V[t] as in `fire`. An infinite τ
    whose input does not decay is the integrate-and-fire neuron. An infinite or undefined input
    follows IEEE arithmetic through these equations and reaches no other neuron.

    Args:
        x: Input sequence X.
        state: The membrane before the first step; None starts from rest.
        tau: Membrane time constant τ in steps, above 1.
        leak: 1/τ as a tensor that learns (parametric LIF), in place of `tau`.
        threshold: Firing threshold V_th.
        reset: Reset potential V_reset; None subtracts the threshold instead (soft reset).
        decay_input: Whether the input, too, is divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function.

    Returns:
        Spikes in the dtype of x, and the membrane after the last step.

    References:
        Fang et al., "Incorporating learnable membrane time constant", ICCV 2021, arXiv 2007.05785.
    """
    check_sequence(x)
    own = isinstance(threshold, Tensor) or isinstance(reset, Tensor)  # values of each neuron
    if not own and not torch.compiler.is_compiling():  # which does not see how numbers round
        check_firing(state_dtype(x), threshold, reset)
    if state is None:
        state = rest(x, reset)
    else:
        check_membrane(x, state.voltage)
    spikes = []
    for x_t in x.unbind(0):  # indexing x[t] in the graph is far slower
        s_t, state = fire(
            _charge(state.voltage, x_t, reset or 0.0, tau, leak, decay_input),
            threshold=threshold,
            reset=reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
        )
        spikes.append(s_t.to(x.dtype))
    return torch.stack(spikes), state


def _charge(
    v: Tensor, x: Tensor, resting: float, tau: float, leak: Tensor | None, decay_input: bool
) -> Tensor:
    """H[t] from V[t−1] and X[t]."""
    if leak is None and math.isinf(tau) and not decay_input:
        return v + x
    drift = x - (v - resting) if decay_input else v - resting
    decayed = drift / tau if leak is None else drift * leak
    return v + decayed if decay_input else v - decayed + x


def psn(
    x: Float[Tensor, "time_in *neurons"],
    weight: Float[Tensor, "time time_in"],
    threshold: Float[Tensor, "*time"],
    surrogate: Surrogate,
) -> Float[Tensor, "time *neurons"]:
    """Parallel spiking neuron: every step at once, by one matrix product.

    H = W X, S = Θ(H − B).

    Args:
        x: Input sequence.
        weight: W: how much step i reads of input j.
        threshold: B, one a step `(time,)` or one for all `()`.
        surrogate: The spike function.

    Returns:
        Spikes in the dtype of x.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """
    dtype = state_dtype(x)
    # a threshold rounded to bfloat16 would move every spike: autocast has no say here
    with torch.autocast(x.device.type, enabled=False):
        charge = torch.addmm(
            -threshold.to(dtype).reshape(-1, 1),
            weight.to(dtype),
            x.reshape(x.shape[0], math.prod(x.shape[1:])).to(dtype),
        )
    return surrogate(charge).to(x.dtype).reshape(weight.shape[0], *x.shape[1:])


def remember(seen: Float[Tensor, "time *neurons"], k: int, step: int) -> PSNState:
    """The state after `step` steps of a neuron of order k that has `seen` these inputs last."""
    return PSNState(seen[max(0, seen.shape[0] - (k - 1)) :], step)


def band_mask(T: int, k: int, *, device: torch.device | None = None) -> Float[Tensor, "T T"]:
    """M_k: 1 where j ≤ i ≤ j + k − 1, else 0: step i reads the last k inputs."""
    age = torch.arange(T, device=device)[:, None] - torch.arange(T, device=device)
    return ((age >= 0) & (age < k)).float()


def masked_weight(
    weight: Float[Tensor, "T T"], mask: Float[Tensor, "T T"], lam: float
) -> Float[Tensor, "T T"]:
    """W ⊙ M_k(λ), M_k(λ) = λ·M_k + (1 − λ)·J: dense at λ = 0, causal at λ = 1.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """
    return weight * (lam * mask + (1.0 - lam)).to(weight.dtype)


def sliding_weight(weight: Float[Tensor, " k"], T: int) -> Float[Tensor, "T T"]:
    """The banded Toeplitz matrix of the sliding PSN: W[i, j] = weight[k − 1 − (i − j)].

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """
    k = weight.shape[0]
    steps = torch.arange(T, device=weight.device)
    age = steps[:, None] - steps
    inside = (age >= 0) & (age < k)
    return torch.where(inside, weight[(k - 1 - age).clamp(0, k - 1)], 0.0)


def lif_weight(tau: float, T: int, *, decay_input: bool = True) -> Float[Tensor, "T T"]:
    """The PSN matrix of a LIF that never resets: W[i, j] = (1/τ)(1 − 1/τ)^(i−j), j ≤ i.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """
    steps = torch.arange(T, dtype=torch.float64)
    age = steps[:, None] - steps
    weight = torch.where(age >= 0, (1 - 1 / tau) ** age.clamp(min=0), 0.0)
    return (weight / tau if decay_input else weight).float()
