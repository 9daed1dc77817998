"""SVCCA, CKA and Procrustes against SciPy, definitions and simulated chance."""

from itertools import permutations

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.spatial import procrustes as scipy_procrustes
from sklearn.decomposition import TruncatedSVD

from engram.errors import EngramError
from engram.similarity import cka, procrustes, svcca, svcca_chance, svcca_parity


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def angles(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.cos(subspace_angles(x - x.mean(0), y - y.mean(0))).mean())


@pytest.mark.parametrize("width", [25, 90])
def test_corrected_svcca_equals_exact_svd_and_scipy(rng: np.random.Generator, width: int) -> None:
    x, y = rng.normal(size=(40, width)), rng.normal(size=(40, 30))
    reduced = []
    for each in (x, y):
        u, s, _ = np.linalg.svd(each - each.mean(0), full_matrices=False)
        reduced.append(u[:, :9] * s[:9])
    assert svcca(x, y, 9) == pytest.approx(angles(*reduced), abs=1e-10)


def test_parity_equals_the_published_calls(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 90)), rng.normal(size=(60, 30))

    def reduced(each: np.ndarray) -> np.ndarray:
        scaled = (each - each.mean()) / (each.std() + 1e-10)
        return TruncatedSVD(12, random_state=2022).fit_transform(scaled)

    assert svcca_parity(x, y, 12) == pytest.approx(angles(reduced(x), y), abs=1e-6)
    both = svcca_parity(x, y, 12, reduce_y=True)
    assert both == pytest.approx(angles(reduced(x), reduced(y)), abs=1e-6)


@pytest.mark.parametrize(("stimuli", "dims", "others"), [(118, 40, 40), (60, 20, 35), (70, 40, 50)])
def test_chance_is_what_independent_features_give(
    rng: np.random.Generator, stimuli: int, dims: int, others: int
) -> None:
    draws = []
    for _ in range(100):
        x, y = rng.normal(size=(stimuli, dims)), rng.normal(size=(stimuli, others))
        draws.append(svcca(x, y, max(dims, others)))
    assert svcca_chance(stimuli, dims, others) == pytest.approx(np.mean(draws), abs=0.006)


def test_chance_of_the_published_setting() -> None:
    assert svcca_chance(118, 40, 40) == pytest.approx(0.515, abs=0.01)


def test_unbiased_cka_is_the_sum_over_different_stimuli(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 4))
    k, m = x @ x.T, y @ y.T

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        """Song et al., equation 4: the mean over all ordered tuples of four."""
        terms = [
            k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(6), 4)
        ]
        return float(np.mean(terms))

    wanted = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert cka(x, y) == pytest.approx(wanted, abs=1e-12)


def test_independent_features_have_no_cka(rng: np.random.Generator) -> None:
    draws = [cka(rng.normal(size=(32, 100)), rng.normal(size=(32, 100))) for _ in range(200)]
    assert abs(np.mean(draws)) < 0.02


@pytest.mark.parametrize("measure", [cka, procrustes])
def test_rotations_scales_and_shifts_change_nothing(rng: np.random.Generator, measure) -> None:
    x, y = rng.normal(size=(15, 8)), rng.normal(size=(15, 5))
    turned = 3 * x @ np.linalg.qr(rng.normal(size=(8, 8)))[0] + 4
    assert measure(turned, y) == pytest.approx(measure(x, y), abs=1e-10)
    assert measure(x, turned) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("width", [5, 40])  # more and fewer features than stimuli
def test_procrustes_equals_scipy(rng: np.random.Generator, width: int) -> None:
    x, y = rng.normal(size=(12, width)), rng.normal(size=(12, width))
    assert 1 - procrustes(x, y) ** 2 == pytest.approx(scipy_procrustes(x, y)[2], abs=1e-10)


def test_bad_input_is_named(rng: np.random.Generator) -> None:
    x = rng.normal(size=(12, 20))
    with pytest.raises(EngramError, match="every canonical correlation would be 1"):
        svcca_parity(x, x, 12)
    with pytest.raises(EngramError, match="silent"):
        procrustes(x, np.ones((12, 3)))
    with pytest.raises(EngramError, match="not positive"):
        cka(x, np.ones((12, 3)))
    with pytest.raises(EngramError, match="more stimuli"):
        svcca_chance(40, 40, 3)
