import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import zeta

from engram.critical.measure import (
    bootstrap,
    compare,
    fit,
    fit_clauset,
    histogram,
    scan,
)
from engram.critical.measure.powerlaw import Histogram
from engram.critical.measure.powersum import log_variance, partial_sum
from engram.errors import EngramError
from tests.critical.measure.make_references import sizes

REFERENCES = json.loads(Path(__file__).with_name("references.json").read_text())
NEWSPAPER = {1: 233, 2: 33, 3: 13, 4: 10, 5: 2, 6: 3, 7: 2, 8: 2, 9: 1, 11: 1, 15: 1, 18: 1}


def counted(counts: dict[int, int]) -> Histogram:
    return Histogram(np.array(list(counts)), np.array(list(counts.values())))


def drawn(alpha: float, xmin: int, xmax: int, n: int, rng: np.random.Generator) -> Histogram:
    k = np.arange(xmin, xmax + 1)
    p = k**-alpha
    counts = rng.multinomial(n, p / p.sum())
    return Histogram(k[counts > 0], counts[counts > 0])


@given(st.floats(-1, 6), st.integers(1, 3000), st.integers(0, 20_000))
def test_partial_sums_are_the_sums(alpha: float, first: int, more: int) -> None:
    k = np.arange(first, first + more + 1, dtype=np.float64)
    terms = k**-alpha
    total, logs = partial_sum(alpha, first, float(first + more))
    assert total == pytest.approx(terms.sum(), rel=1e-8)
    assert logs == pytest.approx((terms * np.log(k)).sum(), rel=1e-8, abs=1e-15)


@pytest.mark.parametrize("first", [1, 7, 5000])
def test_an_endless_sum_is_the_zeta_function(first: int) -> None:
    assert partial_sum(2.3, first, math.inf)[0] == pytest.approx(zeta(2.3, first), rel=1e-9)


def test_a_bounded_fit_maximises_the_likelihood_by_brute_force_and_agrees_with_powerlaw() -> None:
    values = sizes()
    law = fit(histogram(values), 3, 250)
    kept = values[(values >= 3) & (values <= 250)]
    k = np.arange(3, 251)
    grid = np.linspace(law.alpha - 1e-3, law.alpha + 1e-3, 2001)
    loss = [a * np.log(kept).mean() + math.log((k**-a).sum()) for a in grid]
    assert law.alpha == pytest.approx(grid[np.argmin(loss)], abs=1e-5)
    assert law.alpha == pytest.approx(REFERENCES["bounded"]["alpha"], abs=1e-4)
    law_share = np.cumsum(k**-law.alpha) / (k**-law.alpha).sum()
    shares = np.array([(kept <= one).mean() for one in k])
    assert law.distance == pytest.approx(np.abs(shares - law_share).max(), abs=1e-9)
    p = k**-law.alpha / (k**-law.alpha).sum()
    variance = p @ np.log(k) ** 2 - (p @ np.log(k)) ** 2
    assert law.error == pytest.approx(1 / math.sqrt(len(kept) * variance), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "xmin", "alpha", "unit"),
    [("words", 7, 1.95, 1), ("terrorism", 12, 2.4, 1), ("blackouts", 230, 2.3, 1000)],
)
def test_the_data_of_clauset_give_the_printed_digits(name, xmin, alpha, unit) -> None:
    values, counts = REFERENCES[name]
    law = fit_clauset(Histogram(np.array(values), np.array(counts)))
    digits = len(str(alpha).split(".")[1])
    assert round(law.alpha, digits) == alpha
    assert law.xmin == xmin * unit


def test_an_exact_distance_finds_the_range_that_an_approximate_one_misses() -> None:
    law = fit_clauset(counted(NEWSPAPER))
    assert law.xmin == 1
    assert law.alpha == pytest.approx(2.595, abs=5e-4)


def test_bounded_and_unbounded_laws_of_the_same_counts_differ() -> None:
    x = np.arange(1, 100)
    data = Histogram(x, (10_000 * x**-1.5).astype(int))
    assert data.n == 24_072
    assert fit(data, 1, 99).alpha == pytest.approx(1.503, abs=5e-4)
    endless = fit(data, 1)
    assert endless.xmax == math.inf
    assert endless.alpha == pytest.approx(1.645, abs=5e-4)


def test_five_million_values_take_seconds() -> None:
    data = drawn(1.5, 1, 10**6, 5_000_000, np.random.default_rng(0))
    start = time.process_time()
    law = scan(data)
    bootstrap(data, law, np.random.default_rng(1), draws=100)
    assert law.alpha == pytest.approx(1.5, abs=4 * law.error)
    assert time.process_time() - start < 60  # 27 hours were reported of another package


@pytest.mark.parametrize("xmin", [1, 6])
def test_the_scan_finds_the_range_of_a_law(xmin: int) -> None:
    rng = np.random.default_rng(3)
    data = drawn(1.7, xmin, 800, 20_000, rng)
    flat = np.ones(xmin - 1, int) * 40
    data = Histogram(
        np.concatenate([np.arange(1, xmin), data.values, [20_000]]),
        np.concatenate([flat, data.counts, [400]]),  # too few small values and too many large ones
    )
    law = scan(data)
    assert law.accepted
    assert xmin <= law.xmin <= xmin + 2
    assert 500 <= law.xmax <= 800
    assert abs(law.alpha - 1.7) < 4 * law.error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "xmax", "n"), [(1.5, 1000, 1000), (1.5, 100_000, 5000), (2.0, 1000, 5000)]
)
def test_intervals_cover_the_exponent_and_are_hardly_wider_than_fishers(alpha, xmax, n) -> None:
    rng = np.random.default_rng(4)
    fisher = 2 * 1.96 / math.sqrt(n * log_variance(alpha, 1, float(xmax)))
    covered, width = 0, 0.0
    for _ in range(400):
        data = drawn(alpha, 1, xmax, n, rng)
        one = bootstrap(data, scan(data), rng, draws=400).alpha
        covered += one.low <= alpha <= one.high
        width += (one.high - one.low) / 400
    assert 0.93 <= covered / 400 <= 0.98
    assert width <= 1.3 * fisher


def test_a_law_is_preferred_where_it_made_the_values_and_only_there() -> None:
    rng = np.random.default_rng(5)
    made = drawn(1.6, 1, 2000, 20_000, rng)
    for name in ("lognormal", "exponential", "stretched exponential"):
        assert compare(made, scan(made), name).power_law_preferred, name
    decays = histogram(rng.geometric(0.05, 20_000))
    against = compare(decays, fit(decays, 1, int(decays.values[-1])), "exponential")
    assert not against.power_law_preferred
    assert against.z < -10
    assert against.p < 1e-9
    # a discrete exponential is the geometric law: the rate is −ln(1 − p)
    assert math.exp(against.parameters[0]) == pytest.approx(-math.log(0.95), rel=0.05)
    bell = histogram(np.maximum(rng.lognormal(2, 0.5, 20_000).round(), 1))
    assert not compare(bell, fit(bell, 1, int(bell.values[-1])), "lognormal").power_law_preferred


def test_the_log_ratio_is_that_of_the_likelihoods() -> None:
    data = histogram(sizes())
    law = fit(data, 1, 400)
    found = compare(data, law, "exponential")
    rate, k = math.exp(found.parameters[0]), np.arange(1, 401)
    ours = -law.alpha * np.log(data.values) - math.log((k**-law.alpha).sum())
    theirs = -rate * data.values - math.log(np.exp(-rate * k).sum())
    gain = np.repeat(ours - theirs, data.counts)
    assert found.log_ratio == pytest.approx(gain.sum(), rel=1e-6)
    assert found.z == pytest.approx(gain.sum() / (gain.std() * math.sqrt(len(gain))), rel=1e-6)


def test_what_cannot_be_fitted_is_refused_once_and_in_words(recwarn) -> None:
    near = histogram(np.array([100, 101, 102, 103, 100, 101, 102, 103, 100, 101, 102, 103]))
    for refused in (scan, fit_clauset):
        with pytest.raises(EngramError, match="12 values"):
            refused(near)
    with pytest.raises(EngramError, match="factor of 4"):
        scan(histogram(np.repeat([1, 2, 3], 100)))
    with pytest.raises(EngramError, match="smallest value is 100, above xmax=50"):
        fit(near, 1, 50)
    with pytest.raises(EngramError, match="1 ≤ xmin < xmax"):
        fit(near, 7, 7)
    with pytest.raises(EngramError, match="smallest value is 0"):
        histogram(np.array([0, 1, 2]))
    with pytest.raises(EngramError, match="whole numbers"):
        histogram(np.array([1.5, 2]))
    with pytest.raises(EngramError, match="no upper bound"):
        compare(near, fit(near, 100), "lognormal")
    assert not recwarn.list
