"""The permutation test against all permutations and against its own level."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import squareform

from engram.errors import EngramError
from engram.similarity import permutation_test


def test_it_agrees_with_all_permutations() -> None:
    rng = np.random.default_rng(4)
    a = rng.random(15)
    b = a + 0.5 * rng.random(15)
    square, upper = squareform(a), np.triu_indices(6, 1)
    orders = [list(order) for order in permutations(range(6))]
    every = np.array([stats.pearsonr(square[np.ix_(o, o)][upper], b)[0] for o in orders])
    ours = permutation_test(a, b, rng, "pearson", 2000)
    assert ours.score == pytest.approx(every[0], abs=1e-12)
    assert ours.mean == pytest.approx(every.mean(), abs=5 * every.std() / np.sqrt(2000))
    p = (every >= every[0] - 1e-12).mean()
    assert ours.p == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 2000) + 1 / 2000)


def test_independent_rdms_pass_at_the_stated_rate() -> None:
    rng = np.random.default_rng(9)
    pairs = rng.random((400, 2, 28))
    ps = [permutation_test(a, b, rng, "pearson", 19).p for a, b in pairs]
    assert stats.binomtest(sum(p <= 0.05 for p in ps), 400, 0.05).pvalue > 1e-3


def test_too_few_draws_are_refused() -> None:
    a = np.arange(6.0)
    with pytest.raises(EngramError, match="at least 19"):
        permutation_test(a, a, np.random.default_rng(0), draws=10)
