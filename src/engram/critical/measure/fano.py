"""Fano factors: within a train, across trials, and matched for the mean count."""

import math

import numpy as np

from engram.critical.measure.irregularity import as_spikes
from engram.errors import EngramError
from engram.spikes import Spikes
from engram.stats import Interval, t_interval
from engram.trace import Trace


def fano_windowed(activity: Spikes | Trace, window_s: float) -> np.ndarray:
    """Fano factor within trains: s² / x̄ of the counts in successive windows, with ddof = 1.

    Args:
        activity: Spikes, or a Trace of spike counts.
        window_s: Width of a window, in seconds; a last window that is shorter is left out.

    Returns:
        The mean over the trials, (unit); NaN for a silent unit.

    Raises:
        EngramError: If fewer than two whole windows fit into a trial.
    """
    spikes = as_spikes(activity)
    whole = int(spikes.duration_s / window_s * (1 + 1e-12))
    if whole < 2:
        raise EngramError(
            f"window_s is {window_s}, and {whole} window fits into {spikes.duration_s} s; "
            "at least 2 must"
        )
    counts = spikes.to_trace(window_s).activity[:whole].astype(np.float64)
    return _ratio(counts.var(axis=0, ddof=1), counts.mean(axis=0)).mean(axis=0)


def fano_across_trials(counts: np.ndarray) -> np.ndarray:
    """Fano factor across trials: the variance over n, not n − 1, over the mean.

    Args:
        counts: Spike counts, (trial, ...).

    Returns:
        The factor, (...); NaN where every count is 0.

    Raises:
        EngramError: If there are fewer than two trials.
    """
    counts = np.asarray(counts, np.float64)
    if len(counts) < 2:
        raise EngramError(f"{len(counts)} trial has no variance; give at least 2")
    return _ratio(counts.var(axis=0), counts.mean(axis=0))


def fano_mean_matched(
    counts: np.ndarray, rng: np.random.Generator, bins: int = 10, draws: int = 50
) -> list[Interval]:
    """Fano factor at each time for units whose mean counts have one common distribution.

    At each time, units are drawn until their means have the largest distribution that all times
    can give; the factor is the slope of variance on mean through the origin. A change of it is
    then not a change of the rates.

    Args:
        counts: Spike counts, (time, trial, unit).
        rng: Draws the units.
        bins: Number of bins of the distribution of the means.
        draws: Number of draws of units, over which the slope is averaged.

    Returns:
        The factor at each time, with the interval of Student over the units.

    Raises:
        EngramError: If there are fewer than two trials, or the means of some times have nothing
            in common.

    References:
        Churchland et al. (2010), Nature Neuroscience 13(3), online methods.
    """
    counts = np.asarray(counts, np.float64)
    if counts.ndim != 3 or counts.shape[1] < 2:
        raise EngramError(f"counts have shape {counts.shape}; give (time, trial, unit), 2 trials")
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    edges = np.linspace(0, mean.max() * (1 + 1e-9) + 1e-12, bins + 1)
    place = np.digitize(mean, edges) - 1
    place[mean == 0] = -1  # a silent unit has no ratio
    common = np.array([[(row == b).sum() for b in range(bins)] for row in place]).min(axis=0)
    if common.sum() < 2:
        raise EngramError(
            "the mean counts of some times have fewer than two units in common; give wider windows"
        )
    found = []
    for time in range(len(mean)):
        slopes, halves = [], []
        for _ in range(draws):
            units = np.concatenate(
                [
                    rng.choice(np.flatnonzero(place[time] == b), common[b], replace=False)
                    for b in np.flatnonzero(common)
                ]
            )
            x, y = mean[time, units], variance[time, units]
            slope = float(x @ y / (x @ x))
            spread = t_interval((y - slope * x) * x / (x @ x) * len(x))
            slopes.append(slope)
            halves.append(spread.high - spread.estimate)
        middle, half = float(np.mean(slopes)), float(np.mean(halves))
        found.append(Interval(middle, middle - half, middle + half, 0.95))
    return found


def _ratio(variance: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.divide(variance, mean, out=np.full(np.shape(mean), math.nan), where=mean > 0)
