"""Surrogates: the same spikes without one property, as a control of a measure."""

from collections.abc import Callable

import numpy as np

from engram.errors import EngramError
from engram.spikes import Spikes
from engram.stats import Interval

Surrogate = Callable[[Spikes, np.random.Generator], Spikes]
"""Makes a surrogate of spikes."""


def bernoulli(spikes: Spikes, rng: np.random.Generator) -> Spikes:
    """Spikes at random: every train keeps its number of spikes, and nothing else.

    In steps, a train has at most one spike per step, as long as they fit.

    Args:
        spikes: The spikes.
        rng: Draws the times.
    """
    if spikes.dt_s is None:
        return _replaced(spikes, rng.uniform(0, spikes.duration_s, spikes.n_spike))
    steps = round(spikes.duration_s / spikes.dt_s)
    lengths = np.diff(spikes.pointers)
    parts = [rng.choice(steps, n, replace=n > steps, shuffle=False) for n in lengths if n]
    return _replaced(spikes, np.concatenate([spikes.times[:0], *parts]))


def shift_trains(spikes: Spikes, rng: np.random.Generator) -> Spikes:
    """Trains shifted in time, each by its own amount and around the end of the trial.

    Every train keeps its rate and its intervals; what units have in common is lost.

    Args:
        spikes: The spikes.
        rng: Draws the shifts.
    """
    lengths = np.diff(spikes.pointers)
    if spikes.dt_s is None:
        shifts = rng.uniform(0, spikes.duration_s, len(lengths))
        return _replaced(spikes, (spikes.times + np.repeat(shifts, lengths)) % spikes.duration_s)
    steps = round(spikes.duration_s / spikes.dt_s)
    shifts = rng.integers(0, steps, len(lengths))
    return _replaced(spikes, (spikes.times + np.repeat(shifts, lengths)) % steps)


def shuffle_intervals(spikes: Spikes, rng: np.random.Generator) -> Spikes:
    """Trains with the same intervals in another order, between the same first and last spike.

    Args:
        spikes: The spikes.
        rng: Draws the order.
    """
    parts = [spikes.times[:0]]
    for start, end in zip(spikes.pointers[:-1], spikes.pointers[1:], strict=True):
        train = spikes.times[start:end]
        if len(train):
            steps = rng.permutation(np.diff(train)).cumsum()
            parts.append(np.minimum(np.concatenate([train[:1], train[0] + steps]), train[-1]))
    return _replaced(spikes, np.concatenate(parts))


def control(
    measure: Callable[[Spikes], float],
    spikes: Spikes,
    surrogate: Surrogate,
    rng: np.random.Generator,
    draws: int = 39,
    level: float = 0.95,
) -> Interval:
    """The mean of a measure over surrogates, and the range that holds this share of them.

    Args:
        measure: A number of spikes.
        spikes: The recorded spikes.
        surrogate: Makes a surrogate of them.
        rng: Draws the surrogates.
        draws: Number of surrogates.
        level: Share of the surrogates within the range, in (0, 1).

    Raises:
        EngramError: If the number of surrogates cannot give the level.
    """
    if draws < 1 / (1 - level):
        raise EngramError(
            f"draws={draws}: a range of level {level} needs {round(1 / (1 - level))} or more"
        )
    values = [measure(surrogate(spikes, rng)) for _ in range(draws)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.mean(values)), float(low), float(high), level)


def _replaced(spikes: Spikes, times: np.ndarray) -> Spikes:
    """The same trains with other times, which are sorted here."""
    for start, end in zip(spikes.pointers[:-1], spikes.pointers[1:], strict=True):
        times[start:end].sort()
    return Spikes(
        spikes.pointers,
        times,
        spikes.duration_s,
        spikes.dt_s,
        spikes.units,
        spikes.source,
        spikes.trials,
    )
