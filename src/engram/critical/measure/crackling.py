"""Scaling relations of avalanches: crackling noise, κ and the collapse of their shapes."""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from engram.critical.measure.avalanche import Avalanches
from engram.critical.measure.powerlaw import PowerLaw
from engram.critical.measure.powersum import solve
from engram.errors import EngramError
from engram.stats import Interval

FEWEST = 3
"""Distinct sizes or durations at least for the procedure of Ma et al."""


class Crackling(NamedTuple):
    """The crackling-noise relation: the mean size of avalanches of duration T grows as T^γ.

    Attributes:
        slope: γ, the fitted slope of ln⟨S⟩(T) on ln T.
        predicted: (β − 1) / (α − 1), from the exponents of durations β and sizes α.
        deviation: Predicted less fitted; its magnitude is the deviation coefficient (DCC).
    """

    slope: Interval
    predicted: Interval
    deviation: Interval

    @property
    def holds(self) -> bool:
        """Whether the interval of the deviation contains 0."""
        return self.deviation.low <= 0 <= self.deviation.high


def crackling(
    found: Avalanches,
    sizes: PowerLaw,
    durations: PowerLaw,
    rng: np.random.Generator,
    draws: int = 200,
    level: float = 0.95,
) -> Crackling:
    """Compare the growth of size with duration with what the exponents predict.

    The slope is a least-squares line through the durations in the range of their power law, each
    weighted by its number of avalanches. Intervals are from resampled avalanches, for the given
    ranges.

    Args:
        found: The avalanches; sizes are whole numbers.
        sizes: The power law of their sizes.
        durations: The power law of their durations.
        rng: Resamples the avalanches.
        draws: Number of resamples.
        level: Confidence level, in (0, 1).

    Raises:
        EngramError: If the range of durations holds fewer than three of them.

    References:
        Sethna, Dahmen, Myers (2001), Nature 410; Ma et al. (2019), Neuron 104(4).
    """
    log_size, log_duration = np.log(found.size), np.log(found.duration)

    def numbers(one: np.ndarray) -> tuple[float, float]:
        alpha = _exponent(found.size[one], log_size[one], sizes)
        beta = _exponent(found.duration[one], log_duration[one], durations)
        gamma = growth(found.size[one], found.duration[one], durations.xmin, durations.xmax)
        return gamma, (beta - 1) / (alpha - 1)

    slope, predicted = numbers(np.arange(len(found.size)))
    drawn = np.empty((draws, 2))
    for i in range(draws):
        drawn[i] = numbers(rng.integers(0, len(found.size), len(found.size)))
    return Crackling(
        _interval(slope, drawn[:, 0], level),
        _interval(predicted, drawn[:, 1], level),
        _interval(predicted - slope, drawn[:, 1] - drawn[:, 0], level),
    )


def _exponent(values: np.ndarray, logs: np.ndarray, law: PowerLaw) -> float:
    """The exponent of values in the range of a law."""
    kept = (values >= law.xmin) & (values <= law.xmax)
    return solve(float(logs[kept].mean()), law.xmin, float(law.xmax), law.alpha)


def growth(size: np.ndarray, duration: np.ndarray, shortest: float, longest: float) -> float:
    """The slope of ln⟨S⟩(T) on ln T, each duration weighted by its number of avalanches.

    Args:
        size: Sizes, (avalanche).
        duration: Durations, (avalanche).
        shortest: The shortest duration that counts.
        longest: The longest one.

    Raises:
        EngramError: If fewer than three durations count.
    """
    length, place, number = np.unique(duration, return_inverse=True, return_counts=True)
    mean = np.bincount(place, size) / number
    kept = (length >= shortest) & (length <= longest)
    if kept.sum() < 3:
        raise EngramError(
            f"{kept.sum()} durations lie between {shortest} and {longest}; a slope needs 3"
        )
    weight = np.sqrt(number[kept])
    return float(np.polyfit(np.log(length[kept]), np.log(mean[kept]), 1, w=weight)[0])


def kappa(sizes: np.ndarray, exponent: float = 1.5, points: int = 10) -> float:
    """κ: 1 plus the mean difference of the cumulative shares of a power law and of the sizes.

    It is 1 where the sizes follow the power law, below 1 where large ones lack, and above 1 where
    there are too many of them.

    Args:
        sizes: Sizes of avalanches, (avalanche).
        exponent: The exponent of the law, between the smallest and the largest size.
        points: Number of sizes, equally spaced in their logarithm, at which the two are compared.

    Returns:
        κ.

    Raises:
        EngramError: If there is no size, or all are equal.

    References:
        Shew et al. (2009), J. Neurosci. 29(49), equations 1 and 2.
    """
    sizes = np.sort(np.asarray(sizes, np.float64))
    if not sizes.size:
        raise EngramError("there is no avalanche; κ needs several sizes")
    least, most = sizes[0], sizes[-1]
    if least == most:
        raise EngramError(f"all {len(sizes)} avalanches have size {least}; κ needs several sizes")
    at = np.geomspace(least, most, points)
    s = 1 - exponent
    law = (1 - (at / least) ** s) / (1 - (most / least) ** s)
    observed = np.searchsorted(sizes, at * (1 + 1e-12), side="right") / len(sizes)
    return float(1 + (law - observed).mean())


class Collapse(NamedTuple):
    """The collapse of the shapes of avalanches of different durations.

    Attributes:
        exponent: γ of the collapse, which the crackling relation expects to equal its slope.
        error: The variance of the collapsed shapes over the square of their span.
        time: Time within an avalanche as a share of its duration, (time).
        shapes: Mean activity over T^(γ − 1), (duration, time).
        durations: The durations, (duration).
    """

    exponent: Interval
    error: float
    time: np.ndarray
    shapes: np.ndarray
    durations: np.ndarray


def shape_collapse(
    found: Avalanches,
    rng: np.random.Generator,
    shortest: int = 4,
    fewest: int = 20,
    draws: int = 100,
    level: float = 0.95,
) -> Collapse:
    """Find the exponent with which the mean shapes of avalanches fall onto one curve.

    Args:
        found: The avalanches.
        rng: Resamples the avalanches of each duration.
        shortest: The shortest duration that counts, in bins.
        fewest: A duration with fewer avalanches does not count.
        draws: Number of resamples.
        level: Confidence level, in (0, 1).

    Raises:
        EngramError: If fewer than three durations count.

    References:
        Marshall et al. (2016), Frontiers in Physiology 7, 250.
    """
    lengths, counts = np.unique(found.duration, return_counts=True)
    lengths = lengths[(lengths >= shortest) & (counts >= fewest)]
    if len(lengths) < 3:
        raise EngramError(
            f"{len(lengths)} durations of {shortest} bins or more have {fewest} avalanches; "
            "a collapse needs 3: record longer"
        )
    time = (np.arange(40) + 0.5) / 40
    profiles = [_profiles(found, int(T), time) for T in lengths]

    def solve(means: np.ndarray) -> tuple[float, float]:
        def error(gamma: float) -> float:
            shapes = means * lengths[:, None] ** (1.0 - gamma)
            return float(shapes.var(axis=0).mean() / np.ptp(shapes.mean(axis=0)) ** 2)

        best: Any = minimize_scalar(error, bounds=(0.5, 4.0))
        return float(best.x), float(best.fun)

    means = np.array([one.mean(axis=0) for one in profiles])
    gamma, error = solve(means)
    drawn = [
        solve(
            np.array([one[rng.integers(0, len(one), len(one))].mean(axis=0) for one in profiles])
        )[0]
        for _ in range(draws)
    ]
    shapes = means * lengths[:, None] ** (1.0 - gamma)
    return Collapse(_interval(gamma, np.array(drawn), level), error, time, shapes, lengths)


def _profiles(found: Avalanches, duration: int, time: np.ndarray) -> np.ndarray:
    """The activity of all avalanches of a duration at shares of it, (avalanche, time)."""
    start = found.start[found.duration == duration]
    # the activity of a bin holds at its middle; before the first and after the last one there is 0
    activity = np.zeros((len(start), duration + 2))
    activity[:, 1:-1] = found.activity[start[:, None] + np.arange(duration)]
    at = time * duration + 0.5
    left = at.astype(int)
    share = at - left
    return activity[:, left] * (1 - share) + activity[:, left + 1] * share


def _interval(estimate: float, drawn: np.ndarray, level: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), level)


class Published(NamedTuple):
    """The numbers of Ma et al. (2019), by their procedure.

    Attributes:
        n: Number of avalanches.
        alpha: Exponent of the sizes, in the range [size_min, size_max].
        size_min: Lower end of the range.
        size_max: Upper end of the range.
        beta: Exponent of the durations, in the range [duration_min, duration_max].
        duration_min: Lower end of the range.
        duration_max: Upper end of the range.
        slope: The fitted slope.
        deviation: The magnitude of the deviation from the crackling relation.
    """

    n: int
    alpha: float
    size_min: int
    size_max: int
    beta: float
    duration_min: int
    duration_max: int
    slope: float
    deviation: float


def ma2019(found: Avalanches) -> Published:
    """The deviation coefficient by the procedure of Ma et al., to compare with their numbers.

    It differs from ours: the law is normalised over the observed values only; the largest value is
    dropped until D falls below 1/√n and 0.1; α belongs to the range before the last value was
    dropped; sizes above the power 0.8 of the largest, and the largest duration, are left out; the
    slope is not weighted and leaves out both ends of its range. It gives no interval.

    Args:
        found: The avalanches.

    Raises:
        EngramError: If the avalanches are too few, or too small.

    References:
        Ma et al. (2019), Neuron 104(4), methods.
    """
    sizes, durations = found.size, found.duration
    if not len(sizes):
        raise EngramError("there is no avalanche")
    alpha, size_min, size_max = _exclude(sizes[sizes < sizes.max() ** 0.8], 20)
    beta, duration_min, duration_max = _exclude(durations[durations < durations.max()], 10)
    length, place, number = np.unique(durations, return_inverse=True, return_counts=True)
    mean = np.bincount(place, sizes) / number
    kept = (length > duration_min) & (length < duration_max)
    if kept.sum() < FEWEST:
        raise EngramError(
            f"{int(kept.sum())} durations between {duration_min} and {duration_max} bins are too "
            "few for a slope; record longer"
        )
    slope = float(np.polyfit(np.log(length[kept]), np.log(mean[kept]), 1)[0])
    deviation = abs((beta - 1) / (alpha - 1) - slope)
    return Published(
        len(sizes), alpha, size_min, size_max, beta, duration_min, duration_max, slope, deviation
    )


def _exclude(values: np.ndarray, largest_xmin: int) -> tuple[float, int, int]:
    """The exponent and the range, after values were dropped from the top until the law fits."""
    far, change, xmin = 1.0, 1.0, 1
    alpha = math.nan
    while change > 5e-4:
        if len(np.unique(values)) < FEWEST or values.max() <= largest_xmin:
            raise EngramError(
                f"{len(values)} avalanches, of at most {values.max(initial=0):g}, are too few for "
                "the procedure of Ma et al.; record longer"
            )
        if far <= min(1 / math.sqrt((values > xmin).sum()), 0.1):
            break
        fits = [_observed(values[values >= low]) for low in range(1, largest_xmin + 1)]
        xmin = int(np.argmin([one[1] for one in fits])) + 1
        alpha, last = fits[xmin - 1][0], far
        far = fits[xmin - 1][1]
        change = abs(last - far)
        values = values[values < values.max()]
    return alpha, xmin, int(values.max())


def _observed(values: np.ndarray) -> tuple[float, float]:
    """The α of a law on the observed values only, and its D over all whole numbers."""
    distinct, counts = np.unique(values, return_counts=True)
    logs = np.log(distinct)

    def loss(alpha: float) -> float:
        return float(alpha * (counts @ logs) / len(values) + math.log(np.exp(-alpha * logs).sum()))

    best: Any = minimize_scalar(loss, bounds=(0.0, 10.0), options={"xatol": 1e-9})
    alpha = float(best.x)
    every = np.arange(distinct[0], distinct[-1] + 1, dtype=np.float64)
    law = np.cumsum(every**-alpha) / np.exp(-alpha * logs).sum()
    observed = np.cumsum(counts)[np.searchsorted(distinct, every, side="right") - 1] / len(values)
    return alpha, float(np.abs(observed - law).max())
