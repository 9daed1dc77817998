from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import chi2
from statsmodels.tsa.api import VAR

from engram.policy.relate.causality import _order, assess_causality, past_adds
from engram.policy.relate.yearly import Yearly


def caused(seed: int, n: int = 200, strength: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Two walks; the steps of the second follow those of the first by a year."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal(n)
    return np.cumsum(steps), np.cumsum(strength * np.roll(steps, 1) + rng.standard_normal(n))


@pytest.mark.parametrize(("order", "extra"), [(1, 0), (2, 1), (3, 2)])
def test_the_score_is_the_robust_lagrange_multiplier_of_statsmodels(order, extra):
    x, y = caused(0, strength=0.1)
    n, lags = len(y), order + extra
    own = [y[lags - k : n - k] for k in range(1, lags + 1)]
    other = [x[lags - k : n - k] for k in range(1, lags + 1)]
    base = sm.add_constant(np.column_stack([*own, *other[order:]]))
    e = sm.OLS(y[lags:], base).fit().resid
    z = np.column_stack([sm.OLS(column, base).fit().resid for column in other[:order]])
    # Wooldridge (1991): n less the residual sum of squares of ones on the scores
    theirs = sm.OLS(np.ones(n - lags), z * e[:, None]).fit()
    ours = past_adds(x, y, order, np.random.default_rng(1), extra=extra, draws=4999)
    assert ours.statistic == pytest.approx(n - lags - theirs.ssr)
    assert ours.p_value == pytest.approx(chi2.sf(ours.statistic, order), abs=0.03)


def test_the_order_is_that_of_least_aic():
    for seed in range(4):
        x, y = caused(seed)
        theirs = VAR(np.column_stack([x, y])).select_order(4).ics["aic"]
        assert _order(x, y) == 1 + int(np.argmin(theirs[1:]))


def test_prediction_is_found_in_its_direction():
    x, y = (
        Yearly(name, 1800, values, np.ones(200, bool))
        for name, values in zip("xy", caused(3), strict=True)
    )
    rng = np.random.default_rng(0)
    forward: Any
    backward: Any
    forward, backward = assess_causality(x, y, rng), assess_causality(y, x, rng)
    assert max(forward.granger_p, forward.toda_yamamoto_p) < 0.01
    assert min(backward.granger_p, backward.toda_yamamoto_p) > 0.05
    assert (forward.cause, forward.effect) == ("x", "y")
