import numpy as np
import pytest
from scipy.stats import norm, rankdata
from statsmodels.tsa.ar_model import AutoReg

from engram.policy.relate.prewhiten import innovations, normal_scores
from engram.policy.relate.yearly import Yearly


def walk(seed: int, n: int = 120) -> Yearly:
    rng = np.random.default_rng(seed)
    x = np.zeros(n)
    for t in range(2, n):
        x[t] = 0.6 * x[t - 1] + 0.3 * x[t - 2] + rng.standard_normal()
    return Yearly("x", 1900, x, np.ones(n, bool))


@pytest.mark.parametrize("seed", range(5))
def test_order_and_residuals_are_those_of_statsmodels(seed):
    series = walk(seed)
    found = innovations(series, 6)
    aic = [AutoReg(series.values, p, hold_back=6).fit().aic for p in range(1, 7)]
    assert found.order == 1 + int(np.argmin(aic))
    theirs = AutoReg(series.values, found.order).fit()
    np.testing.assert_allclose(found.coefficients, theirs.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.values[found.order :], theirs.resid, atol=1e-8)
    assert np.isnan(found.values[: found.order]).all()


def test_a_year_that_was_not_observed_has_no_innovation():
    series = walk(1)
    observed = series.observed.copy()
    observed[[40, 41]] = False
    found = innovations(Yearly("x", 1900, series.values, observed))
    assert np.isnan(found.values[[40, 41]]).all()
    assert np.isfinite(found.values[42:]).all()


def test_innovations_of_a_drifting_walk_are_white():
    rng = np.random.default_rng(0)
    steps = rng.standard_normal(3000) + 0.5
    found = innovations(Yearly("x", 0, np.cumsum(steps), np.ones(3000, bool))).values
    left = found[np.isfinite(found)]
    assert np.corrcoef(left, steps[-len(left) :])[0, 1] > 0.99
    assert abs(np.corrcoef(left[1:], left[:-1])[0, 1]) < 0.05


def test_normal_scores_are_quantiles_of_ranks_and_ignore_gaps():
    rows = np.random.default_rng(0).exponential(size=(2, 50))
    rows[0, [3, 8]] = np.nan
    found = normal_scores(rows)
    known = np.isfinite(rows[0])
    assert np.isnan(found[0, ~known]).all()
    np.testing.assert_allclose(found[0, known], norm.ppf(rankdata(rows[0, known]) / 49))
    assert np.sort(found[1]) == pytest.approx(-np.sort(found[1])[::-1])
