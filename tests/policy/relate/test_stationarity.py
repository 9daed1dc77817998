import warnings

import numpy as np
import pytest
from statsmodels.tsa.stattools import adfuller, kpss

from engram.policy.relate.stationarity import assess_stationarity
from engram.policy.relate.yearly import Yearly


def assess(values: np.ndarray):
    return assess_stationarity(Yearly("x", 1800, values, np.ones(len(values), bool)))


def noise(seed: int, n: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("seed", range(3))
def test_p_values_are_those_of_statsmodels(seed):
    values = np.cumsum(noise(seed))
    found = assess(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its interpolation, and of results to come
        theirs = adfuller(values, regression="c", autolag="AIC")[1]
        bounded = kpss(values, regression="c", nlags="auto")[1]
    assert found.adf_p == pytest.approx(theirs, rel=1e-6)
    assert found.kpss_p is not None
    assert np.clip(found.kpss_p, 0.01, 0.1) == pytest.approx(bounded, abs=0.01)


@pytest.mark.parametrize(
    ("values", "order", "advice"),
    [
        (noise(0), 0, "can be interpreted"),
        (np.cumsum(noise(1)), 1, "like a random walk"),
        (noise(2) + 0.03 * np.arange(200), 1, "take differences"),
        (np.cumsum(np.cumsum(noise(3))), 2, "even its differences"),
    ],
)
def test_the_advice_fits_the_series(values, order, advice):
    found = assess(values)
    assert found.order == order
    assert advice in found.advice
