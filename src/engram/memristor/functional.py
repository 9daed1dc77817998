"""The rule of binary stochastic learning, in whole numbers.

    z = Wᵀx + b             a read of a crossbar: bits x choose the rows that are summed
    x′ = 1[kz + ξ > 0]      a comparator with logistic noise: P(x′ = 1) = σ(kz)
    d = x′ xor x″           with a second sample x″ of the same z: P(d = 1) = 2σ(1 − σ)
    δ = t − y, then δ = sign(Wδ)·d    errors of −1, 0 or 1; sign(0) = 0
    A ← A + xᵀδ; n = fix(A/C); A ← A − nC; W ← W + n·dw    with carry C

Weights are whole multiples of 2⁻¹⁶, so that every sum is exact and no bit depends on the order of
addition. A draw is addressed by (seed, layer, purpose, pass, step, sample, unit).

The forward bit, the derivative bit, the signed errors, steps and a periodic carry are known of the
paper; the comparator's table, the derivative by a second sample, the counter and all constants are
our reconstruction.

References:
    Li et al., "Binary stochasticity enabled highly efficient neuromorphic deep learning achieves
    better-than-software accuracy", Advanced Intelligent Systems 2023, arXiv 2304.12866.
    Agarwal et al., "Achieving ideal accuracies in analog neuromorphic computing using periodic
    carry", VLSI 2017, for weights of several devices.
"""

import math
from enum import IntEnum
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from engram.errors import EngramError
from engram.memristor.kernel.fire import BINS, fire, noise

UNIT = 2.0**-16
"""The smallest difference of two weights."""

SPREAD = 1.702
"""Standard deviation of the Gaussian noise that is nearest to logistic noise of scale 1."""
Noise = Literal["logistic", "gaussian"]
Derivative = Literal["shared", "fresh", "none"]


class Purpose(IntEnum):
    """What a draw is for; each purpose has draws of its own."""

    INPUT = 0
    FORWARD = 1
    DERIVATIVE = 2
    PULSE = 3
    BACK = 4
    FRESH = 5


class Address(NamedTuple):
    """Where the draws of a layer in a pass are found.

    Attributes:
        seed: Seed, 0 to 2⁶⁴ − 1.
        layer: Number of the layer, below 4096.
        step: Number of the learning step, below 2³².
        vote: Number of the pass, below 2¹⁶.
    """

    seed: int
    layer: int
    step: int = 0
    vote: int = 0

    def stream(self, purpose: Purpose) -> int:
        """The stream of the generator.

        Args:
            purpose: What the draws are for.

        Raises:
            EngramError: If a number is out of range.
        """
        limits = {"seed": 64, "layer": 12, "step": 32, "vote": 16}
        for name, bits in limits.items():
            if not 0 <= getattr(self, name) < 1 << bits:
                raise EngramError(
                    f"{name}={getattr(self, name)}: give a whole number from 0 to 2^{bits} - 1"
                )
        return self.step | (self.layer << 20 | int(purpose) << 16 | self.vote) << 32


@lru_cache
def comparator(gain: float, kind: Noise = "logistic") -> np.ndarray:
    """The thresholds of a comparator, by quantile.

    Entry i is logit(i/4096)/k, or 1.702·Φ⁻¹(i/4096)/k of Gaussian noise, in units of a weight; the
    outermost two stand for one draw in 2³³.

    Args:
        gain: k, above 0.
        kind: Noise of the comparator.

    Returns:
        int64, (4097,).

    Raises:
        EngramError: If the gain is not positive and finite.
    """
    if not (gain > 0 and math.isfinite(gain)):
        raise EngramError(f"gain={gain}: give a positive number, such as 8")
    bins = 1 << BINS
    quantiles = [2.0**-33, *(i / bins for i in range(1, bins)), 1 - 2.0**-33]
    if kind == "logistic":
        noises = [math.log(q) - math.log1p(-q) for q in quantiles]
    else:
        noises = [SPREAD * float(x) for x in ndtri(quantiles)]
    table = np.array([round(one / gain / UNIT) for one in noises], np.int64)
    table.flags.writeable = False
    return table


def probability_table() -> np.ndarray:
    """Thresholds that are uniform between 0 and 1, for inputs that are probabilities."""
    bins = 1 << BINS
    return np.array([round(i / bins / UNIT) for i in range(bins + 1)], np.int64)


def sample(
    z: Tensor,
    table: np.ndarray,
    address: Address,
    purpose: Purpose,
    samples: Tensor,
    factors: np.ndarray | None = None,
) -> Tensor:
    """Bits that say whether each sum is above its own random threshold.

    Args:
        z: Whole numbers, `(sample, unit)`, float64 on the CPU.
        table: From `comparator` or `probability_table`.
        address: Where the draws are found.
        purpose: What they are for.
        samples: The number of each sample, `(sample,)`, int64.
        factors: Factor of the thresholds of each sample, (sample,), float64; None for 1.

    Returns:
        0 and 1, `(sample, unit)`, float32.

    Raises:
        EngramError: If the shapes or types do not belong together.
    """
    if z.ndim != 2 or z.dtype != torch.float64 or not z.is_cpu or samples.shape != z.shape[:1]:
        raise EngramError(
            f"z is {tuple(z.shape)} of {z.dtype} on {z.device} with samples "
            f"{tuple(samples.shape)}; give (sample, unit) of torch.float64 on the CPU and (sample,)"
        )
    bits = torch.empty(z.shape)
    sums = np.ascontiguousarray(z.detach().numpy())
    numbers = samples.numpy()
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < 1 << 32:
        raise EngramError(f"samples go from {numbers.min()} to {numbers.max()}; give 0 to 2^32 - 1")
    stream = np.uint64(address.stream(purpose))
    factors = np.ones(len(sums)) if factors is None else factors
    fire(sums, table, factors, np.uint64(address.seed), stream, numbers, bits.numpy())
    return bits


def read_noise(
    deviations: np.ndarray, units: int, address: Address, samples: np.ndarray
) -> np.ndarray:
    """Gaussian noise of reads backward, in whole units of a weight.

    Args:
        deviations: Standard deviation for each sample, in units, (sample,), float64.
        units: Number of sums of a sample.
        address: Where the draws are found.
        samples: The number of each sample, (sample,), int64.

    Returns:
        float64, (sample, unit).
    """
    drawn = np.empty((len(deviations), units))
    # a gain of 1.702 gives a deviation of one weight, which is 2¹⁶ units
    table, stream = comparator(SPREAD, "gaussian"), np.uint64(address.stream(Purpose.BACK))
    noise(table, deviations * UNIT, np.uint64(address.seed), stream, samples, drawn)
    return drawn


def check_probabilities(x: Tensor) -> None:
    """Refuse inputs that are not probabilities.

    Args:
        x: The inputs.

    Raises:
        EngramError: If one is below 0 or above 1.
    """
    if x.numel() and not (x.min() >= 0 and x.max() <= 1):
        raise EngramError(
            f"inputs go from {x.min():.4g} to {x.max():.4g}; give probabilities, 0 to 1"
        )


def whole(weight: Tensor) -> Tensor:
    """Weights in units, as whole numbers in float64, in which sums of up to 2³⁶ of them are exact.

    Args:
        weight: Weights, multiples of `UNIT`.
    """
    return weight.detach().double() / UNIT


def on_grid(weight: Tensor, limit: float = 1.0) -> Tensor:
    """The nearest weights that are multiples of `UNIT` within a range.

    Args:
        weight: Any weights.
        limit: The largest magnitude.
    """
    return (weight.double() / UNIT).round().mul(UNIT).clamp(-limit, limit).to(weight.dtype)


def carry(counters: Tensor, every: int) -> tuple[Tensor, Tensor]:
    """Take whole carries out of counters: n = fix(A/C) and A − nC.

    Args:
        counters: A, whole numbers.
        every: C, at least 1.

    Returns:
        The pulses n and the counters that are left, whose sign is that of A.

    Raises:
        EngramError: If C is below 1.
    """
    if every < 1:
        raise EngramError(f"carry={every}: give a whole number of at least 1")
    pulses = torch.div(counters, every, rounding_mode="trunc")
    return pulses, counters - pulses * every


def carry_digits(digits: Tensor, base: int, limit: int) -> Tensor:
    """Carry between the devices of a weight, where a device has come to its limit.

    A weight is Σ_j bʲ·g_j. Where |g_j| ≥ limit, fix(g_j/b)·b moves from g_j to g_{j+1}, from the
    least significant device on; the most significant one keeps what it has. The weight is the same
    before and after.

    Args:
        digits: g, whole numbers, `(device, …)`, the least significant first.
        base: b, at least 2.
        limit: Where a device carries, at least b.

    Raises:
        EngramError: If the base or the limit is too small.
    """
    if base < 2 or limit < base:
        raise EngramError(f"base={base}, limit={limit}: give a base of at least 2 up to the limit")
    digits = digits.clone()
    for j in range(len(digits) - 1):
        moved = torch.div(digits[j], base, rounding_mode="trunc")
        moved = torch.where(digits[j].abs() >= limit, moved, torch.zeros_like(moved))
        digits[j] -= moved * base
        digits[j + 1] += moved
    return digits


def value_of_digits(digits: Tensor, base: int) -> Tensor:
    """The weights Σ_j bʲ·g_j of several devices.

    Args:
        digits: As in `carry_digits`.
        base: b.
    """
    powers = torch.tensor([base**j for j in range(len(digits))], dtype=digits.dtype)
    return (digits * powers.view(-1, *[1] * (digits.ndim - 1))).sum(0)
