"""Recalls, folds and intervals, against plain counting and against the spread of fresh samples."""

import numpy as np
import pytest

from engram.retrieval.measure import evaluate, evaluate_folds, owners


def similarities(seed: int, images: int = 60, per_image: int = 3) -> np.ndarray:
    """Scores of noisy captions of images."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(images, 8))
    captions = np.repeat(vectors, per_image, 0) + 1.5 * rng.normal(size=(images * per_image, 8))
    return vectors @ captions.T


def plain(scores: np.ndarray, owner: np.ndarray) -> list[float]:
    """The six recalls by sorting, in per cent."""
    images = [
        min(np.flatnonzero(owner[np.argsort(-row)] == image)) for image, row in enumerate(scores)
    ]
    captions = [
        list(np.argsort(-scores[:, caption])).index(image) for caption, image in enumerate(owner)
    ]
    return [100 * float(np.mean(np.array(r) < k)) for r in (images, captions) for k in (1, 5, 10)]


def cells(quality) -> list[float]:
    both = (*quality.image_to_text.recalls, *quality.text_to_image.recalls)
    return [cell.estimate for cell in both]


def test_recalls_are_those_of_sorting_with_unequal_numbers_of_captions() -> None:
    scores, owner = similarities(0), owners(60, 180)
    kept = np.sort(np.append(np.arange(0, 180, 3), np.arange(1, 180, 6)))
    quality = evaluate(scores[:, kept], owner[kept], np.random.default_rng(0), 50)
    assert cells(quality) == pytest.approx(plain(scores[:, kept], owner[kept]))
    assert quality.rsum.estimate == pytest.approx(sum(plain(scores[:, kept], owner[kept])))
    assert (quality.image_to_text.queries, quality.text_to_image.queries) == (60, len(kept))


def test_directions_are_not_swapped() -> None:
    # every caption of image 1 is closest to its own image, but image 1 prefers a caption of 0
    scores = np.array([[9.0, 9.0, 0, 0], [8.0, 0, 5.0, 5.0]])
    quality = evaluate(scores, owners(2, 4), np.random.default_rng(0), 50)
    assert quality.image_to_text.recalls[0].estimate == 50
    assert quality.text_to_image.recalls[0].estimate == 100


def test_folds_are_evaluated_on_their_own() -> None:
    scores, owner = similarities(1), owners(60, 180)
    order = np.random.default_rng(5).permutation(180)
    parts = evaluate_folds(scores[:, order], owner[order], 3, np.random.default_rng(0), 50)
    for fold, part in enumerate(parts):
        images, captions = slice(20 * fold, 20 * fold + 20), slice(60 * fold, 60 * fold + 60)
        assert cells(part) == pytest.approx(plain(scores[images, captions], owners(20, 60)))
    with pytest.raises(ValueError, match="7 folds"):
        evaluate_folds(scores, owner, 7, np.random.default_rng(0))
    with pytest.raises(ValueError, match="2 owners"):
        evaluate_folds(scores, owner[:2], 3, np.random.default_rng(0))


def test_intervals_of_independent_queries_are_those_of_proportions() -> None:
    # half of 400 images are found and half are not: the interval is that of a proportion of 1/2
    found = np.arange(400) % 2 == 0
    scores = np.where(np.eye(400, dtype=bool), np.where(found, 1.0, -1.0)[:, None], 0.0)
    recall = evaluate(scores, owners(400, 400), np.random.default_rng(0), 4000)
    cell = recall.text_to_image.recalls[0]
    half = 100 * 1.96 * np.sqrt(0.25 / 400)
    assert cell.estimate == 50
    assert (cell.low, cell.high) == pytest.approx((50 - half, 50 + half), abs=0.6)


def test_the_interval_of_captions_knows_that_they_share_an_image() -> None:
    # the five captions of an image are all found or all lost: 80 images, not 400 observations
    found = np.arange(80) % 2 == 0
    own = np.eye(80, dtype=bool).repeat(5, axis=1)
    scores = np.where(own, np.where(found, 1.0, -1.0)[:, None], 0.0)
    cell = evaluate(scores, owners(80, 400), np.random.default_rng(0), 4000).text_to_image.recalls[
        0
    ]
    assert (cell.high - cell.low) / 2 == pytest.approx(100 * 1.96 * np.sqrt(0.25 / 80), rel=0.1)
