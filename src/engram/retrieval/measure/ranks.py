"""Ranks of the right answers in a matrix of scores, with ties treated as a random order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.retrieval.measure.count import count


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where the best-ranked right answer of each query stands.

    Candidates with equal scores are taken to be in random order, so that a scorer which gives
    every candidate the same score performs at chance.

    Args:
        above: Number of candidates that score higher than the best right answer, (queries).
        level: Number of candidates with that same score, right answers included, (queries).
        right: Number of right answers among those, 1 or more, (queries).
    """

    above: NDArray[np.int64]
    level: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def expected(self) -> NDArray[np.float64]:
        """Expected rank of the first right answer, from 1: above + (level + 1) / (right + 1)."""
        return self.above + (self.level + 1) / (self.right + 1)

    def recall(self, k: int) -> NDArray[np.float64]:
        """Probability that a right answer is among the first k: 0 or 1 where nothing is tied.

        With t = k − above places left for the tied candidates, it is
        1 − C(level − right, t) / C(level, t).

        Args:
            k: Number of candidates that are looked at.

        Returns:
            The probabilities, (queries).

        Raises:
            ValueError: If k is less than 1.
        """
        if k < 1:
            raise EngramError(f"k is {k}; give 1 or more")
        places = np.clip(k - self.above, 0, self.level)
        missed = np.ones(len(self.above))
        for step in range(int(self.right.max(initial=0))):
            # of the right answers, one after the other, each misses the places that are left
            factor = (self.level - places - step) / np.maximum(self.level - step, 1)
            missed = np.where(step < self.right, missed * np.clip(factor, 0, 1), missed)
        return 1 - missed


def owners(images: int, captions: int) -> NDArray[np.int64]:
    """The image of each caption where every image has equally many, in the order of the images.

    Args:
        images: Number of images.
        captions: Number of captions.

    Returns:
        The number of the image of each caption, (captions).

    Raises:
        ValueError: If the captions cannot be divided equally.
    """
    if images < 1 or captions < 1 or captions % images:
        raise EngramError(
            f"{captions} captions cannot be divided equally among {images} images; "
            "state the image of each caption"
        )
    return np.repeat(np.arange(images), captions // images)


def ranks(scores: NDArray[np.floating], owner: NDArray[np.integer]) -> tuple[Ranks, Ranks]:
    """Rank the right answers in both directions.

    Args:
        scores: Score of each pair, higher is better, (images, captions).
        owner: The image of each caption, (captions).

    Returns:
        Ranks of the captions of each image, by the best of them, (images), and of the image of
        each caption, (captions).

    Raises:
        ValueError: If the shapes do not match, an image has no caption, or a score is not finite.
    """
    matrix, owner = _checked(scores, owner)
    images, captions = matrix.shape
    target = matrix[owner, np.arange(captions)]
    best = np.full(images, -np.inf, dtype=matrix.dtype)
    np.fmax.at(best, owner, target)  # NaN is counted below
    above_row, level_row = np.empty(images, np.int32), np.empty(images, np.int32)
    above_column, level_column = np.zeros(captions, np.int32), np.zeros(captions, np.int32)
    bad = count(matrix, best, target, above_row, level_row, above_column, level_column)
    if bad:
        raise EngramError(f"{bad} scores are NaN or infinite; give a finite score for every pair")
    right = np.bincount(owner[target == best[owner]], minlength=images)
    wide = np.int64
    return (
        Ranks(above_row.astype(wide), level_row.astype(wide), right.astype(wide)),
        Ranks(above_column.astype(wide), level_column.astype(wide), np.ones(captions, wide)),
    )


def _checked(
    scores: NDArray[np.floating], owner: NDArray[np.integer]
) -> tuple[np.ndarray, np.ndarray]:
    matrix, owner = np.asarray(scores), np.asarray(owner)
    if matrix.ndim != 2 or not matrix.size:
        raise EngramError(f"scores have shape {matrix.shape}; give a matrix of images by captions")
    if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix):
        raise EngramError(f"scores are of type {matrix.dtype}; give real numbers")
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    images, captions = matrix.shape
    if owner.shape != (captions,) or not np.issubdtype(owner.dtype, np.integer):
        raise EngramError(
            f"the images of the captions have shape {owner.shape} and type {owner.dtype}; "
            f"give one whole number for each of the {captions} captions"
        )
    if owner.min() < 0 or owner.max() >= images:
        raise EngramError(
            f"a caption belongs to image {owner.min() if owner.min() < 0 else owner.max()}; "
            f"the scores have images 0 to {images - 1}"
        )
    without = np.flatnonzero(np.bincount(owner, minlength=images) == 0)
    if without.size:
        raise EngramError(
            f"{without.size} of {images} images have no caption, the first is image {without[0]}; "
            "leave them out of the scores"
        )
    return matrix, owner
