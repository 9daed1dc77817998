"""RDMs and their comparison against SciPy, brute force and the published scores."""

import os
import tracemalloc
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from engram.errors import EngramError
from engram.similarity import (
    METHODS,
    compare,
    correlation_rdm,
    crossnobis,
    partition_variance,
    rsa_parity,
)
from engram.similarity.matrix import COLUMNS


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two RDMs of 9 stimuli with ties."""
    a = rng.integers(0, 12, 36)
    return a.astype(float), (a + rng.integers(0, 9, 36)).astype(float)


@pytest.mark.parametrize("width", [7, COLUMNS + 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_correlation_distances_are_those_of_scipy(
    rng: np.random.Generator, width: int, dtype: type
) -> None:
    x = (rng.normal(size=(8, width)) + 30).astype(dtype)
    wanted = pdist(x.astype(np.float64), "correlation")
    np.testing.assert_allclose(correlation_rdm(x), wanted, rtol=0, atol=1e-10)


def test_large_features_are_not_copied(rng: np.random.Generator) -> None:
    x = rng.random((40, 20 * COLUMNS), dtype=np.float32)
    tracemalloc.start()
    try:
        correlation_rdm(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes / 2


def test_a_silent_stimulus_is_refused(rng: np.random.Generator) -> None:
    x = rng.normal(size=(8, 20))
    x[3] = 0.1
    with pytest.raises(EngramError, match=r"stimulus 3 .*silent"):
        correlation_rdm(x)
    x[3, 0] = np.nan
    with pytest.raises(EngramError, match="NaN"):
        correlation_rdm(x)


def test_pearson_spearman_and_cosine_are_those_of_scipy(pair: tuple) -> None:
    a, b = pair
    assert compare(a, b, "pearson") == pytest.approx(stats.pearsonr(a, b)[0], abs=1e-12)
    assert compare(a, b, "spearman") == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)
    assert compare(a, b, "cosine") == pytest.approx(1 - pdist([a, b], "cosine")[0], abs=1e-12)


def test_tau_a_counts_pairs(pair: tuple) -> None:
    a, b = pair
    signs = [np.sign((a[i] - a[j]) * (b[i] - b[j])) for i, j in combinations(range(36), 2)]
    assert compare(a, b, "tau-a") == pytest.approx(np.mean(signs), abs=1e-12)


def test_rho_a_is_the_mean_over_orders_of_the_ties(pair: tuple, rng: np.random.Generator) -> None:
    a, b = pair

    def broken(values: np.ndarray) -> np.ndarray:
        return stats.rankdata(values + 1e-6 * rng.random(values.size))

    draws = [float(np.corrcoef(broken(a), broken(b))[0, 1]) for _ in range(4000)]
    error = np.std(draws) / np.sqrt(4000)
    assert compare(a, b, "rho-a") == pytest.approx(np.mean(draws), abs=5 * error)


def test_whitening_uses_the_covariance_of_the_distances(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    one, two = pair
    a, b = one - one.mean(), two - two.mean()
    contrasts = np.zeros((36, 9))
    for row, (i, j) in enumerate(combinations(range(9), 2)):
        contrasts[row, [i, j]] = 1, -1
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    wanted = a @ inverse @ b / np.sqrt((a @ inverse @ a) * (b @ inverse @ b))
    assert compare(one, two, "whitened") == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_1_to_itself_and_is_symmetric(
    rng: np.random.Generator, method: str
) -> None:
    a, b = rng.random((2, 36))
    assert compare(a, a, method) == pytest.approx(1, abs=1e-12)
    assert compare(a, b, method) == pytest.approx(compare(b, a, method), abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "method", "words"),
    [
        (np.ones(6), np.arange(6.0), "spearman", "equal distances"),
        (np.arange(6.0), np.arange(10.0), "spearman", "shapes"),
        (np.arange(5.0), np.arange(5.0), "spearman", "upper triangles"),
        (np.array([0, 1, np.nan]), np.arange(3.0), "pearson", "NaN"),
        (np.arange(6.0), np.arange(6.0), "tau", "choose one of"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    a: np.ndarray, b: np.ndarray, method: str, words: str
) -> None:
    with pytest.raises(EngramError, match=words):
        compare(a, b, method)


def test_parity_gives_undefined_distances_ranks(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(12, 30)), rng.normal(size=(12, 6))
    wanted = stats.spearmanr(pdist(x, "correlation"), pdist(y, "correlation"))[0]
    assert rsa_parity(x, y) == pytest.approx(wanted, abs=1e-10)
    x[4] = 0
    assert np.isfinite(rsa_parity(x, y))  # the fault of the published code


def test_crossnobis_is_the_mean_over_pairs_of_partitions(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 5, 4))
    root = rng.normal(size=(4, 4))
    metric = root @ root.T + np.eye(4)
    wanted = [
        np.mean(
            [
                (x[a, i] - x[a, j]) @ metric @ (x[b, i] - x[b, j]) / 4
                for a in range(3)
                for b in range(3)
                if a != b
            ]
        )
        for i, j in combinations(range(5), 2)
    ]
    np.testing.assert_allclose(crossnobis(x, metric), wanted, atol=1e-12)


def test_crossnobis_is_unbiased_for_noise(rng: np.random.Generator) -> None:
    draws = np.array([crossnobis(rng.normal(size=(2, 6, 10))).mean() for _ in range(2000)])
    assert abs(draws.mean()) < 5 * draws.std() / np.sqrt(2000)
    with pytest.raises(EngramError, match="2 or more"):
        crossnobis(rng.normal(size=(1, 6, 10)))


def test_variance_divides_as_orthogonal_predictors_say(rng: np.random.Generator) -> None:
    basis = np.linalg.qr(np.column_stack([np.ones(45), rng.normal(size=(45, 3))]))[0][:, 1:]
    target = 3 * basis[:, 0] + 2 * basis[:, 1] + basis[:, 2] + 7
    part = partition_variance(target, {"a": basis[:, 0], "b": basis[:, 1]})
    assert part.total == pytest.approx(13 / 14)
    assert part.unique == pytest.approx({"a": 9 / 14, "b": 4 / 14})
    assert part.shared == pytest.approx(0, abs=1e-12)
    with pytest.raises(EngramError, match="depend on each other"):
        partition_variance(target, {"a": basis[:, 0], "b": 2 * basis[:, 0] + 1})


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
def test_similarity_of_pixels_with_monkey_cortex_is_the_known_one() -> None:
    path = Path(os.environ["ENGRAM_DATA"]) / "neural/kriegeskorte2008.npz"
    with np.load(path) as file:
        pixels, monkey = file["images"], file["rdm_monkey_it"]
        man = file["rdm_human_it_mean"]
    assert compare(correlation_rdm(pixels), monkey) == pytest.approx(0.145, abs=0.001)
    assert compare(man, monkey) > compare(correlation_rdm(pixels), monkey)
