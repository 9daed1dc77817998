"""The range of a power law: xmin and xmax scanned together, with intervals by bootstrap.

Values are counted in blocks: one block per value up to 128, then 32 blocks per octave. A block has
its count and its mean logarithm, so that the time of a fit does not depend on the number of values.
"""

# compiled by Numba in part; to a type checker its arrays are Python's
# pyright: reportReturnType=false, reportArgumentType=false

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from engram.critical.measure.powerlaw import CLOSE, FEWEST, Histogram, PowerLaw, enough, fit
from engram.critical.measure.powersum import FEW, antiderivative, solve
from engram.errors import EngramError
from engram.stats import Interval

PER_OCTAVE = 32
"""Blocks per octave beyond FEW."""
BOUNDS_PER_OCTAVE = 4
"""Candidates of xmin and xmax per octave."""
NARROWEST = 4
"""Least ratio of xmax to xmin."""


class Fit(NamedTuple):
    """A power law with the range that was found, and what a bootstrap says of it.

    Attributes:
        law: The law.
        alpha: Its exponent, with an interval that includes the choice of the range.
        p: The share of generated samples whose distance D is as large; small if the law fits badly.
    """

    law: PowerLaw
    alpha: Interval
    p: float


class Blocks(NamedTuple):
    """Counts of values in blocks.

    Attributes:
        first: The smallest whole number of each block, and the end of the last, (block + 1).
        counts: Number of values, (block).
        logs: Mean logarithm of the values of a block, (block).
    """

    first: np.ndarray
    counts: np.ndarray
    logs: np.ndarray


def scan(data: Histogram) -> PowerLaw:
    """Fit the law in the widest range that holds one: the largest xmax/xmin with D ≤ 0.8/√n.

    If no range of 50 values and a factor of 4 has D ≤ 0.8/√n, the range with the smallest D √n is
    taken, and the law is not `accepted`.

    Args:
        data: The values.

    Raises:
        EngramError: If there are too few values, or they span less than a factor of 4.
    """
    blocks = blocked(data)
    lows, highs = _bounds(blocks)
    low, high, _, _ = _search(blocks.first, blocks.counts, blocks.logs, lows, highs)
    law = fit(data, int(blocks.first[low]), int(blocks.first[high]) - 1)
    # of the candidates' blocks, the largest observed value is the bound
    largest = int(data.within(law.xmin, law.xmax).values[-1])
    return law if largest == law.xmax else fit(data, law.xmin, largest)


def bootstrap(
    data: Histogram,
    law: PowerLaw,
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
) -> Fit:
    """The interval of the exponent, and the goodness of fit, from generated samples.

    A sample takes values in the range from the law, and values outside it from the data, in their
    shares; the range is scanned again in each.

    Args:
        data: The values.
        law: What `scan` found.
        rng: Draws the samples.
        draws: Number of samples.
        level: Confidence level, in (0, 1).

    References:
        Clauset, Shalizi, Newman (2009), SIAM Review 51(4), section 4.1; the upper bound is ours.
    """
    blocks = blocked(data, law.xmin, int(law.xmax) + 1)
    inside = (blocks.first[:-1] >= law.xmin) & (blocks.first[:-1] <= law.xmax)
    chance, log = blocks.counts / data.n, blocks.logs.copy()
    mass, model_log = _masses(blocks.first, law.alpha)
    chance[inside] = chance[inside].sum() * mass[inside] / mass[inside].sum()
    log[inside] = model_log[inside]
    lows, highs = _bounds(blocks)
    alphas, distances = np.empty(draws), np.empty(draws)
    for i in range(draws):
        count = rng.multinomial(data.n, chance).astype(np.float64)
        low, high, alphas[i], distances[i] = _search(blocks.first, count, log, lows, highs)
    error = alphas - law.alpha
    low, high = np.quantile(error, [(1 - level) / 2, (1 + level) / 2])
    interval = Interval(
        law.alpha,
        min(law.alpha - float(high), law.alpha),
        max(law.alpha - float(low), law.alpha),
        level,
    )
    return Fit(law, interval, float((distances >= law.distance).mean()))


def blocked(data: Histogram, *cuts: int) -> Blocks:
    """Count values in blocks.

    Args:
        data: The values.
        cuts: Whole numbers at which a block begins, beside the usual ones.
    """
    enough(data)
    end = int(data.values[-1]) + 1
    first = np.arange(1, min(FEW + 1, end) + 1)
    if end > FEW + 1:
        octaves = math.log2(end / (FEW + 1))
        more = np.geomspace(FEW + 1, end, max(2, round(PER_OCTAVE * octaves)) + 1)
        first = np.union1d(first, more.round().astype(np.int64))
    first = np.union1d(first, [cut for cut in cuts if 1 <= cut <= end]).astype(np.int64)
    place = np.searchsorted(first, data.values, side="right") - 1
    count = np.bincount(place, data.counts, len(first) - 1)
    total = np.bincount(place, data.counts * np.log(data.values), len(first) - 1)
    middle = np.log(first[:-1] * (first[1:] - 1)) / 2
    return Blocks(first, count, np.divide(total, count, out=middle, where=count > 0))


def _bounds(blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
    """Candidate ranges (first block, block after the last), from the widest to the narrowest."""
    first = blocks.first
    marks = 2 ** np.arange(0, math.log2(first[-1]) + 1, 1 / BOUNDS_PER_OCTAVE)
    at = np.unique(np.searchsorted(first, np.concatenate([marks, first[:9]])))
    at = at[at < len(first)]
    low, high = np.meshgrid(at, np.union1d(at, [len(first) - 1]), indexing="ij")
    ratio = (first[high] - 1) / first[low]
    wide = ratio >= NARROWEST
    if not wide.any():
        raise EngramError(
            f"the values reach from 1 to {first[-1] - 1}; a power law needs a range of at least "
            f"a factor of {NARROWEST}"
        )
    order = np.argsort(-ratio[wide], kind="stable")
    return low[wide][order], high[wide][order]


@njit(cache=True)
def _search(
    first: np.ndarray, count: np.ndarray, log: np.ndarray, lows: np.ndarray, highs: np.ndarray
) -> tuple[int, int, float, float]:
    """The first candidate with D ≤ 0.8/√n, or that of the least D √n, with its α and D."""
    best, found = np.inf, (lows[0], highs[0], 1.5, 1.0)
    alpha = 1.5
    for low, high in zip(lows, highs):  # noqa: B905 Numba has no strict
        n, total, distinct = 0.0, 0.0, 0
        for i in range(low, high):
            n += count[i]
            total += count[i] * log[i]
            distinct += count[i] > 0
        if n < FEWEST or distinct < 3:
            continue
        alpha = solve(total / n, first[low], float(first[high] - 1), alpha)
        far = _distance(first, count, low, high, alpha, n)
        if far * math.sqrt(n) < best:
            best, found = far * math.sqrt(n), (low, high, alpha, far)
        if best <= CLOSE:
            break
    return found


@njit(cache=True)
def _distance(
    first: np.ndarray, count: np.ndarray, low: int, high: int, alpha: float, n: float
) -> float:
    """The largest distance of the cumulative shares at the ends of the blocks."""
    mass = _mass(first, low, high, alpha)
    total, seen, law, far = mass.sum(), 0.0, 0.0, 0.0
    for i in range(high - low):
        seen += count[low + i]
        law += mass[i]
        far = max(far, abs(seen / n - law / total))
    return far


@njit(cache=True)
def _mass(first: np.ndarray, low: int, high: int, alpha: float) -> np.ndarray:
    """Σ k^−α over each block from `low` to `high`."""
    mass = np.empty(high - low)
    below = 0.0
    for i in range(low, high):
        start = first[i]
        if start <= FEW:
            mass[i - low] = math.exp(-alpha * math.log(start))
            continue
        if i == low or first[i - 1] <= FEW:
            below = antiderivative(alpha, start - 0.5)[0]
        above = antiderivative(alpha, first[i + 1] - 0.5)[0]
        mass[i - low] = above - below
        below = above
    return mass


@njit(cache=True)
def _masses(first: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Σ k^−α over all blocks, and the mean of ln k within each."""
    mass = _mass(first, 0, len(first) - 1, alpha)
    log = np.empty(len(mass))
    for i in range(len(mass)):
        if first[i] <= FEW:
            log[i] = math.log(first[i])
        else:
            above = antiderivative(alpha, first[i + 1] - 0.5)[1]
            log[i] = (above - antiderivative(alpha, first[i] - 0.5)[1]) / mass[i]
    return mass, log
