"""The mathematics of spiking neurons in plain torch: pure functions with explicit state.

Sequences are `(time, *neurons)`, where `*neurons` is usually `(batch, *features)`. Half-precision
input is integrated in float32, and the spikes are returned in the dtype of the input.
"""

import copy
import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from engram.errors import EngramError
from engram.neuron.check import check_firing, check_membrane, check_sequence
from engram.neuron.surrogate import Surrogate


def copied_state(state: Any, memo: Any) -> Any:
    """A deep copy of a state; values computed by autograd are copied without their graph."""
    return type(state)(
        *(
            value.detach().clone()
            if isinstance(value, Tensor) and value.grad_fn is not None
            else copy.deepcopy(value, memo)
            for value in state
        )
    )


class LIFState(NamedTuple):
    """The state of a leaky neuron.

    Attributes:
        voltage: Membrane potential after reset, V[t], shaped `(*neurons)`.
    """

    voltage: Tensor

    __deepcopy__ = copied_state


class CubaLIFState(NamedTuple):
    """The state of a current-based neuron.

    Attributes:
        current: Synaptic current I[t], shaped `(*neurons)`.
        voltage: Membrane potential after reset, V[t], shaped `(*neurons)`.
    """

    current: Tensor
    voltage: Tensor

    __deepcopy__ = copied_state


class WindowState(NamedTuple):
    """The state of a layer with a window over its last inputs.

    Attributes:
        history: The inputs that later steps will read, initially zero, `(m, *neurons)`.
    """

    history: Tensor

    __deepcopy__ = copied_state


class PSNState(NamedTuple):
    """The state of a causal parallel neuron with step-dependent weights.

    Attributes:
        history: The k−1 inputs that later steps still read, zero before the first,
            `(k − 1, *neurons)`.
        step: Number of steps processed, an integer tensor `()` on the CPU: a compiled graph takes
            it as an input, whereas it would be recompiled for every new Python number.
    """

    history: Tensor
    step: Tensor

    __deepcopy__ = copied_state


def state_dtype(x: Tensor) -> torch.dtype:
    """The dtype a neuron integrates in: that of x, but at least float32."""
    return torch.promote_types(x.dtype, torch.float32)


def rest(x: Float[Tensor, "time *neurons"], reset: float | Tensor | None) -> LIFState:
    """The state before the first step: V[0] is the reset potential, 0 for the soft reset."""
    voltage = torch.zeros(x.shape[1:], dtype=state_dtype(x), device=x.device)
    return LIFState(voltage if reset is None else voltage + reset)


def fire(
    charge: Float[Tensor, "*neurons"],
    *,
    threshold: float | Tensor = 1.0,
    reset: float | Tensor | None = 0.0,
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
    if not detach_reset:  # for an infinite charge dS/dH is 0, and so is the gradient through S
        kept = torch.where(charge.isinf(), spikes.detach(), spikes)
    return spikes, LIFState((1 - kept) * charge + kept * reset)


def lif(
    x: Float[Tensor, "time *neurons"],
    state: LIFState | None = None,
    *,
    tau: float | Tensor = 2.0,
    leak: Float[Tensor, "..."] | None = None,
    threshold: float | Tensor = 1.0,
    reset: float | Tensor | None = 0.0,
    decay_input: bool = True,
    detach_reset: bool = False,
    surrogate: Surrogate,
) -> tuple[Float[Tensor, "time *neurons"], LIFState]:
    """Leaky integrate-and-fire: the loop over time that parallel neurons avoid.

    H[t] = V[t−1] + (X[t] − (V[t−1] − V_reset))/τ, or with `decay_input=False` H[t] = V[t−1] −
    (V[t−1] − V_reset)/τ + X[t]; then S[t] and V[t] as in `fire`. An infinite τ whose input does
    not decay is the integrate-and-fire neuron. An infinite or undefined input follows IEEE
    arithmetic through these equations and affects no other neuron. The parameters may be tensors
    that broadcast over one step of x: a value for each neuron or channel.

    Args:
        x: Input sequence X.
        state: The membrane before the first step; None starts from rest.
        tau: Membrane time constant τ in steps, at least 1.
        leak: 1/τ as a learnable tensor (parametric LIF), instead of `tau`.
        threshold: Firing threshold V_th.
        reset: Reset potential V_reset; None subtracts the threshold instead (soft reset).
        decay_input: Whether the input is also divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function.

    Returns:
        Spikes in the dtype of x, and the membrane after the last step.

    References:
        Fang et al., "Incorporating learnable membrane time constant", ICCV 2021, arXiv 2007.05785.
    """
    check_sequence(x)
    own = isinstance(threshold, Tensor) or isinstance(reset, Tensor)  # values of each neuron
    if not own and not torch.compiler.is_compiling():  # which does not account for rounding
        check_firing(state_dtype(x), threshold, reset)
    if state is None:
        state = rest(x, reset)
    else:
        check_membrane(x, state.voltage, x.shape[1:])
    spikes = []
    for x_t in x.unbind(0):  # indexing x[t] in the graph is far slower
        s_t, state = fire(
            _charge(state.voltage, x_t, 0.0 if reset is None else reset, tau, leak, decay_input),
            threshold=threshold,
            reset=reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
        )
        spikes.append(s_t.to(x.dtype))
    return torch.stack(spikes), state


def _charge(
    v: Tensor,
    x: Tensor,
    resting: float | Tensor,
    tau: float | Tensor,
    leak: Tensor | None,
    decay_input: bool,
) -> Tensor:
    """H[t] from V[t−1] and X[t]."""
    if leak is None and isinstance(tau, float) and math.isinf(tau) and not decay_input:
        return v + x
    drift = x - (v - resting) if decay_input else v - resting
    decayed = drift / tau if leak is None else drift * leak
    return v + decayed if decay_input else v - decayed + x


def li(
    x: Float[Tensor, "time *neurons"],
    state: LIFState | None = None,
    *,
    tau: float | Tensor = 2.0,
    resting: float | Tensor = 0.0,
    decay_input: bool = True,
) -> tuple[Float[Tensor, "time *neurons"], LIFState]:
    """Leaky integrator, step by step: a membrane that neither fires nor resets.

    V[t] = V[t−1] + (X[t] − (V[t−1] − V_rest))/τ, or with `decay_input=False`
    V[t] = V[t−1] − (V[t−1] − V_rest)/τ + X[t].

    Args:
        x: Input sequence X.
        state: The membrane before the first step; None starts from V_rest.
        tau: Time constant τ in steps, at least 1, or a value for each neuron; infinite for no leak.
        resting: V_rest, or a value for each neuron.
        decay_input: Whether the input is also divided by τ.

    Returns:
        The membrane at every step in the dtype of x, and the state after the last step.
    """
    state = rest(x, resting) if state is None else state
    potentials, v = [], state.voltage
    for x_t in x.unbind(0):
        v = v + (x_t - (v - resting)) / tau if decay_input else v - (v - resting) / tau + x_t
        potentials.append(v.to(x.dtype))
    return torch.stack(potentials), LIFState(v)


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
        weight: W: the weight of input j at step i.
        threshold: B, one per step `(time,)` or one for all `()`.
        surrogate: The spike function.

    Returns:
        Spikes in the dtype of x.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760.
    """
    dtype = state_dtype(x)
    # a threshold rounded to bfloat16 would change spikes, so autocast is disabled
    with torch.autocast(x.device.type, enabled=False):
        charge = torch.addmm(
            -threshold.to(dtype).reshape(-1, 1),
            weight.to(dtype),
            x.reshape(x.shape[0], math.prod(x.shape[1:])).to(dtype),
        )
    return surrogate(charge).to(x.dtype).reshape(weight.shape[0], *x.shape[1:])


def no_history(x: Float[Tensor, "time *neurons"], length: int) -> Float[Tensor, "m *neurons"]:
    """The `length` inputs before the first step, which are zero."""
    return x.new_zeros(length, *x.shape[1:])


def seen_inputs(
    history: Float[Tensor, "m *neurons"], x: Float[Tensor, "time *neurons"], length: int
) -> Float[Tensor, "seen *neurons"]:
    """The inputs before a sequence and the sequence, in its dtype.

    Args:
        history: The inputs before.
        x: The sequence.
        length: Number of inputs before it that the layer reads.

    Raises:
        ValueError: The history has another length, such as that of another layer.
    """
    if history.shape[0] != length:
        raise EngramError(
            f"the state holds {history.shape[0]} earlier inputs and this layer reads {length}: "
            "pass a state that the same layer returned"
        )
    return torch.cat([history if history.dtype is x.dtype else history.to(x.dtype), x])


def last_inputs(seen: Float[Tensor, "seen *neurons"], length: int) -> Float[Tensor, "m *neurons"]:
    """The last `length` inputs, which are the history of the next step."""
    return seen[seen.shape[0] - length :]


def band_mask(T: int, k: int, *, device: torch.device | None = None) -> Float[Tensor, "T T"]:
    """M_k: 1 where j ≤ i ≤ j + k − 1, else 0: step i reads the last k inputs."""
    age = torch.arange(T, device=device)[:, None] - torch.arange(T, device=device)
    return ((age >= 0) & (age < k)).float()


def masked_weight(
    weight: Float[Tensor, "T T"], mask: Float[Tensor, "T T"], lam: float | Float[Tensor, ""]
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
