"""Reliability of an RDM by the trials that it is averaged from."""

from collections.abc import Sequence

import numpy as np

from engram.errors import EngramError
from engram.similarity.chance import standardised
from engram.similarity.rdm import correlation_rdm
from engram.similarity.score import around
from engram.stats import Interval

GROUPS = 10
"""Groups of stimuli of the jackknife."""


def trial_reliability(
    trials: np.ndarray, rng: np.random.Generator, splits: int = 20, level: float = 0.95
) -> Interval:
    """Reliability of the RDM of mean responses, by random parts of the trials.

    The ratio of noise to signal in Spearman's ρ between the RDMs of parts of n trials, 1/ρ − 1,
    is a/n + b/n²: products of two noises enter a distance beside products of signal and noise. It
    is measured in halves and, with four or more repetitions, in quarters, and extrapolated to all
    trials; with fewer, b = 0, which is the formula of Spearman and Brown. The interval is from the
    jackknife over ten groups of stimuli.

    Args:
        trials: `(stimuli, repetitions, neurons)`, with two or more repetitions of each stimulus;
            NaN where there is none.
        rng: Random generator of the parts.
        splits: Number of random orders of the trials.
        level: Confidence level, in (0, 1).

    Raises:
        ValueError: There are fewer than 20 stimuli, or a part has no RDM.
    """
    count = len(trials)
    if count < 2 * GROUPS:
        raise EngramError(f"{count} stimuli with repetitions: its interval needs {2 * GROUPS}")
    there = np.isfinite(trials)
    first, second = np.triu_indices(count, 1)
    groups = rng.permutation(count) % GROUPS
    inside = [np.ones(len(first), bool)]
    inside += [(groups[first] != k) & (groups[second] != k) for k in range(GROUPS)]
    parts = (2, 4) if there.sum(1).min() >= 4 else (2,)
    found = np.zeros((len(parts), GROUPS + 1))
    for _ in range(splits):
        order = np.where(there, rng.random(trials.shape[:2])[..., None], np.inf).argsort(1)
        shuffled = np.take_along_axis(trials, order, 1)
        for place, number in enumerate(parts):
            found[place] += _agreement(shuffled, there.sum(1), number, inside) / splits
    sizes = [float((there.sum(1) // number).mean()) for number in parts]
    reliable = _extrapolated(found, sizes, float(there.sum(1).mean()))
    whole, without = float(reliable[0]), reliable[1:]
    return around(GROUPS * whole - (GROUPS - 1) * without, whole, level)


def _agreement(
    shuffled: np.ndarray, counts: np.ndarray, number: int, inside: Sequence[np.ndarray]
) -> np.ndarray:
    """Mean ρ between the RDMs of equal parts of the trials, on each set of pairs."""
    size = counts[:, None] // number
    place = np.arange(shuffled.shape[1])[None, :, None]
    rdms = []
    for part in range(number):
        own = (place >= part * size) & (place < (part + 1) * size)
        rdms.append(correlation_rdm(np.where(own, shuffled, 0).sum(1) / size[:, 0]))
    found = []
    for kept in inside:
        ranks = np.stack([standardised(rdm[kept], "spearman") for rdm in rdms])
        products = ranks @ ranks.T
        found.append((products.sum() - number) / (number * (number - 1)))
    return np.array(found)


def _extrapolated(found: np.ndarray, sizes: Sequence[float], all_trials: float) -> np.ndarray:
    """Reliability with all trials, from that of parts of these sizes, `(parts, sets)`."""
    if (found <= 0).any():  # no signal: the ratio of noise to signal is not defined
        return 2 * found[0] / (1 + found[0])
    ratio = 1 / found - 1
    b = np.zeros(found.shape[1])
    if len(sizes) > 1:
        half, quarter = sizes
        b = (ratio[1] * quarter - ratio[0] * half) / (1 / quarter - 1 / half)
        b = np.clip(b, 0, ratio[0] * half**2)
    a = ratio[0] * sizes[0] - b / sizes[0]
    return 1 / (1 + a / all_trials + b / all_trials**2)
