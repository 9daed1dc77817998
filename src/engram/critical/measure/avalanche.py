"""Avalanches: runs of activity above a threshold, between bins at or below it."""

from typing import NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.spikes import Spikes


class Avalanches(NamedTuple):
    """The avalanches of an activity, in order.

    Attributes:
        size: The activity above the threshold, summed over the bins, (avalanche).
        duration: Number of bins, (avalanche).
        start: First bin, counted through all trials, (avalanche).
        cut: Number of runs that touch the start or the end of a trial, which are left out.
        activity: The activity above the threshold, (trial · time).
    """

    size: np.ndarray
    duration: np.ndarray
    start: np.ndarray
    cut: int
    activity: np.ndarray


def avalanches(activity: np.ndarray, threshold: float = 0) -> Avalanches:
    """Find the avalanches of an activity.

    Args:
        activity: Activity of the population, (trial, time), or (time) of one trial.
        threshold: An avalanche is a run of bins whose activity is above it.

    Returns:
        The avalanches; none of them touches the start or the end of a trial.

    Raises:
        EngramError: If the array has another rank.
    """
    activity = np.atleast_2d(np.asarray(activity))
    if activity.ndim != 2:
        raise EngramError(f"activity has shape {activity.shape}; give (trial, time)")
    above = np.zeros((len(activity), activity.shape[1] + 2), np.int8)
    above[:, 1:-1] = activity > threshold
    edge = np.diff(above, axis=1)
    trial, start = np.nonzero(edge == 1)
    end = np.nonzero(edge == -1)[1]
    whole = (start > 0) & (end < activity.shape[1])
    excess = np.maximum(activity - threshold, 0).ravel()
    offset = trial * activity.shape[1]
    total = np.concatenate([[0], np.cumsum(excess)])
    size = total[offset + end] - total[offset + start]
    return Avalanches(
        size[whole], (end - start)[whole], (offset + start)[whole], int((~whole).sum()), excess
    )


def quantile_threshold(activity: np.ndarray, quantile: float) -> float:
    """The activity that this share of the bins does not exceed: element ⌊q n⌉ in order, from 0.

    Args:
        activity: Activity of the population, of any shape.
        quantile: The share q, in [0, 1).

    Raises:
        EngramError: If the share is out of range.
    """
    if not 0 <= quantile < 1:
        raise EngramError(f"quantile is {quantile}; give a share from 0 to below 1")
    ordered = np.sort(np.ravel(activity))
    return float(ordered[min(round(quantile * len(ordered)), len(ordered) - 1)])


def mean_interval(spikes: Spikes) -> float:
    """The mean time between successive spikes of the population, in seconds.

    This is the bin of Beggs and Plenz; in steps it is rounded to whole steps, and at least one.

    Args:
        spikes: The spikes.

    Raises:
        EngramError: If no trial has two spikes at different times.

    References:
        Beggs, Plenz (2003), J. Neurosci. 23(35).
    """
    counts = spikes.counts.sum(axis=1)
    ends = np.cumsum(counts)
    spans = [
        float(np.ptp(spikes.times_s[end - n : end])) if n > 1 else 0.0
        for n, end in zip(counts, ends, strict=True)
    ]
    if not sum(spans):
        raise EngramError(
            f"{spikes.n_spike} spikes, no two at different times in one trial; there is no interval"
        )
    mean = sum(spans) / int(np.maximum(counts - 1, 0).sum())
    return mean if spikes.dt_s is None else max(round(mean / spikes.dt_s), 1) * spikes.dt_s


def merged_share(durations: np.ndarray, drive: float) -> float:
    """The expected share of avalanches of a model that hold more than one event of the drive.

    Args:
        durations: Durations of the avalanches, in steps, (avalanche).
        drive: Expected number of events of the drive per step.
    """
    # the drive of the first step began the avalanche; each further step may bring another event
    return float(np.mean(-np.expm1(-drive * (np.asarray(durations) - 1))))
