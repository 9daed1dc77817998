import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import pearsonr, spearmanr

from engram.policy.relate.correlation import (
    bootstrap_intervals,
    correlation,
    hac_interval,
    long_run_variance,
    rank_correlation,
)
from engram.stats import Interval


def pair(seed: int, n: int = 150, r: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, e = rng.standard_normal((2, n))
    return x, r * x + math.sqrt(1 - r * r) * e


def test_correlations_are_scipys():
    x, y = pair(0)
    assert correlation(x, y) == pytest.approx(pearsonr(x, y)[0])
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x, y)[0])
    assert correlation(x, np.zeros_like(x)) == 0


@pytest.mark.parametrize("bandwidth", [0, 3, 12])
def test_long_run_variance_is_that_of_statsmodels(bandwidth):
    x, _ = pair(1)
    walk = np.cumsum(x)
    fit = sm.OLS(walk, np.ones(len(x))).fit(cov_type="HAC", cov_kwds={"maxlags": bandwidth})
    assert long_run_variance(walk, bandwidth) / len(x) == pytest.approx(fit.bse[0] ** 2)


def test_intervals_of_independent_years_come_near_fishers():
    x, y = pair(2, n=4000)
    half = 1.96 / math.sqrt(len(x) - 3)
    centre = math.atanh(float(correlation(x, y)))
    fisher = math.tanh(centre - half), math.tanh(centre + half)
    hac = hac_interval(x, y)
    (bootstrap,) = bootstrap_intervals(x, y[None], np.random.default_rng(0))
    assert (hac.low, hac.high) == pytest.approx(fisher, abs=0.012)
    assert (bootstrap.low, bootstrap.high) == pytest.approx(fisher, abs=0.012)


def test_intervals_widen_where_years_depend_on_each_other():
    rng = np.random.default_rng(3)
    steps = rng.standard_normal((2, 400))
    slow = np.zeros((2, 400))
    for t in range(1, 400):
        slow[:, t] = 0.9 * slow[:, t - 1] + steps[:, t]

    def by_bootstrap(x: np.ndarray, y: np.ndarray) -> Interval:
        return bootstrap_intervals(x, y[None], np.random.default_rng(0))[0]

    for of in (hac_interval, by_bootstrap):
        white, dependent = of(*steps), of(*slow)
        assert dependent.high - dependent.low > 1.8 * (white.high - white.low)


def test_every_interval_holds_its_estimate_and_repeats_from_its_seed():
    x, y = pair(4, n=40)
    ys = np.stack([y, -y, np.roll(y, 3), np.zeros(40)])
    first, second = (bootstrap_intervals(x, ys, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert all(one.low <= one.estimate <= one.high for one in first)
    assert hac_interval(x, x)[:3] == pytest.approx((1.0, -1.0, 1.0))
