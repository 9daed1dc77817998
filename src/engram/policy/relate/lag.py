"""Correlations of two series: in levels, in differences, and at lags after pre-whitening."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

from engram.policy.relate.correlation import (
    REPLICATES,
    bootstrap_intervals,
    correlation,
    hac_interval,
    rank_correlation,
)
from engram.policy.relate.yearly import Floats, Yearly, overlap
from engram.stats import Interval

MOST_LAGS = 50
"""Largest number of years that a lag can be set to."""

LAGS = 5
"""Largest lag in years, before and after."""


class Correlation(NamedTuple):
    """The correlation of two series in levels and in first differences.

    Args:
        term: Name of the term.
        indicator: Name of the indicator.
        first: First year in which both have values.
        last: Last year.
        years: Years in which both were observed.
        levels: Pearson's r of the levels.
        levels_rank: Spearman's of the levels.
        naive_p: p-value of r in levels that takes years as independent, which is misleading.
        differences: Pearson's r of the differences, with its HAC interval.
        differences_rank: Spearman's of the differences.
        bootstrap: The interval of the same r by the stationary bootstrap.
    """

    term: str
    indicator: str
    first: int
    last: int
    years: int
    levels: float
    levels_rank: float
    naive_p: float
    differences: Interval
    differences_rank: float
    bootstrap: Interval


class AtLag(NamedTuple):
    """The correlation of innovations at one lag.

    Args:
        lag: Years by which the indicator follows the term; negative if it precedes it.
        years: Number of years used.
        pearson: Pearson's r, with its HAC interval.
        spearman: Spearman's correlation.
        bootstrap: The interval of r by the stationary bootstrap.
    """

    lag: int
    years: int
    pearson: Interval
    spearman: float
    bootstrap: Interval


def level_correlation(
    term: Yearly, indicator: Yearly, rng: np.random.Generator, replicates: int = REPLICATES
) -> Correlation:
    """Correlate two series in levels and in first differences.

    Only years in which both were observed are used; differences are taken between consecutive such
    years.

    Args:
        term: Rates of a term.
        indicator: An indicator.
        rng: Random generator of the bootstrap.
        replicates: Number of bootstrap resamples.

    Raises:
        ValueError: If they share too few years.
    """
    a, b = overlap(term, indicator)
    both = a.observed & b.observed
    x, y = a.values[both], b.values[both]
    dx, dy = np.diff(x), np.diff(y)
    return Correlation(
        term.name,
        indicator.name,
        a.first,
        a.last,
        int(both.sum()),
        float(correlation(x, y)),
        float(rank_correlation(x, y)),
        naive_p(x, y),
        hac_interval(dx, dy),
        float(rank_correlation(dx, dy)),
        bootstrap_intervals(dx, dy[None], rng, replicates)[0],
    )


def naive_p(x: Floats, y: Floats) -> float:
    """p-value of Pearson's r by Student's t, which takes years as independent.

    Args:
        x: Values, (n).
        y: Values, (n).
    """
    free, r = len(x) - 2, min(abs(float(correlation(x, y))), 1 - 1e-15)
    return 2 * float(stdtr(free, -r * math.sqrt(free / (1 - r * r))))


def moved(values: Floats, lags: Sequence[int]) -> Floats:
    """Shift each value to the year of the term that it is compared with: v_(t + lag).

    Args:
        values: Values by year, (n).
        lags: Lags in years.

    Returns:
        The shifted values, (lags, n); NaN outside the observed range.
    """
    n = len(values)
    result = np.full((len(lags), n), np.nan)
    for row, lag in zip(result, lags, strict=True):
        start, stop = max(0, -lag), min(n, n - lag)
        row[start:stop] = values[start + lag : stop + lag]
    return result


def lag_profile(
    u: Floats,
    v: Floats,
    lags: Sequence[int],
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> list[AtLag]:
    """Correlate innovations at every lag, each with two intervals.

    Args:
        u: Innovations of a term by year, (n); NaN where there is none.
        v: Innovations of an indicator in the same years, (n).
        lags: Lags in years.
        rng: Random generator of the bootstrap.
        replicates: Number of bootstrap resamples.
    """
    profile = []
    for lag, row in zip(lags, moved(v, lags), strict=True):
        known = np.isfinite(u) & np.isfinite(row)
        x, y = u[known], row[known]
        profile.append(
            AtLag(
                lag,
                len(x),
                hac_interval(x, y),
                float(rank_correlation(x, y)),
                bootstrap_intervals(x, y[None], rng, replicates)[0],
            )
        )
    return profile
