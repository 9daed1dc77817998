import json
from pathlib import Path

import numpy as np
import pytest

from engram.critical.measure import (
    autocorrelation,
    branching,
    coefficients,
    dfa,
    susceptibility,
)
from engram.critical.measure.branching import fit_exponential
from engram.errors import EngramError
from tests.critical.measure.make_references import activity

REFERENCES = json.loads(Path(__file__).with_name("references.json").read_text())
STEPS = np.array([1, 2, 3, 5, 10, 40])


def process(m: float, n: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    """A driven branching process in its stationary state, (time)."""
    found, x = np.empty(n, int), int(mean)
    for t in range(-500, n):
        x = rng.poisson(m * x + mean * (1 - m))
        if t >= 0:
            found[t] = x
    return found


@pytest.mark.parametrize("method", ["ts", "sm"])
def test_slopes_agree_with_mrestimator(method) -> None:
    ours = coefficients(activity(), STEPS, method)
    np.testing.assert_allclose(ours, REFERENCES[method], rtol=0, atol=1e-10)


def test_the_fit_finds_the_exponential_that_made_the_slopes() -> None:
    for m, b in ((0.3, 0.9), (0.95, 0.1), (0.999, 0.5), (1.05, 0.2)):
        found = fit_exponential(STEPS, b * m**STEPS)
        np.testing.assert_allclose(found, (m, b), rtol=1e-6)
    far = np.arange(1, 5000)  # powers of 1.2 beyond what float64 holds are among the candidates
    np.testing.assert_allclose(fit_exponential(far, 0.4 * 0.9**far), (0.9, 0.4), rtol=1e-6)


@pytest.mark.parametrize("m", [0.85, 0.95, 0.99])
def test_a_tenth_of_the_units_gives_the_ratio_where_the_naive_slope_fails(m: float) -> None:
    rng = np.random.default_rng(20)
    errors, naive = [], []
    for _ in range(7):
        seen = rng.binomial(process(m, 40_000, 200, rng), 0.1)[None]
        found = branching(seen, rng, draws=30)
        errors.append(abs(found.ratio.estimate - m))
        naive.append(abs(found.naive - m))
    assert np.median(errors) <= 0.01
    assert np.median(naive) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("m", [0.85, 0.95, 0.99])
def test_the_interval_of_the_ratio_covers_it(m: float) -> None:
    rng = np.random.default_rng(21)
    covered, errors = 0, []
    for _ in range(100):
        seen = rng.binomial(process(m, 20_000, 200, rng), 0.1)[None]
        found = branching(seen, rng, draws=60)
        covered += found.ratio.low <= m <= found.ratio.high
        errors.append(abs(found.ratio.estimate - m))
    assert covered >= 90
    assert np.median(errors) <= 0.01


def test_short_and_constant_activity_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(EngramError, match="200 steps"):
        branching(np.ones((3, 199)), rng)
    with pytest.raises(EngramError, match="value -1"):
        branching(np.tile([-1.0, 1.0], (1, 200)), rng)
    with pytest.raises(EngramError, match="constant"):
        branching(np.ones((1, 500)), rng)
    with pytest.raises(EngramError, match="longer than 40 steps"):
        coefficients(np.ones((1, 30)), STEPS)


def test_autocorrelation_and_susceptibility_are_their_definitions() -> None:
    rng = np.random.default_rng(1)
    x = rng.binomial(100, 0.3, (1, 5000))
    expected = [np.corrcoef(x[0, :-k], x[0, k:])[0, 1] for k in range(1, 6)]
    np.testing.assert_allclose(autocorrelation(x, 5), [1, *expected], atol=1e-3)
    # independent units: N Var(ρ) = p (1 − p)
    assert susceptibility(x, 100) == pytest.approx(0.3 * 0.7, rel=0.05)


def test_dfa_of_white_and_brownian_noise() -> None:
    rng = np.random.default_rng(2)
    for summed, exponent in ((False, 0.5), (True, 1.5)):
        hits = 0
        for _ in range(20):
            noise = rng.standard_normal(2000)
            found = dfa(noise.cumsum() if summed else noise, rng, draws=60).exponent
            assert found.estimate == pytest.approx(exponent, abs=0.25)
            hits += found.low <= exponent <= found.high
        assert hits >= 16, exponent
    with pytest.raises(EngramError, match="320 steps"):
        dfa(np.arange(199.0), rng)
