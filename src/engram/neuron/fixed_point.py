"""LIF with reset, all steps at once: the spike train as the fixed point of a matrix product."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from engram.errors import EngramError
from engram.neuron.check import check_finite
from engram.neuron.functional import LIFState, state_dtype
from engram.neuron.lif import check_tau
from engram.neuron.module import Neuron
from engram.neuron.setting import flag, number, spike_function, whole
from engram.neuron.surrogate import ATan, Surrogate

BLOCK = 1024
"""Number of steps per matrix product; longer sequences are processed in blocks."""


def fixed_point_lif(
    x: Float[Tensor, "time *neurons"],
    state: LIFState | None = None,
    *,
    tau: float = 2.0,
    threshold: float = 1.0,
    iterations: int = 3,
    decay_input: bool = True,
    detach_reset: bool = False,
    surrogate: Surrogate,
) -> tuple[Float[Tensor, "time *neurons"], LIFState]:
    """Soft-reset LIF by fixed-point iteration over the whole spike train.

    S⁰ = 0; H = Λ X/τ − V_th·(Λ − I) Sᵏ⁻¹, Sᵏ = Θ(H − V_th), with Λ_ij = (1 − 1/τ)^(i−j), j ≤ i.

    Iteration k is exact for the first k steps, because a step reads only earlier spikes: with as
    many iterations as steps, spikes and gradient are those of `lif` with `reset=None`.

    Λ is applied in blocks of 1,024 steps, each of which passes its last value to the next: an
    iteration takes T·min(T, 1024) products per neuron, and memory that grows with T instead of T².

    Args:
        x: Input sequence X.
        state: The membrane before the first step; None starts from rest.
        tau: Membrane time constant τ in steps, above 1.
        threshold: Firing threshold V_th, which a spike subtracts.
        iterations: K, the number of refinements of the spike train; more than T has no effect.
        decay_input: Whether the input is also divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function.

    Returns:
        Spikes in the dtype of x, and the membrane after the last step.

    References:
        Feng et al., "Efficient parallel training methods for spiking neural networks with constant
        time complexity", ICML 2025, arXiv 2506.12087. The authors' code learns Λ, smooths Θ in the
        first iterations and draws the last spikes at random; here Λ is that of the LIF and each
        iteration fires by Θ.
    """
    T, dtype = x.shape[0], state_dtype(x)
    leak = torch.full((), 1 - 1 / tau, dtype=dtype, device=x.device)
    steps = torch.arange(T, dtype=dtype, device=x.device)
    first = steps[:BLOCK]
    decay = torch.tril(leak ** (first[:, None] - first).clamp(min=0))
    recall = threshold * (decay - torch.eye(decay.shape[0], dtype=dtype, device=x.device))
    # bfloat16 products would change spikes, so autocast is disabled
    with torch.autocast(x.device.type, enabled=False):
        drive = _blockwise(decay, x.reshape(T, math.prod(x.shape[1:])).to(dtype), decay, leak, 1.0)
        drive = drive / tau if decay_input else drive
        if state is not None:
            drive = drive + leak ** (steps[:, None] + 1) * state.voltage.to(dtype).reshape(1, -1)
        charge = drive
        for _ in range(min(iterations, T) - 1):
            spikes = surrogate(charge - threshold)
            spikes = spikes.detach() if detach_reset else spikes
            charge = drive - _blockwise(recall, spikes, decay, leak, threshold)
    spikes = surrogate(charge - threshold)
    kept = spikes[-1].detach() if detach_reset else spikes[-1]
    voltage = (charge[-1] - threshold * kept).reshape(x.shape[1:])
    return spikes.to(x.dtype).reshape(x.shape), LIFState(voltage)


def _blockwise(
    matrix: Float[Tensor, "block block"],
    x: Float[Tensor, "time n"],
    decay: Float[Tensor, "block block"],
    leak: Float[Tensor, ""],
    scale: float,
) -> Float[Tensor, "time n"]:
    """The product of x with a matrix over all steps, given by one of its blocks.

    Args:
        matrix: A_ij of the steps of one block; beyond the block it is scale · λ^(i−j), j < i.
        x: The sequence.
        decay: Λ_ij = λ^(i−j), j ≤ i, of one block.
        leak: λ.
        scale: See the matrix.
    """
    size = matrix.shape[0]
    if x.shape[0] <= size:
        return matrix @ x
    fading = leak ** torch.arange(1, size + 1, device=x.device)[:, None]
    blocks, before = [], torch.zeros_like(x[:1])
    for block in x.split(size):
        n = block.shape[0]
        blocks.append(matrix[:n, :n] @ block + scale * fading[:n] * before)
        before = decay[n - 1 : n, :n] @ block + fading[n - 1] * before
    return torch.cat(blocks)


@final
class FixedPointLIF(Neuron):
    """LIF with soft reset, all steps at once, by a few iterations towards the exact spike train.

    Streamed one step at a time it is the exact LIF, whatever the number of iterations. On whole
    sequences at τ = 2, one step in eight a spike, K = 1, 2, 3 and 5 get 6.6, 2.1, 1.1 and 0.17 % of
    the steps wrong; at larger τ the share is smaller but need not fall with each K.

    Args:
        tau: Membrane time constant in steps, above 1.
        threshold: Firing threshold V_th, which a spike subtracts.
        iterations: K: K = 1 never resets, K = T is exact.
        decay_input: Whether the input is also divided by τ.
        detach_reset: Whether the gradient ignores the path through the reset.
        surrogate: The spike function; `ATan()` when None.

    Raises:
        ValueError: τ ≤ 1, a threshold that is not positive, or no iteration.

    References:
        Feng et al., ICML 2025, arXiv 2506.12087.
    """

    state_type = LIFState

    def __init__(
        self,
        tau: float = 2.0,
        threshold: float = 1.0,
        *,
        iterations: int = 3,
        decay_input: bool = True,
        detach_reset: bool = False,
        surrogate: Surrogate | None = None,
    ) -> None:
        super().__init__()
        tau = number("FixedPointLIF", "tau", tau)
        threshold = number("FixedPointLIF", "threshold", threshold)
        iterations = whole("FixedPointLIF", "iterations", iterations)
        check_tau("FixedPointLIF", tau)
        check_finite("FixedPointLIF", threshold=threshold)
        if not threshold > 0:
            raise EngramError(
                f"FixedPointLIF(threshold={threshold!r}): a spike subtracts the threshold, which "
                "must then be positive"
            )
        if iterations < 1:
            raise EngramError(
                f"FixedPointLIF(iterations={iterations}): the spike train takes at least 1 "
                "iteration; 3 are usual and T are exact"
            )
        self.tau = tau
        self.threshold = threshold
        self.iterations = iterations
        self.decay_input = flag("FixedPointLIF", "decay_input", decay_input)
        self.detach_reset = flag("FixedPointLIF", "detach_reset", detach_reset)
        self.surrogate = spike_function("FixedPointLIF", surrogate, ATan())

    def _run(self, x: Tensor, state: LIFState | None) -> tuple[Tensor, LIFState]:
        return fixed_point_lif(
            x,
            state,
            tau=self.tau,
            threshold=self.threshold,
            iterations=self.iterations,
            decay_input=self.decay_input,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
        )

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return (
            f"tau={self.tau}, threshold={self.threshold}, iterations={self.iterations}, "
            f"decay_input={self.decay_input}, detach_reset={self.detach_reset}, "
            f"surrogate={self.surrogate}"
        )
