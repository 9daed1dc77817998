"""Intervals of rates of words, whose counts are overdispersed relative to Poisson.

Words occur in bursts, so that counts vary more between documents than independent occurrences
would. There are three remedies: a dispersion φ in the variance, φ N λ instead of N λ; resampling
of documents; and documents as clusters in a ratio.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy  # its submodules load on first use
from numpy.typing import NDArray

from engram.policy.tally import DocumentCounts, Tally
from engram.stats import Interval

Floats = NDArray[np.float64]

ENOUGH = 10.0
"""Minimum degrees of freedom for a dispersion within periods."""
SHARED = 10.0
"""Weight of the common dispersion in that of each period, in degrees of freedom."""
CHUNK = 1 << 22
"""Maximum number of resampled documents held in memory at once."""


class Dispersion(NamedTuple):
    """Overdispersion of counts relative to independent occurrences.

    Args:
        phi: Variance over mean, of each group, (g); never below 1.
        degrees: Degrees of freedom of each, (g).
        common: Variance over mean of all groups together.
        within: Whether it was estimated within groups; otherwise it was estimated between
            neighbouring ones, where changes from one group to the next also count as dispersion.
    """

    phi: Floats
    degrees: Floats
    common: float
    within: bool


def dispersion(tally: Tally, along: bool) -> Dispersion | None:
    """Estimate φ from Pearson's statistic of equal rates, Σ (k − n K/N)² / (n K/N).

    Documents of a group are compared with each other; where groups are single documents, each
    group with the next: φ is the mean of (K₁N₂ − K₂N₁)² / (N₁N₂(K₁ + K₂)). A group's own φ is
    shrunk towards the common one as if ten more of its documents had that value.

    Args:
        tally: Counts by group.
        along: Whether groups are consecutive in time, so that neighbours are similar.

    Returns:
        The dispersion; None if there is too little to compare.

    References:
        McCullagh and Nelder, Generalized Linear Models (1989), 6.2.3; for neighbours, von Neumann
        et al., The mean square successive difference, Ann. Math. Stat. 12 (1941).
    """
    k, n = tally.occurrences.astype(np.float64), tally.all_tokens.astype(np.float64)
    seen = k > 0
    own = np.where(seen, tally.all_documents - 1.0, 0.0)
    statistic = np.zeros(len(k))
    statistic[seen] = n[seen] / k[seen] * tally.dispersion[seen] - k[seen]
    common, degrees, within = float(statistic.sum()), float(own.sum()), True
    if degrees < ENOUGH and along:
        between, pairs = _between(k[n > 0], n[n > 0])
        if pairs > degrees:
            common, degrees, within = between, pairs, False
            own, statistic = np.zeros_like(own), np.zeros_like(statistic)
    if degrees < 1:
        return None
    phi = common / degrees
    borrowed = min(SHARED, degrees)
    each = (statistic + borrowed * phi) / (own + borrowed)
    return Dispersion(np.maximum(each, 1.0), own + borrowed, max(phi, 1.0), within)


def _between(k: Floats, n: Floats) -> tuple[float, float]:
    """Sum of squares between neighbours, and its degrees of freedom."""
    total = k[:-1] + k[1:]
    seen = total > 0
    excess = (k[:-1] * n[1:] - k[1:] * n[:-1])[seen] ** 2
    squares = excess / (n[:-1] * n[1:] * total)[seen]
    if not len(squares):
        return 0.0, 0.0
    degrees = 2 * len(squares) ** 2 / (3 * len(squares) - 1)  # each group is in two pairs
    return float(squares.mean()) * degrees, degrees


def quasi_poisson(
    occurrences: Floats, spread: Dispersion, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Score interval of the expected count μ: the μ with (K − μ)² ≤ t² φ μ.

    Its ends are K + q/2 ∓ √(q (K + q/4)) with q = t² φ; from 0 to q if nothing occurred.

    Args:
        occurrences: Counts K, (g).
        spread: Their dispersion.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper ends, (g) each.
    """
    q = scipy.special.stdtrit(spread.degrees, (1 + level) / 2) ** 2 * spread.phi
    half = np.sqrt(q * (occurrences + q / 4))
    centre = occurrences + q / 2
    return np.where(occurrences > 0, centre - half, 0.0), centre + half


def resampled(
    counts: DocumentCounts,
    above: Floats,
    below: Floats,
    rng: np.random.Generator,
    replicates: int = 1000,
    level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Percentile bootstrap interval of Σ above / Σ below in each group, resampling documents.

    As is usual for this method, intervals of groups with few documents are too narrow.

    Args:
        counts: Counts per document, with the group of each.
        above: The numerator of each document, (n).
        below: Its denominator, (n).
        rng: Random generator for the resamples.
        replicates: Number of resamples.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper ends, (g) each; NaN for a group of fewer than two documents, and for one
        whose documents are all alike: resampling cannot show how much others might differ.

    References:
        Davison and Hinkley, Bootstrap Methods and their Application (1997), 2.4 and 3.8.
    """
    low, high = np.full((2, len(counts.groups)), np.nan)
    order = np.lexsort((above, below, counts.group))  # the order of the engine must not matter
    ends = np.cumsum(np.bincount(counts.group, minlength=len(counts.groups)))[:-1]
    for g, members in enumerate(np.split(order, ends)):
        a, b = above[members], below[members]
        one, other = a * b.sum(), b * a.sum()
        if len(a) < 2 or not b.sum() or np.allclose(one, other, rtol=1e-9, atol=0):
            continue
        ratios = _ratios(a, b, rng, replicates)
        low[g], high[g] = np.nanquantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return low, high


def _ratios(a: Floats, b: Floats, rng: np.random.Generator, replicates: int) -> Floats:
    ratios = np.empty(replicates)
    step = max(1, CHUNK // len(a))
    for start in range(0, replicates, step):
        part = ratios[start : start + step]
        drawn = rng.integers(len(a), size=(len(part), len(a)))
        total = b[drawn].sum(axis=1)
        part[:] = np.divide(
            a[drawn].sum(axis=1), total, out=np.full(len(part), np.nan), where=total > 0
        )
    return ratios


def rate_ratio(
    one: DocumentCounts, other: DocumentCounts, paired: bool, level: float = 0.95
) -> Interval | None:
    """Ratio of two rates per term, λ₁/λ₂, with documents as clusters.

    The variance of its logarithm is D/(D − 1) Σ (u₁ − u₂)² over documents if both queries count
    the same ones, and the sum of both D/(D − 1) Σ u² otherwise, with u = k/K − n/N.

    Args:
        one: Counts of the first query.
        other: Counts of the second one.
        paired: Whether they count the same documents, in the same order.
        level: Confidence level, in (0, 1).

    Returns:
        The ratio and its interval; None if a query does not occur.

    References:
        Binder, On the variances of asymptotically normal estimators from complex surveys,
        International Statistical Review 51 (1983).
    """
    totals = [int(counts.occurrences.sum()) for counts in (one, other)]
    if not all(totals):
        return None
    u, v = (counts.occurrences / counts.occurrences.sum() for counts in (one, other))
    n, m = (counts.tokens / counts.tokens.sum() for counts in (one, other))
    scale, other_scale = len(n) / max(len(n) - 1, 1), len(m) / max(len(m) - 1, 1)
    if paired:
        variance = scale * float(((u - v) ** 2).sum())
        clusters = int(((one.occurrences > 0) | (other.occurrences > 0)).sum())
    else:
        variance = scale * float(((u - n) ** 2).sum())
        variance += other_scale * float(((v - m) ** 2).sum())
        clusters = min(int((counts.occurrences > 0).sum()) for counts in (one, other))
    ratio = totals[0] / one.tokens.sum() / (totals[1] / other.tokens.sum())
    if clusters < 2:
        return None
    quantile = float(scipy.special.stdtrit(clusters - 1, (1 + level) / 2))
    reach = math.exp(quantile * math.sqrt(variance))
    return Interval(float(ratio), float(ratio / reach), float(ratio * reach), level)
