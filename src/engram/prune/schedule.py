"""Schedules of the threshold: which share of the final threshold a training has reached.

Progress x runs from 0 to 1 over the steps in which the threshold moves; y is the share of a sum of
learning rates that has been used. A schedule is a shape h(x, y) with h(1, 1) = 1.

    lats     y                       a constant penalty λ, from the rates really used
    s-lats   → x + sin(πx)/π         the same in closed form for a cosine, with or without warm-up
    pgh      Σ η βˣ / Σ η            a penalty that falls geometrically: homotopy
    sine     (1 + sin π(x − ½))/2    STDS
    linear   x
    cubic    1 − (1 − x)³            in the share of zeros, as gradual magnitude pruning
    fixed    1                       no penalty: only the first step sets the threshold

References:
    Chen et al., ICLR 2023, sections 4 and 5; Chen et al., "State transition of dendritic spines
    improves learning of sparse spiking neural networks", ICML 2022; Zhu and Gupta, arXiv
    1710.01878, for the cubic.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from engram.errors import EngramError

Kind = Literal["lats", "s-lats", "pgh", "sine", "linear", "cubic", "fixed"]
Shape = Callable[[float, float], float]
"""The share of the final threshold by progress and by the share of used rates."""

SHAPES: dict[Kind, Shape] = {
    "lats": lambda _x, y: y,
    "s-lats": lambda _x, y: y,
    "pgh": lambda _x, y: y,
    "sine": lambda x, _y: 0.5 * (1 + math.sin(math.pi * (x - 0.5))),
    "linear": lambda x, _y: x,
    "cubic": lambda x, _y: 1 - (1 - x) ** 3,
    "fixed": lambda _x, _y: 1.0,
}
"""PGH weights the rates that are summed (`penalty`); S-LATS sums a cosine (`cosine_share`)."""


def shape_of(kind: Kind) -> Shape:
    """Return the shape of a schedule.

    Args:
        kind: Its name.

    Raises:
        EngramError: If there is no such schedule.
    """
    if kind not in get_args(Kind):
        raise EngramError(f"schedule={kind!r}: choose one of {', '.join(get_args(Kind))}")
    return SHAPES[kind]


def uses_rates(kind: Kind) -> bool:
    """Whether a schedule depends on the learning rates."""
    return kind in ("lats", "pgh")


def penalty(kind: Kind, x: float, base: float) -> float:
    """The penalty λ at a progress, as a factor of the first, for schedules that use the rates.

    Args:
        kind: lats or pgh.
        x: Progress.
        base: β of pgh, above 0.
    """
    return base**x if kind == "pgh" else 1.0


def sum_of_rates(rates: Sequence[float], kind: Kind, base: float) -> float:
    """Σ η λ(x)/λ(0) over the planned learning rates of the steps in which the threshold moves.

    Args:
        rates: Their learning rates, in order.
        kind: The schedule.
        base: As in `penalty`.

    Raises:
        EngramError: If there are none, or their sum is not positive.
    """
    n = len(rates)
    total = math.fsum(rate * penalty(kind, i / n, base) for i, rate in enumerate(rates))
    if not total > 0:
        raise EngramError(f"the {n} planned learning rates sum to {total}; give positive ones")
    return total


def cosine_sum(steps: int, warmup: int = 0) -> float:
    """Σ η/η_max of a cosine with linear warm-up, in closed form.

    Args:
        steps: Number of steps, warm-up included.
        warmup: Number of first steps, with rates (i + 1)/(warmup + 1).

    Raises:
        EngramError: If the warm-up is not shorter than the training.
    """
    if not 0 <= warmup < steps:
        raise EngramError(f"warm-up of {warmup} steps in {steps}: give fewer steps than there are")
    return 0.5 * warmup + 0.5 * (steps - warmup + 1)


def cosine_share(step: int, steps: int, warmup: int = 0) -> float:
    """The share of `cosine_sum` that the first steps use, in closed form.

    Σ_{i<k} ½(1 + cos(πi/n)) = k/2 + ½ sin(πk/2n)·cos(π(k − 1)/2n)/sin(π/2n).

    Args:
        step: Number of steps taken.
        steps: As in `cosine_sum`.
        warmup: As in `cosine_sum`.
    """
    total = cosine_sum(steps, warmup)
    if step <= warmup:
        return step * (step + 1) / (2 * (warmup + 1)) / total
    n, k = steps - warmup, step - warmup
    half = math.pi / (2 * n)
    waves = math.sin(k * half) * math.cos((k - 1) * half) / math.sin(half)
    return (0.5 * warmup + 0.5 * (k + waves)) / total
