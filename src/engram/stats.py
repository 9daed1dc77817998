"""Statistics shared by studies: intervals of means, proportions and crossed designs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy  # its submodules load on first use

from engram.errors import EngramError

CHUNK = 1 << 22
"""Maximum number of resampling weights held in memory at once."""


class Interval(NamedTuple):
    """A confidence interval.

    Args:
        estimate: The point estimate.
        low: Lower end.
        high: Upper end.
        level: Confidence level, in (0, 1).
    """

    estimate: float
    low: float
    high: float
    level: float


def t_interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> Interval:
    """Student's interval of a mean: x̄ ± t(n−1) s / √n.

    Args:
        values: Independent observations, (n), n of 2 or more.
        level: Confidence level, in (0, 1).

    Returns:
        The mean and its interval.

    Raises:
        ValueError: If there are fewer than two finite values or the level is out of range.

    References:
        Student (1908), The probable error of a mean, Biometrika 6(1).
    """
    sample = _observed(values, level, ndim=1)
    if sample.size < 2:
        raise EngramError(f"{sample.size} value has no spread; give at least 2")
    mean = float(sample.mean())
    error = float(sample.std(ddof=1)) / math.sqrt(sample.size)
    half = float(scipy.special.stdtrit(sample.size - 1, (1 + level) / 2)) * error
    return Interval(mean, mean - half, mean + half, level)


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion: the p with |p̂ − p| = z √(p (1 − p) / n).

    Args:
        successes: Number of successes.
        trials: Number of independent trials, 1 or more.
        level: Confidence level, in (0, 1).

    Returns:
        The proportion and its interval, which stays within [0, 1].

    Raises:
        ValueError: If not 0 <= successes <= trials, trials is 0, or the level is out of range.

    References:
        Wilson (1927), Probable inference, the law of succession, and statistical inference,
        JASA 22.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise EngramError(
            f"{successes} successes in {trials} trials; give 0 <= successes <= trials, trials > 0"
        )
    _check_level(level)
    z2 = float(scipy.special.ndtri((1 + level) / 2)) ** 2
    share = successes / trials
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * trials)) / trials) / (1 + z2 / trials)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return Interval(share, low, high, level)


def crossed_bootstrap(
    values: np.ndarray,
    rng: np.random.Generator,
    replicates: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a grand mean over runs and items, which both are random samples.

    Each replicate is wᵀ X v / (R I): w and v are the numbers of times that a resample with
    replacement drew each of the R runs and each of the I items. With one run the interval covers
    the variation over items only.

    Args:
        values: One outcome per run and item, such as whether a seed classified a test item
            correctly, (runs, items).
        rng: Random generator for the resamples.
        replicates: Number of resamples.
        level: Confidence level, in (0, 1).

    Returns:
        The grand mean and its interval.

    Raises:
        ValueError: If the values are not a finite (runs, items) matrix, or a number is out of
            range.

    References:
        Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2).
    """
    matrix = _observed(values, level, ndim=2)
    if replicates < 1:
        raise EngramError(f"replicates is {replicates}; give at least 1")
    runs, items = matrix.shape
    means = np.empty(replicates)
    step = max(1, CHUNK // (runs + items))
    for start in range(0, replicates, step):
        part = means[start : start + step]
        of_runs = rng.multinomial(runs, np.full(runs, 1 / runs), part.size)
        of_items = rng.multinomial(items, np.full(items, 1 / items), part.size)
        part[:] = np.einsum("bi,bi->b", of_runs @ matrix, of_items) / matrix.size
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(matrix.mean()), float(low), float(high), level)


def cluster_means(
    totals: np.ndarray, counts: np.ndarray, rng: np.random.Generator, replicates: int = 2000
) -> np.ndarray:
    """Means in resamples of whole clusters: Σ w_c T_c / Σ w_c N_c, per column.

    Each replicate draws as many clusters as there are, with replacement; w_c is the number of
    times that it drew cluster c. All columns share the draws, so that the difference of two
    columns is paired.

    Args:
        totals: Sum of the observations of each cluster, (clusters, columns).
        counts: Number of observations behind each sum, positive, (clusters, columns).
        rng: Random generator for the resamples.
        replicates: Number of resamples.

    Returns:
        The mean of each column in each resample, (replicates, columns).

    Raises:
        ValueError: If the arrays are not finite matrices of equal shape, a count is not positive,
            or there are no replicates.

    References:
        Davison, Hinkley (1997), Bootstrap Methods and their Application, section 3.8.
    """
    sums, sizes = np.asarray(totals, np.float64), np.asarray(counts, np.float64)
    if sums.shape != sizes.shape or sums.ndim != 2 or sums.size == 0:
        raise EngramError(f"totals of shape {sums.shape}, counts of {sizes.shape}; give 2 matrices")
    if not np.isfinite(sums).all() or not np.isfinite(sizes).all() or (sizes <= 0).any():
        raise EngramError("totals must be finite and counts positive; leave empty clusters out")
    if replicates < 1:
        raise EngramError(f"replicates is {replicates}; give at least 1")
    clusters = len(sums)
    means = np.empty((replicates, sums.shape[1]))
    step = max(1, CHUNK // clusters)
    for start in range(0, replicates, step):
        part = means[start : start + step]
        drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), len(part)).astype(float)
        part[:] = (drawn @ sums) / (drawn @ sizes)
    return means


def percentile_interval(estimate: float, draws: np.ndarray, level: float = 0.95) -> Interval:
    """The percentile interval of bootstrap replicates.

    Args:
        estimate: The estimate on the whole sample.
        draws: The replicates, (n).
        level: Confidence level, in (0, 1).

    Returns:
        The estimate and its interval.

    Raises:
        ValueError: If there is no finite replicate or the level is out of range.
    """
    sample = _observed(draws, level, ndim=1)
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high), level)


class Crossed(NamedTuple):
    """Scores of units, each measured on the same items, and in bootstrap samples of the items.

    Attributes:
        whole: The score of each unit, such as a subject or a neuron, (units).
        draws: Their scores in each sample of the items, (draws, units).
        items: Number of items, such as stimuli.
    """

    whole: np.ndarray
    draws: np.ndarray
    items: int


def crossed_interval(scores: Crossed, level: float = 0.95) -> Interval:
    """The interval of the mean score, where both units and items are random samples.

    The variance is 2 (V_items + V_units) − V_both, because a bootstrap of both factors counts
    the noise of each observation three times and a bootstrap of one counts it once. It is kept
    between the larger of the first two and V_both. The variance over units is that of the mean,
    s²/n, in closed form. With one unit the interval covers the items only. The quantile is
    Student's, with the degrees of freedom of Welch and Satterthwaite.

    Args:
        scores: The scores.
        level: Confidence level, in (0, 1).

    Returns:
        The mean over units and its interval.

    Raises:
        ValueError: If the shapes differ, a score is not finite, or the level is out of range.

    References:
        Schütt et al. (2023), Statistical inference on representational geometries, eLife 12.
    """
    estimate, error, free = _crossed_error(scores, level)
    half = float(scipy.special.stdtrit(free, (1 + level) / 2)) * error
    return Interval(estimate, estimate - half, estimate + half, level)


class PairedTest(NamedTuple):
    """A paired comparison.

    Attributes:
        difference: The mean difference and its interval.
        p: Two-sided p-value.
    """

    difference: Interval
    p: float


def crossed_test(first: Crossed, second: Crossed, level: float = 0.95) -> PairedTest:
    """Test the difference of two mean scores on the same units and items.

    Args:
        first: Scores of the one.
        second: Scores of the other, in the same samples of the items.
        level: Confidence level of the interval, in (0, 1).

    Raises:
        ValueError: As `crossed_interval`, or the two are not of the same units and samples.
    """
    if first.whole.shape != second.whole.shape or first.draws.shape != second.draws.shape:
        raise EngramError(
            f"scores of {first.draws.shape} and {second.draws.shape} (draws, units): give two of "
            "the same units, from one call"
        )
    both = Crossed(first.whole - second.whole, first.draws - second.draws, first.items)
    estimate, error, free = _crossed_error(both, level)
    if error == 0:
        return PairedTest(crossed_interval(both, level), float(estimate == 0))
    p = 2 * float(scipy.special.stdtr(free, -abs(estimate) / error))
    return PairedTest(crossed_interval(both, level), p)


def _crossed_error(scores: Crossed, level: float) -> tuple[float, float, float]:
    """The mean, its standard error and its degrees of freedom."""
    whole = _observed(scores.whole, level, ndim=1)
    draws = _observed(scores.draws, level, ndim=2)
    if draws.shape[1] != whole.size or len(draws) < 20 or scores.items < 2:
        raise EngramError(
            f"{len(draws)} draws of {draws.shape[1]} units and {scores.items} items, for "
            f"{whole.size} units: give the same units, 20 or more draws and 2 or more items"
        )
    units = whole.size
    items = float(draws.mean(1).var(ddof=1)) * scores.items / (scores.items - 1)
    if units == 1:
        return float(whole[0]), math.sqrt(items), scores.items - 1
    of_units = float(whole.var(ddof=1)) / units
    both = items + float(draws.var(1, ddof=1).mean()) / units
    variance = min(max(2 * (items + of_units) - both, items, of_units), max(both, of_units))
    if variance == 0:
        return float(whole.mean()), 0.0, 1.0
    free = (items + of_units) ** 2 / (
        items**2 / (scores.items - 1) + of_units**2 / (units - 1)
    )  # fmt: skip
    return float(whole.mean()), math.sqrt(variance), free


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the false discovery rate by Benjamini and Hochberg.

    Args:
        p_values: p-values of any shape; NaN stays NaN and is ignored.

    References:
        Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57(1).
    """
    known = np.isfinite(p_values)
    adjusted = np.full(p_values.shape, np.nan)
    if known.any():
        adjusted[known] = scipy.stats.false_discovery_control(p_values[known])
    return adjusted


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the family-wise error rate by Holm.

    Args:
        p_values: p-values of any shape; NaN stays NaN and is ignored.

    References:
        Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal
        of Statistics 6(2).
    """
    known = np.isfinite(p_values)
    adjusted = np.full(p_values.shape, np.nan)
    values = p_values[known]
    order = values.argsort()
    steps = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    ranked = np.empty_like(steps)
    ranked[order] = np.minimum(steps, 1.0)
    adjusted[known] = ranked
    return adjusted


def _observed(values: Sequence[float] | np.ndarray, level: float, ndim: int) -> np.ndarray:
    _check_level(level)
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != ndim or sample.size == 0:
        raise EngramError(f"values have shape {sample.shape}; give {ndim} non-empty dimension(s)")
    if not np.isfinite(sample).all():
        raise EngramError("values hold NaN or infinity; drop or impute them first")
    return sample


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise EngramError(f"level is {level}; give a share between 0 and 1, such as 0.95")
