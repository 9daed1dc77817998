"""Ranks against all orders of the ties, against sorting, and against chance."""

from itertools import permutations
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engram.retrieval.measure import owners, ranks

HAND_MADE = np.array(
    [
        # image 0 owns captions 0-4, image 1 owns 5-9, image 2 owns 10-14, image 3 owns 15-19
        [9, 1, 1, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [5, 5, 0, 0, 0, 4, 3, 3, 3, 3, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 2, 2, 2, 7, 0, 0, 0, 0],
        [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
    ],
    dtype=np.float32,
)


def test_a_hand_made_matrix_of_4_images_and_20_captions() -> None:
    by_image, by_caption = ranks(HAND_MADE, owners(4, 20))
    # image 1: captions 10, 0 and 1 score above its best, 4. Image 2: two of three tied are right,
    # so that the first right one is at 1 + 1/3. Image 3: five of twenty tied are right.
    assert by_image.expected == pytest.approx([1, 4, 4 / 3, 21 / 6])
    assert by_image.recall(1) == pytest.approx([1, 0, 2 / 3, 5 / 20])
    assert by_image.recall(5) == pytest.approx([1, 1, 1, 1 - comb(15, 5) / comb(20, 5)])
    # the images of captions 1-4 score 1 against 2 of image 3, and 5 (caption 1) of image 1
    assert by_caption.expected[:5] == pytest.approx([1, 3, 2, 2, 2])
    assert by_caption.expected[5:10] == pytest.approx([2, 1, 1, 1, 1])
    assert by_caption.expected[10:15] == pytest.approx([1, 1, 1.5, 1.5, 1.5])
    assert by_caption.expected[15:] == pytest.approx([2, 1, 1, 1, 1])
    assert by_caption.recall(1)[12] == pytest.approx(1 / 2)


def all_orders(row: np.ndarray, right: set[Any], k: int) -> tuple[float, float]:
    """Mean rank of the first right answer, and how often it is in the first k, over all orders."""
    firsts = []
    for order in permutations(range(len(row))):
        ranked = sorted(order, key=lambda j: -row[j])  # stable: ties stay in this order
        firsts.append(min(ranked.index(j) for j in right) + 1)
    return float(np.mean(firsts)), float(np.mean(np.array(firsts) <= k))


@given(hnp.arrays(np.float64, (2, 6), elements=st.integers(0, 2).map(float)), st.integers(1, 4))
def test_ties_are_the_mean_over_all_orders(scores: np.ndarray, k: int) -> None:
    owner = np.array([0, 1, 0, 1, 1, 0])
    by_image, by_caption = ranks(scores, owner)
    for image in range(2):
        rank, share = all_orders(scores[image], set(np.flatnonzero(owner == image)), k)
        assert by_image.expected[image] == pytest.approx(rank)
        assert by_image.recall(k)[image] == pytest.approx(share)
    for caption in range(6):
        rank, share = all_orders(scores[:, caption], {int(owner[caption])}, k)
        assert by_caption.expected[caption] == pytest.approx(rank)
        assert by_caption.recall(k)[caption] == pytest.approx(share)


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]))
def test_without_ties_ranks_are_those_of_sorting(seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    images, captions = 7, 21
    scores = rng.permutation(images * captions).reshape(images, captions).astype(dtype)
    owner = rng.permutation(np.repeat(np.arange(images), 3))
    by_image, by_caption = ranks(scores, owner)
    for image in range(images):
        places = np.flatnonzero(owner[np.argsort(-scores[image])] == image)
        assert by_image.expected[image] == places[0] + 1
        assert list(by_image.recall(5)[[image]]) == [places[0] < 5]
    for caption in range(captions):
        place = list(np.argsort(-scores[:, caption])).index(owner[caption])
        assert by_caption.expected[caption] == place + 1


@pytest.mark.parametrize("k", [1, 5, 10])
def test_a_constant_scorer_performs_at_chance(k: int) -> None:
    by_image, by_caption = ranks(np.zeros((40, 200)), owners(40, 200))
    assert by_caption.recall(k) == pytest.approx(np.full(200, k / 40))
    assert by_image.recall(k) == pytest.approx(np.full(40, 1 - comb(195, k) / comb(200, k)))


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda m: m[:, ::-1][:, ::-1]])
def test_strides_do_not_matter(layout) -> None:
    scores = np.random.default_rng(1).normal(size=(6, 18))
    laid_out, straight = ranks(layout(scores), owners(6, 18)), ranks(scores, owners(6, 18))
    for ours, plain in zip(laid_out, straight, strict=True):
        assert (ours.above == plain.above).all()


@pytest.mark.parametrize(
    ("scores", "owner", "message"),
    [
        (np.zeros(3), owners(1, 3), r"shape \(3,\)"),
        (np.zeros((0, 3)), owners(1, 3), "matrix"),
        (np.zeros((2, 2), complex), owners(2, 2), "complex"),
        (np.array([[0, np.nan], [np.inf, 0]]), owners(2, 2), "2 scores are NaN or infinite"),
        (np.array([[np.nan, 0.0], [0, 0]]), owners(2, 2), "1 scores are NaN or infinite"),
        (np.zeros((2, 2)), np.array([0, 2]), "image 2; the scores have images 0 to 1"),
        (np.zeros((2, 2)), np.array([-1, 0]), "image -1"),
        (np.zeros((2, 2)), np.array([0, 0]), "1 of 2 images have no caption"),
        (np.zeros((2, 2)), np.array([0.0, 1.0]), "whole number"),
        (np.zeros((2, 4)), owners(2, 2), "each of the 4 captions"),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores, owner, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ranks(scores, owner)


@pytest.mark.parametrize(("images", "captions"), [(3, 10), (0, 5), (5, 0), (5, 4)])
def test_captions_are_divided_equally_or_not_at_all(images: int, captions: int) -> None:
    with pytest.raises(ValueError, match=f"{captions} captions"):
        owners(images, captions)


def test_k_is_at_least_1() -> None:
    with pytest.raises(ValueError, match="k is 0"):
        ranks(np.eye(2), owners(2, 2))[0].recall(0)
