"""Recall at K in both directions, their sum, median ranks, and intervals over images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.retrieval.measure.ranks import Ranks, ranks
from engram.stats import Interval, cluster_means, percentile_interval

CUTOFFS = (1, 5, 10)
"""The K of recall at K that the field reports."""


class Direction(NamedTuple):
    """The quality of one direction.

    Args:
        recalls: Recall at 1, 5 and 10, in per cent, each with its interval.
        median_rank: Median over the queries of the rank of the first right answer, from 1.
        queries: Number of queries.
    """

    recalls: tuple[Interval, Interval, Interval]
    median_rank: float
    queries: int


class Quality(NamedTuple):
    """The quality of a matrix of scores.

    Args:
        image_to_text: Captions found by an image; its rank is that of the best of its captions.
        text_to_image: The image found by a caption.
        rsum: Sum of the six recalls, in per cent, with its interval.
    """

    image_to_text: Direction
    text_to_image: Direction
    rsum: Interval


def evaluate(
    scores: NDArray[np.floating],
    owner: NDArray[np.integer],
    rng: np.random.Generator,
    replicates: int = 2000,
    level: float = 0.95,
) -> Quality:
    """Evaluate a matrix of scores as the field does, with intervals over images.

    The bootstrap draws images with replacement; the captions of an image come with it. It does
    not rank again within a resample, so that the number of candidates stays that of the matrix.

    Args:
        scores: Score of each pair, higher is better, (images, captions).
        owner: The image of each caption, (captions).
        rng: Random generator for the bootstrap.
        replicates: Number of resamples.
        level: Confidence level, in (0, 1).

    Returns:
        The quality.

    Raises:
        ValueError: If the scores or the owners cannot be used, or a number is out of range.
    """
    by_image, by_caption = ranks(scores, owner)
    images = len(by_image.above)
    totals = np.empty((images, 2 * len(CUTOFFS)))
    for column, k in enumerate(CUTOFFS):
        totals[:, column] = by_image.recall(k)
        found = by_caption.recall(k)
        totals[:, len(CUTOFFS) + column] = np.bincount(owner, found, minlength=images)
    counts = np.ones_like(totals)
    counts[:, len(CUTOFFS) :] = np.bincount(owner, minlength=images)[:, None]
    estimates = 100 * totals.sum(0) / counts.sum(0)
    draws = 100 * cluster_means(totals, counts, rng, replicates)
    cells = [percentile_interval(e, d, level) for e, d in zip(estimates, draws.T, strict=True)]
    return Quality(
        _direction(cells[:3], by_image),
        _direction(cells[3:], by_caption),
        percentile_interval(float(estimates.sum()), draws.sum(1), level),
    )


def evaluate_folds(
    scores: NDArray[np.floating],
    owner: NDArray[np.integer],
    folds: int,
    rng: np.random.Generator,
    replicates: int = 2000,
    level: float = 0.95,
) -> list[Quality]:
    """Evaluate consecutive folds of the images, each against its own candidates only.

    Five folds of the 5,000 test images of MSCOCO are the field's "1K" test: its numbers are the
    means over the folds.

    Args:
        scores: Score of each pair, higher is better, (images, captions).
        owner: The image of each caption, (captions).
        folds: Number of folds, which must divide the number of images.
        rng: Random generator for the bootstrap.
        replicates: Number of resamples.
        level: Confidence level, in (0, 1).

    Returns:
        The quality of each fold.

    Raises:
        ValueError: If the folds do not divide the images, or `evaluate` raises.
    """
    images = len(scores)
    if folds < 1 or images % folds:
        raise EngramError(f"{images} images cannot be divided into {folds} folds of equal size")
    if np.shape(owner) != np.shape(scores)[1:]:
        raise EngramError(f"{np.size(owner)} owners for scores of shape {np.shape(scores)}")
    size = images // folds
    parts = []
    for start in range(0, images, size):
        chosen = np.flatnonzero((owner >= start) & (owner < start + size))
        part = scores[start : start + size, chosen]
        parts.append(evaluate(part, owner[chosen] - start, rng, replicates, level))
    return parts


def _direction(cells: Sequence[Interval], found: Ranks) -> Direction:
    first, fifth, tenth = cells
    return Direction((first, fifth, tenth), float(np.median(found.expected)), int(found.above.size))
