"""Scores in resamples of the stimuli, for intervals and paired tests."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import squareform
from scipy.special import ndtri
from scipy.stats import rankdata

from engram.errors import EngramError
from engram.similarity.linear import Ridge
from engram.similarity.matrix import gram, paired
from engram.similarity.rdm import compare
from engram.stats import Crossed, Interval

FEWEST = 5
"""Least number of stimuli of which resamples are drawn."""
RESAMPLED = ("spearman", "rho-a", "pearson", "cosine")
"""Comparisons of RDMs that are defined for pairs with weights."""


class Draws(NamedTuple):
    """Resamples of the stimuli.

    Attributes:
        counts: How often each resample drew each stimulus, `(draws, stimuli)`.
        redrawn: Number of resamples that were drawn again, because a score was not defined.
    """

    counts: np.ndarray
    redrawn: int


def rsa_resampled(
    models: np.ndarray,
    rdms: np.ndarray,
    rng: np.random.Generator,
    method: str = "spearman",
    draws: int = 1000,
) -> tuple[list[Crossed], Draws]:
    """Similarities of model RDMs with the RDMs of subjects, in bootstrap samples of the stimuli.

    A stimulus drawn c times counts c times; the pairs of a stimulus with itself are left out. All
    models share the draws, so that their differences are paired. A draw in which a similarity is
    not defined, as with fewer than three distinct stimuli, is drawn again.

    Args:
        models: `(models, pairs)`.
        rdms: `(subjects, pairs)`.
        rng: Random generator of the draws.
        method: spearman, rho-a, pearson or cosine.
        draws: Number of resamples.

    Returns:
        The similarities with each subject, for each model, and the draws.

    Raises:
        ValueError: As `compare`, the method is another, there are fewer than 5 stimuli, or more
            than half of the draws are not defined.

    References:
        Schütt et al., "Statistical inference on representational geometries", eLife 12 (2023).
    """
    models, rdms = (np.atleast_2d(np.asarray(each, np.float64)) for each in (models, rdms))
    if method not in RESAMPLED:
        raise EngramError(
            f"method={method!r} has no interval over stimuli: choose {', '.join(RESAMPLED)}"
        )
    whole = np.array([[compare(one, rdm, method) for rdm in rdms] for one in models])
    stimuli = len(squareform(rdms[0], checks=False))
    _check_draws(stimuli, draws)
    first, second = np.triu_indices(stimuli, 1)
    columns = [_Column(rdm, method) for rdm in (*models, *rdms)]
    found, counts, redrawn = np.empty((draws, *whole.shape)), np.empty((draws, stimuli)), 0
    at = 0
    while at < draws:
        count = rng.multinomial(stimuli, np.full(stimuli, 1 / stimuli)).astype(np.float64)
        weights = count[first] * count[second]
        kept = np.flatnonzero(weights)
        used = weights[kept]
        scaled = [column.standardised(weights, kept, used) for column in columns]
        if (count > 0).sum() < 3 or any(column is None for column in scaled):
            redrawn += 1
            if redrawn > draws:
                raise EngramError(
                    f"{redrawn} resamples of the {stimuli} stimuli have an RDM with equal "
                    "distances: give more stimuli or a model with more distinct distances"
                )
            continue
        table = np.stack([column for column in scaled if column is not None])
        found[at] = table[: len(models)] @ table[len(models) :].T
        counts[at] = count
        at += 1
    crossed = [Crossed(whole[m], found[:, m], stimuli) for m in range(len(models))]
    return crossed, Draws(counts, redrawn)


class _Column:
    """An RDM, ready for weighted similarities."""

    def __init__(self, rdm: np.ndarray, method: str) -> None:
        self.method, self.rdm = method, rdm
        if method in ("spearman", "rho-a"):
            self.order = rdm.argsort(kind="stable")
            ordered = rdm[self.order]
            self.starts = np.flatnonzero(np.append(True, np.diff(ordered) != 0))
            self.tied = len(self.starts) < len(rdm)
            self.group = rankdata(rdm, "dense").astype(np.int64) - 1

    def standardised(
        self, weights: np.ndarray, kept: np.ndarray, used: np.ndarray
    ) -> np.ndarray | None:
        """√w times the values, such that products of two are similarities; None if undefined."""
        if self.method in ("pearson", "cosine"):
            values = self.rdm[kept]
        else:
            values = self._ranks(weights)[kept]
        total = used.sum()
        if total == 0:
            return None
        if self.method != "cosine":
            values = values - (values @ used) / total
        scaled = values * np.sqrt(used)
        norm = np.linalg.norm(scaled)
        flat = norm <= 1e-12 * np.sqrt(total) * max(np.abs(self.rdm).max(), 1.0)
        if flat:
            return None
        return scaled / (np.sqrt((total**3 - total) / 12) if self.method == "rho-a" else norm)

    def _ranks(self, weights: np.ndarray) -> np.ndarray:
        """Mean ranks in the sample that holds each pair as often as its weight."""
        ordered = weights[self.order]
        if not self.tied:
            ranks = np.empty_like(ordered)
            ranks[self.order] = ordered.cumsum() - (ordered - 1) / 2
            return ranks
        sums = np.add.reduceat(ordered, self.starts)
        return (sums.cumsum() - (sums - 1) / 2)[self.group]


def ridge_resampled(
    ridge: Ridge, y: np.ndarray, rng: np.random.Generator, draws: int = 1000
) -> Crossed:
    """Correlations of leave-one-out predictions with responses, in resamples of the stimuli.

    The predictions are not fitted again: the interval covers which stimuli the score is measured
    on, not which ones the weights were learned from.

    Args:
        ridge: The predictions.
        y: Responses, `(stimuli, neurons)`; silent neurons are left out, as in the score.
        rng: Random generator of the draws.
        draws: Number of resamples.

    Raises:
        ValueError: The shapes differ, there are fewer than 5 stimuli, or a neuron is constant in
            more than half of the resamples.
    """
    y = np.asarray(y, np.float64)
    if y.shape != ridge.prediction.shape:
        raise EngramError(f"y has shape {y.shape} and the prediction {ridge.prediction.shape}")
    _check_draws(len(y), draws)
    heard = np.setdiff1d(np.arange(y.shape[1]), ridge.silent)
    a, b = ((each - each.mean(0))[:, heard] for each in (ridge.prediction, y))
    a, b = (each / np.maximum(np.abs(each).max(0), 1e-300) for each in (a, b))
    found, left, quiet = np.empty((draws, len(heard))), np.arange(draws), 0
    for _ in range(20):
        counts = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), len(left)) / len(y)
        means = [counts @ each for each in (a, b, a * a, b * b, a * b)]
        spread = [means[2] - means[0] ** 2, means[3] - means[1] ** 2]
        product = np.maximum(spread[0], 0) * np.maximum(spread[1], 0)
        defined = (spread[1] > 1e-12).all(1)
        scores = np.divide(
            means[4] - means[0] * means[1], np.sqrt(product),
            out=np.zeros_like(product), where=product > 1e-24,
        )  # fmt: skip
        found[left[defined]] = scores[defined]
        left = left[~defined]
        quiet = heard[int((spread[1] > 1e-12).mean(0).argmin())]
        if not len(left):
            return Crossed(ridge.scores[heard], found, len(y))
    raise EngramError(
        f"neuron {quiet} responds to so few of the {len(y)} stimuli that it is constant in many "
        "resamples: leave it out"
    )


def jackknifed(
    metric: Callable[[np.ndarray, np.ndarray], float],
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    share: float = 0.1,
    level: float = 0.95,
) -> Interval:
    """An interval where a stimulus drawn twice would count as agreement: SVCCA, CKA, Procrustes.

    Stimuli, and neurons, are left out at random instead of drawn with replacement: the jackknife
    that deletes many. The two variances are added, which counts their interaction twice, so that
    the interval is rather too wide than too narrow.

    Args:
        metric: Takes `(stimuli, features)` and `(stimuli, neurons)`.
        x: Features `(stimuli, features)`.
        y: Responses, `(stimuli, neurons)`.
        rng: Random generator of the subsets.
        draws: Number of subsets of the stimuli, and of the neurons.
        share: Share of the stimuli and of the neurons that is left out.
        level: Confidence level, in (0, 1).

    Raises:
        ValueError: As the metric, or there are fewer than 5 stimuli or 2 neurons.

    References:
        Shao, Wu, "A general theory for jackknife variance estimation", Annals of Statistics 17(3)
        (1989).
    """
    x, y = paired(x, y, FEWEST)
    _check_draws(len(x), draws)
    if y.shape[1] < 2 or not 0 < share < 1:
        raise EngramError(
            f"{y.shape[1]} neurons, share={share}: give 2 or more neurons and a share below 1"
        )
    x = rotated(x)
    variance = 0.0
    for axis in (0, 1):
        size = y.shape[axis]
        away = max(1, round(share * size))
        scores = np.empty(draws)
        for at in range(draws):
            kept = np.sort(rng.permutation(size)[away:])
            scores[at] = metric(x[kept], y[kept]) if axis == 0 else metric(x, y[:, kept])
        variance += (size - away) / away * scores.var(ddof=1)
    estimate, half = metric(x, y), float(ndtri((1 + level) / 2) * np.sqrt(variance))
    return Interval(estimate, estimate - half, estimate + half, level)


def rotated(x: np.ndarray) -> np.ndarray:
    """Features with at most as many columns as stimuli and the same Gram matrix, centred."""
    if x.shape[1] <= len(x):
        return x
    values, vectors = np.linalg.eigh(gram(x))
    return vectors * np.sqrt(np.maximum(values, 0))


def _check_draws(stimuli: int, draws: int) -> None:
    if stimuli < FEWEST:
        raise EngramError(
            f"{stimuli} stimuli: resamples need at least {FEWEST}; report the score without an "
            "interval, or give more"
        )
    if draws < 20:
        raise EngramError(f"draws={draws}: give at least 20")
