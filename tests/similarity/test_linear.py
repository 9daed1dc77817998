"""Leave-one-out ridge against scikit-learn's refits."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, LeaveOneOut, cross_val_predict

from engram.errors import EngramError
from engram.similarity import leave_one_out_ridge, tsvd_reg, tsvd_reg_parity


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(20, 30)) * np.linspace(3, 0.1, 30) + 2
    return x, x[:, :6] @ rng.normal(size=(6, 4)) + rng.normal(size=(20, 4))


def refitted(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    return np.asarray(cross_val_predict(Ridge(alpha, solver="svd"), x, y, cv=LeaveOneOut()))


def test_predictions_equal_those_of_refits(data: tuple) -> None:
    x, y = data
    ours = leave_one_out_ridge(x, y, [0.7])
    theirs = refitted(x, y, 0.7)
    np.testing.assert_allclose(ours.prediction, theirs, atol=1e-10)
    wanted = [np.corrcoef(theirs[:, k], y[:, k])[0, 1] for k in range(4)]
    np.testing.assert_allclose(ours.scores, wanted, atol=1e-10)


def test_alpha_is_chosen_without_the_stimulus(data: tuple) -> None:
    x, y = data
    alphas = (0.01, 1.0, 5.0, 30.0, 100.0)
    ours = leave_one_out_ridge(x, y, alphas)
    for out in range(len(x)):
        kept = np.arange(len(x)) != out
        errors = [((refitted(x[kept], y[kept], a) - y[kept]) ** 2).sum() for a in alphas]
        chosen = alphas[int(np.argmin(errors))]
        assert ours.alphas[out] == chosen
        fit = Ridge(chosen, solver="svd").fit(x[kept], y[kept])
        np.testing.assert_allclose(ours.prediction[out], fit.predict(x[[out]])[0], atol=1e-8)


def test_parity_equals_the_published_calls(data: tuple) -> None:
    x, y = data
    scaled = (x - x.mean()) / (x.std() + 1e-10)
    reduced = TruncatedSVD(8, random_state=2022).fit_transform(scaled)
    folds = KFold(len(x), shuffle=True, random_state=1)
    theirs = np.asarray(cross_val_predict(Ridge(alpha=1.0), reduced, y, cv=folds))
    wanted = np.mean([np.corrcoef(theirs[:, k], y[:, k])[0, 1] for k in range(4)])
    assert tsvd_reg_parity(x, y, 8).score == pytest.approx(wanted, abs=1e-6)


def test_corrected_equals_the_exact_svd(data: tuple) -> None:
    x, y = data
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    theirs = refitted(u[:, :5] * s[:5], y, 2.0)
    np.testing.assert_allclose(tsvd_reg(x, y, 5, [2.0]).prediction, theirs, atol=1e-10)


def test_a_silent_neuron_is_named_and_the_others_are_scored(data: tuple) -> None:
    x, y = data
    alone = leave_one_out_ridge(x, y[:, 1:], [1.0])
    ours = leave_one_out_ridge(x, np.where(np.arange(4) == 0, 3.0, y), [1.0])
    assert ours.silent.tolist() == [0]
    assert ours.score == pytest.approx(alone.score, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x[1:], y), "match them by their ids"),
        (lambda x, y: (x[:3], y[:3]), "at least 4 stimuli"),
        (lambda x, y: (x * np.nan, y), "NaN"),
        (lambda x, y: (x, y * 0), "nothing to predict"),
    ],
)
def test_bad_input_is_named(data: tuple, change, words: str) -> None:
    with pytest.raises(EngramError, match=words):
        leave_one_out_ridge(*change(*data))


def test_too_few_dimensions_and_bad_penalties_are_named(data: tuple) -> None:
    x, y = data
    with pytest.raises(EngramError, match="20 stimuli for 40 components"):
        tsvd_reg(x, y)
    with pytest.raises(EngramError, match="varies in 1 dimensions"):
        tsvd_reg(np.outer(np.arange(20), np.ones(30)), y, 3)
    with pytest.raises(EngramError, match="positive"):
        leave_one_out_ridge(x, y, [0.0])
