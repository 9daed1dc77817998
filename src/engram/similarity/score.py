"""A score with its chance level, its ceiling and its interval; the choice of a layer."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.similarity.ceiling import normalise
from engram.similarity.matrix import paired
from engram.similarity.rdm import compare
from engram.stats import Crossed, Interval, crossed_interval, t_interval


class Score(NamedTuple):
    """A similarity, and what it is to be compared with.

    Attributes:
        value: The similarity and its interval.
        chance: The similarity that unrelated features have.
        corrected: (value − chance) / (1 − chance), with its interval: 0 at chance, 1 if equal.
        normalised: value / √reliability, with its interval; None if there is no ceiling. The
            interval is that of the value, and takes the reliability as known.
        reason: Why there is no ceiling; empty if there is one.
    """

    value: Interval
    chance: float
    corrected: Interval
    normalised: Interval | None
    reason: str


def score(value: Interval, chance: float, reliability: Interval | str) -> Score:
    """A similarity beside its chance level and its ceiling.

    Args:
        value: The similarity and its interval.
        chance: The chance level, below 1.
        reliability: Reliability of the data, or why it is not known.

    Raises:
        ValueError: The chance level is not below 1, or a number is not finite.
    """
    if not np.isfinite((*value[:3], chance)).all() or chance >= 1:
        raise EngramError(f"value {value[:3]} and chance {chance}: give finite ones, chance < 1")
    corrected = _mapped(value, lambda each: (each - chance) / (1 - chance))
    if isinstance(reliability, str):
        return Score(value, chance, corrected, None, reliability)
    try:
        normalised = _mapped(value, lambda each: normalise(each, reliability))
    except EngramError as error:
        return Score(value, chance, corrected, None, str(error))
    return Score(value, chance, corrected, normalised, "")


def _mapped(one: Interval, function: Callable[[float], float]) -> Interval:
    return Interval(function(one.estimate), function(one.low), function(one.high), one.level)


def subject_reliability(
    rdms: np.ndarray, method: str = "spearman", level: float = 0.95
) -> Interval | str:
    """Reliability of the RDM of one subject: the mean similarity of two subjects.

    The mean over subjects of a model's similarity is divided by its square root once. The
    interval is from the jackknife over subjects.

    Args:
        rdms: `(subjects, pairs)`.
        method: See `engram.similarity.compare`.
        level: Confidence level, in (0, 1).

    Returns:
        The reliability, or for fewer than 3 subjects why there is none.

    Raises:
        ValueError: As `compare`.
    """
    count = len(rdms)
    if count < 3:
        return f"no ceiling: {count} subject(s); a ceiling over subjects needs 3 or more"
    pairs = np.zeros((count, count))
    for a in range(count):
        for b in range(a):
            pairs[a, b] = pairs[b, a] = compare(rdms[a], rdms[b], method)
    whole = pairs.sum() / (count * (count - 1))
    without = (pairs.sum() - 2 * pairs.sum(1)) / ((count - 1) * (count - 2))
    pseudo = count * whole - (count - 1) * without
    return around(pseudo, float(whole), level)


def neuron_reliability(values: np.ndarray, level: float = 0.95) -> Interval:
    """The reliability whose root is the mean ceiling of neurons: (mean √r)².

    Neurons whose reliability is not above 0 have a ceiling of 0.

    Args:
        values: Reliability of the mean response of each neuron, as `split_half` gives it,
            `(neurons)`; NaN counts as 0.
        level: Confidence level, in (0, 1).

    Raises:
        ValueError: There are fewer than 2 neurons.
    """
    roots = np.sqrt(np.maximum(np.nan_to_num(np.asarray(values, np.float64)), 0))
    if roots.ndim != 1 or roots.size < 2:
        raise EngramError(f"reliabilities have shape {roots.shape}: give 2 or more neurons")
    found = around(roots, float(roots.mean()), level)
    return _mapped(found, lambda each: max(each, 0.0) ** 2)


def around(values: np.ndarray, estimate: float, level: float) -> Interval:
    """Student's interval around an estimate, from independent values such as pseudo-values.

    Args:
        values: The values, `(n)`.
        estimate: The middle of the interval.
        level: Confidence level, in (0, 1).
    """
    around = t_interval(values, level)
    shift = estimate - around.estimate
    return Interval(estimate, around.low + shift, around.high + shift, level)


def permuted_chance(
    metric: Callable[[np.ndarray, np.ndarray], float],
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    draws: int = 50,
) -> np.ndarray:
    """Scores with the stimuli of the responses in random order, `(draws)`.

    Args:
        metric: Takes `(stimuli, features)` and `(stimuli, neurons)`.
        x: Features, `(stimuli, features)`.
        y: Responses, `(stimuli, neurons)`.
        rng: Random generator of the permutations.
        draws: Number of permutations.

    Raises:
        ValueError: As the metric, or there are no draws.
    """
    x, y = paired(x, y, 3)
    if draws < 1:
        raise EngramError(f"draws={draws}: give 1 or more")
    return np.array([metric(x, y[rng.permutation(len(y))]) for _ in range(draws)])


class Choice(NamedTuple):
    """The score of the layer that was chosen on other stimuli.

    Attributes:
        score: Mean over the splits of the score of the chosen layer on the other half.
        low: The 2.5 % quantile over the splits; a range of splits, not a confidence interval.
        high: The 97.5 % quantile.
        chosen: Share of the splits in which each layer was chosen, `(layers)`.
        best: The highest score of a layer on all stimuli, which is biased upwards.
    """

    score: float
    low: float
    high: float
    chosen: np.ndarray
    best: float


def nested_choice(
    metric: Callable[[int, np.ndarray], float],
    layers: int,
    stimuli: int,
    rng: np.random.Generator,
    splits: int = 50,
) -> Choice:
    """Choose the best layer on one half of the stimuli and score it on the other.

    Args:
        metric: The score of a layer, by its index, on some stimuli, by their indices.
        layers: Number of layers.
        stimuli: Number of stimuli, 8 or more.
        rng: Random generator of the splits.
        splits: Number of splits; each half chooses once.

    Raises:
        ValueError: There are too few layers, stimuli or splits, or as the metric.
    """
    if layers < 1 or stimuli < 8 or splits < 1:
        raise EngramError(
            f"layers={layers}, stimuli={stimuli}, splits={splits}: give at least 1, 8 and 1"
        )
    found, chosen = [], np.zeros(layers)
    for _ in range(splits):
        order = rng.permutation(stimuli)
        halves = [np.sort(part) for part in (order[: stimuli // 2], order[stimuli // 2 :])]
        scores = np.array([[metric(k, half) for k in range(layers)] for half in halves])
        for one, other in ((0, 1), (1, 0)):
            at = int(scores[one].argmax())
            chosen[at] += 1
            found.append(scores[other, at])
    best = max(metric(k, np.arange(stimuli)) for k in range(layers))
    low, high = np.quantile(found, [0.025, 0.975])
    return Choice(float(np.mean(found)), float(low), float(high), chosen / chosen.sum(), best)


class DepthTrend(NamedTuple):
    """How much deeper the best layer of one area is than that of another.

    Attributes:
        first: Depth of the best layer for the first area, from 0 to 1.
        second: Depth for the second.
        rise: Second less first, with its percentile interval.
    """

    first: float
    second: float
    rise: Interval


def depth_trend(
    first: Sequence[Crossed], second: Sequence[Crossed], rng: np.random.Generator
) -> DepthTrend:
    """The rise of the best layer's depth from one area to another.

    The best layer is found again in each resample of the stimuli and of the units. The two areas
    may have other units; if they share the resamples of stimuli, the rise is paired.

    Args:
        first: Scores of each layer for the first area, from the input on.
        second: The same for the second area.
        rng: Random generator of the resamples of units.

    Raises:
        ValueError: There are fewer than 2 layers, or the numbers of layers or draws differ.
    """
    if len(first) < 2 or len(first) != len(second):
        raise EngramError(f"{len(first)} and {len(second)} layers: give the same 2 or more")
    depths, wholes = [], []
    for area in (first, second):
        scores = np.stack([layer.draws for layer in area])
        units = scores.shape[2]
        weights = rng.multinomial(units, np.full(units, 1 / units), scores.shape[1]) / units
        depths.append(np.einsum("ldu,du->ld", scores, weights).argmax(0) / (len(area) - 1))
        wholes.append(int(np.argmax([layer.whole.mean() for layer in area])) / (len(area) - 1))
    if depths[0].shape != depths[1].shape:
        raise EngramError("the two areas have other numbers of resamples: draw as many")
    low, high = np.quantile(depths[1] - depths[0], [0.025, 0.975])
    return DepthTrend(
        wholes[0], wholes[1], Interval(wholes[1] - wholes[0], float(low), float(high), 0.95)
    )


def crossed_score(scores: Crossed, chance: float, reliability: Interval | str) -> Score:
    """The score of units on items, with its corrected interval; see `score`."""
    return score(crossed_interval(scores), chance, reliability)
