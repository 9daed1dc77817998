import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg

from engram.policy.relate.control import assess_nonsense, imitate, sunspots
from engram.policy.relate.yearly import Yearly


def whole(name: str, values: np.ndarray) -> Yearly:
    return Yearly(name, 1900, values, np.ones(len(values), bool))


def test_an_imitation_has_the_memory_and_the_steps_of_the_series():
    rng = np.random.default_rng(0)
    x = np.zeros(3000)
    for t in range(1, 3000):
        x[t] = 1 + 0.8 * x[t - 1] + rng.standard_normal()
    copy = imitate(whole("x", x), rng)
    fit = AutoReg(copy.values, 1).fit()
    assert fit.params[1] == pytest.approx(0.8, abs=0.04)
    assert np.sqrt(fit.sigma2) == pytest.approx(1, abs=0.05)
    assert abs(np.corrcoef(x[500:], copy.values[500:])[0, 1]) < 0.15


def test_an_imitation_of_what_explodes_stays_finite():
    growth = 1.2 ** np.arange(200) * (1 + 0.001 * np.random.default_rng(1).standard_normal(200))
    copy = imitate(whole("x", growth), np.random.default_rng(2))
    assert np.abs(copy.values).max() < 100 * growth.max()


def test_nonsense_correlates_in_levels_and_not_by_the_verdict():
    rng = np.random.default_rng(3)
    terms = [whole("term", np.cumsum(rng.standard_normal(150)))]
    indicators = [whole(f"{i}", np.cumsum(rng.standard_normal(150))) for i in range(2)]
    found = assess_nonsense(terms, indicators, range(-2, 3), rng, count=150, draws=199)
    assert found.levels.estimate > 0.4
    assert found.verdict.estimate < 0.12
    assert not found.failed


def test_sunspots_come_with_statsmodels():
    series = sunspots(1791, 2024)
    assert series is not None
    assert (series.index[0], series.index[-1]) == (1791, 2008)
    years = dict(zip(series.index, series.values, strict=True))
    assert years[1957] == 190.2  # the highest of the old yearly numbers
    assert sunspots(1990, 2024) is None
