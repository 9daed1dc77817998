"""Discrete power laws, bounded to a range: P(k) = k^−α / Σ_{j = xmin}^{xmax} j^−α.

The likelihood is exact; nothing is approximated by the continuous law with xmin − ½. A law without
an upper bound (xmax = ∞) is the zeta law.
"""

import math
from typing import NamedTuple

import numpy as np

from engram.critical.measure.powersum import cumulative, log_variance, partial_sum, solve
from engram.errors import EngramError

FEWEST = 50
"""A law is not fitted to fewer values than this, unless its range is given."""
CLOSE = 0.8
"""D √n of an accepted law: about one in ten samples of a power law has a larger one."""


class Histogram(NamedTuple):
    """Distinct values and how often each occurs; fits take the same time however often.

    Attributes:
        values: Distinct whole numbers, 1 or more, ascending, (value).
        counts: How often each occurs, (value).
    """

    values: np.ndarray
    counts: np.ndarray

    @property
    def n(self) -> int:
        """Number of values, with repetitions."""
        return int(self.counts.sum())

    def within(self, xmin: float, xmax: float) -> "Histogram":
        """The part with xmin ≤ value ≤ xmax."""
        kept = (self.values >= xmin) & (self.values <= xmax)
        return Histogram(self.values[kept], self.counts[kept])


class PowerLaw(NamedTuple):
    """A fitted law.

    Attributes:
        alpha: The exponent.
        xmin: The smallest value of its range.
        xmax: The largest one; infinite for the zeta law.
        n: Number of values in the range.
        error: The standard error of the exponent from Fisher's information, for a given range.
        distance: The Kolmogorov–Smirnov distance D between the law and the values in the range.
    """

    alpha: float
    xmin: int
    xmax: float
    n: int
    error: float
    distance: float

    @property
    def accepted(self) -> bool:
        """Whether D ≤ 0.8/√n, as for nine in ten samples of a power law."""
        return self.distance <= CLOSE / math.sqrt(self.n)


def histogram(values: np.ndarray) -> Histogram:
    """Count the distinct values.

    Args:
        values: Whole numbers, 1 or more, (n).

    Raises:
        EngramError: If there is none, or one is not a whole number from 1 up.
    """
    values = np.asarray(values)
    if values.ndim != 1 or not values.size:
        raise EngramError(f"values have shape {values.shape}; give at least one, (n)")
    if not np.isfinite(values).all() or values.min() < 1 or (values % 1 != 0).any():
        raise EngramError(
            f"the smallest value is {values.min()}; a discrete law needs whole numbers from 1 up"
        )
    return Histogram(*np.unique(values.astype(np.int64), return_counts=True))


def fit(data: Histogram, xmin: int, xmax: float = math.inf) -> PowerLaw:
    """Fit the exponent by maximum likelihood, for a given range.

    Args:
        data: The values.
        xmin: The smallest value of the range, 1 or more.
        xmax: The largest value of the range; infinity for the zeta law.

    Raises:
        EngramError: If the range holds fewer than two distinct values, or is no range.
    """
    if not 1 <= xmin < xmax:
        raise EngramError(f"xmin={xmin}, xmax={xmax}: give 1 ≤ xmin < xmax")
    if data.values[0] > xmax:
        raise EngramError(f"the smallest value is {data.values[0]}, above xmax={xmax}; raise xmax")
    kept = data.within(xmin, xmax)
    if len(kept.values) < 2:
        raise EngramError(
            f"{len(kept.values)} distinct value lies between xmin={xmin} and xmax={xmax}; "
            "a law needs at least 2: widen the range"
        )
    n = kept.n
    alpha = solve(float(np.log(kept.values) @ kept.counts) / n, xmin, float(xmax), 1.5)
    error = 1 / math.sqrt(n * log_variance(alpha, xmin, float(xmax)))
    return PowerLaw(alpha, int(xmin), xmax, n, error, distance(kept, alpha, xmin, xmax))


def fit_clauset(data: Histogram) -> PowerLaw:
    """Fit the zeta law from the xmin that minimises D, over all distinct values but the largest.

    Args:
        data: The values.

    Raises:
        EngramError: If there are fewer than 50 values, or fewer than three distinct ones.

    References:
        Clauset, Shalizi, Newman (2009), SIAM Review 51(4), section 3.3.
    """
    enough(data)
    laws = [fit(data, int(xmin)) for xmin in data.values[:-1]]
    return min(laws, key=lambda law: law.distance)


def distance(data: Histogram, alpha: float, xmin: int, xmax: float) -> float:
    """The Kolmogorov–Smirnov distance over all whole numbers from xmin to xmax.

    Args:
        data: The values in the range.
        alpha: The exponent.
        xmin: The smallest value of the range.
        xmax: The largest one.
    """
    observed = np.cumsum(data.counts) / data.counts.sum()
    total = partial_sum(alpha, xmin, float(xmax))[0]
    law = cumulative(alpha, xmin, data.values) / total
    # between two values the observed share is constant, and the law grows until the next one
    before = law - data.values.astype(np.float64) ** -alpha / total
    below = np.concatenate([[0.0], observed[:-1]])
    return float(max(np.abs(observed - law).max(), np.abs(below - before).max()))


def enough(data: Histogram) -> None:
    """Raise EngramError if there are too few values for the range to be found from them."""
    if data.n < FEWEST or len(data.values) < 3:
        raise EngramError(
            f"{data.n} values, {len(data.values)} of them distinct: a power law needs {FEWEST} or "
            "more, at least 3 distinct; record longer"
        )
