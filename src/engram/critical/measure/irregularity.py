"""The irregularity of spike trains, and its relation to the in-degree."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from engram.errors import EngramError
from engram.spikes import Spikes
from engram.stats import Interval, t_interval
from engram.trace import Trace

MIN_INTERVALS = 20
"""A unit with fewer intervals gets no value."""


def cv(intervals: np.ndarray) -> float:
    """Coefficient of variation of intervals: s / x̄, with the variance over n, not n − 1.

    Args:
        intervals: Intervals between spikes, (n); NaN separates trials.

    Returns:
        The coefficient; NaN if there is no interval, or all are 0.
    """
    kept = intervals[np.isfinite(intervals)]
    if not kept.size or not kept.any():
        return math.nan
    # the deviations from the first one are 0 exactly if all are equal
    return float((kept - kept[0]).std() / kept.mean())


def cv2(intervals: np.ndarray) -> float:
    """CV2: the mean of 2 |I₂ − I₁| / (I₁ + I₂) over neighbouring intervals.

    Args:
        intervals: As in `cv`.

    Returns:
        The value; NaN if there are no two neighbours.

    References:
        Holt et al. (1996), J. Neurophysiol. 75(5), equation 3.
    """
    first, second = _pairs(intervals)
    return _mean(2 * np.abs(_share(second - first, first + second)))


def lv(intervals: np.ndarray) -> float:
    """Local variation: the mean of 3 (I₁ − I₂)² / (I₁ + I₂)² over neighbouring intervals.

    Args:
        intervals: As in `cv`.

    Returns:
        The value; NaN if there are no two neighbours.

    References:
        Shinomoto, Shima, Tanji (2003), Neural Computation 15(12), equation 2.2.
    """
    first, second = _pairs(intervals)
    return _mean(3 * _share(second - first, first + second) ** 2)


def lvr(intervals: np.ndarray, refractory_s: float = 5e-3) -> float:
    """Revised local variation: the terms of Lv times 1 + 4 R / (I₁ + I₂).

    Args:
        intervals: As in `cv`, in the unit of `refractory_s`.
        refractory_s: The constant R; 0 gives Lv.

    Returns:
        The value; NaN if there are no two neighbours.

    References:
        Shinomoto et al. (2009), PLoS Computational Biology 5(7), equation 3.
    """
    first, second = _pairs(intervals)
    both = first + second
    return _mean(3 * _share(second - first, both) ** 2 * (1 + _share(4 * refractory_s, both)))


MEASURES: dict[str, Callable[[np.ndarray], float]] = {"CV": cv, "CV2": cv2, "Lv": lv, "LvR": lvr}
"""The measures of irregularity, by the names that `irregularity` takes."""


class Irregularity(NamedTuple):
    """The irregularity of each unit.

    Attributes:
        values: The measure, (unit); NaN for a unit with too few intervals.
        n_intervals: Number of intervals, (unit).
        mean: The mean over the units that have a value, with Student's interval.
    """

    values: np.ndarray
    n_intervals: np.ndarray
    mean: Interval


def intervals_of(spikes: Spikes, unit: int) -> np.ndarray:
    """The intervals of a unit in seconds, with NaN between trials.

    Args:
        spikes: The spikes.
        unit: Index of the unit.
    """
    scale = 1.0 if spikes.dt_s is None else spikes.dt_s
    parts = [
        part
        for trial in range(spikes.n_trial)
        for part in (np.diff(spikes.train(unit, trial)) * scale, [math.nan])
    ]
    return np.concatenate(parts[:-1])


def irregularity(
    activity: Spikes | Trace, measure: str = "CV", min_intervals: int = MIN_INTERVALS
) -> Irregularity:
    """Measure the irregularity of each unit.

    Args:
        activity: Spikes, or a Trace of spike counts.
        measure: "CV", "CV2", "Lv" or "LvR".
        min_intervals: A unit with fewer intervals gets NaN.

    Returns:
        The value of each unit, and their mean.

    Raises:
        EngramError: If there is no such measure, or fewer than two units have enough intervals.
    """
    if measure not in MEASURES:
        raise EngramError(f"there is no measure {measure!r}; choose from {', '.join(MEASURES)}")
    spikes = as_spikes(activity)
    values = np.full(spikes.n_unit, math.nan)
    n_intervals = np.maximum(spikes.counts - 1, 0).sum(axis=0)
    for unit in np.flatnonzero(n_intervals >= max(min_intervals, 1)):
        values[unit] = MEASURES[measure](intervals_of(spikes, int(unit)))
    kept = values[np.isfinite(values)]
    if len(kept) < 2:
        raise EngramError(
            f"{len(kept)} of {spikes.n_unit} units have {min_intervals} intervals or more, too few "
            f"intervals for {measure}; record longer, or lower min_intervals"
        )
    return Irregularity(values, n_intervals, t_interval(kept))


class DegreeRelation(NamedTuple):
    """How a value of the units goes with their in-degree.

    Attributes:
        r: Pearson's correlation, with Fisher's interval.
        slope: The slope of the least-squares line, per link, with Student's interval.
    """

    r: Interval
    slope: Interval


def degree_relation(degree: np.ndarray, values: np.ndarray, level: float = 0.95) -> DegreeRelation:
    """Relate the irregularity of units to their in-degree.

    Args:
        degree: Number of incoming links, (unit).
        values: The value of each unit, (unit); units with NaN are left out.
        level: Confidence level, in (0, 1).

    Returns:
        The correlation and the slope, with intervals.

    Raises:
        EngramError: If fewer than four units have a value, or one of the two does not vary.
    """
    kept = np.isfinite(values)
    x, y = np.asarray(degree, np.float64)[kept], np.asarray(values, np.float64)[kept]
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise EngramError(
            f"{len(x)} units with a value, or one of degree and value is constant; "
            "give at least 4 units that differ in both"
        )
    line: Any = stats.linregress(x, y)
    half = float(stats.t.ppf((1 + level) / 2, len(x) - 2)) * line.stderr
    r = min(max(float(line.rvalue), -1 + 1e-15), 1 - 1e-15)
    z, reach = math.atanh(r), float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(len(x) - 3)
    return DegreeRelation(
        Interval(r, math.tanh(z - reach), math.tanh(z + reach), level),
        Interval(float(line.slope), float(line.slope - half), float(line.slope + half), level),
    )


def as_spikes(activity: Spikes | Trace) -> Spikes:
    """The activity as Spikes.

    Args:
        activity: Spikes, or a Trace of spike counts.
    """
    return Spikes.from_trace(activity) if isinstance(activity, Trace) else activity


def _pairs(intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    both = np.isfinite(intervals[:-1]) & np.isfinite(intervals[1:])
    return intervals[:-1][both], intervals[1:][both]


def _share(part: np.ndarray | float, whole: np.ndarray) -> np.ndarray:
    """Part / whole, and 0 for two intervals of 0, which are equal."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _mean(terms: np.ndarray) -> float:
    return float(terms.mean()) if terms.size else math.nan
