"""Intervals against closed forms, other packages, and simulated counts that come in bursts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from engram.policy.measure.interval import (
    Dispersion,
    dispersion,
    quasi_poisson,
    rate_ratio,
    resampled,
)
from engram.policy.tally import DocumentCounts, Tally, summarise


def counts(k: np.ndarray, n: np.ndarray, group: np.ndarray | None = None) -> DocumentCounts:
    group = np.zeros(len(k), dtype=np.int64) if group is None else group
    labels = tuple(range(1900, 1901 + int(group.max())))
    return DocumentCounts("year", labels, group, k > 0, k.astype(np.int64), n.astype(np.int64))


def bursts(
    rng: np.random.Generator, mean: np.ndarray, burst: float, shape: tuple[int, ...]
) -> np.ndarray:
    """Negative binomial counts of that mean, whose variance is (1 + burst) times as large."""
    return rng.negative_binomial(mean / burst, 1 / (1 + burst), shape)


def spread(phi: float, degrees: float, groups: int = 1) -> Dispersion:
    return Dispersion(np.full(groups, phi), np.full(groups, degrees), phi, True)


@given(
    k=st.integers(1, 10_000),
    phi=st.floats(1, 50),
    degrees=st.floats(2, 1000),
    level=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_quasi_poisson_solves_its_equation(k, phi, degrees, level) -> None:
    q = stats.t.ppf((1 + level) / 2, degrees) ** 2 * phi

    def excess(mean: float) -> float:
        return (k - mean) ** 2 - q * mean

    (low,), (high,) = quasi_poisson(np.array([float(k)]), spread(phi, degrees), level)
    assert low == pytest.approx(brentq(excess, 0, k), rel=1e-6, abs=1e-9)
    assert high == pytest.approx(brentq(excess, k, 3 * k + 3 * q), rel=1e-6)


def test_without_an_occurrence_it_starts_at_zero_and_still_ends_somewhere() -> None:
    (low,), (high,) = quasi_poisson(np.array([0.0]), spread(1, 1e9))
    assert low == 0
    assert high == pytest.approx(1.959964**2, rel=1e-5)


def test_the_common_dispersion_is_that_of_a_generalized_linear_model() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    group = rng.integers(0, 6, 200)
    n = rng.integers(200, 4000, 200)
    k = bursts(rng, n * 0.004 * (1 + group), 3.0, (200,))
    design = (group[:, None] == np.arange(6)).astype(float)
    model = sm.GLM(k, design, family=sm.families.Poisson(), offset=np.log(n))
    found = dispersion(summarise(counts(k, n, group)), along=True)
    assert found is not None
    assert found.within
    assert found.common == pytest.approx(model.fit(scale="X2").scale)


@pytest.mark.parametrize("burst", [0.0, 4.0])
def test_single_documents_show_their_dispersion_from_one_to_the_next(burst: float) -> None:
    rng, years = np.random.default_rng(1), 400
    n = rng.integers(2000, 9000, years)
    mean = n * 0.002
    k = bursts(rng, mean, burst, (years,)) if burst else rng.poisson(mean)
    found = dispersion(summarise(counts(k, n, np.arange(years))), along=True)
    assert found is not None
    assert not found.within
    assert found.common == pytest.approx(1 + burst, rel=0.2)
    assert dispersion(summarise(counts(k, n, np.arange(years))), along=False) is None


def test_one_document_tells_nothing_of_others() -> None:
    tally = summarise(counts(np.array([7]), np.array([1000])))
    assert dispersion(tally, along=True) is None


@pytest.mark.parametrize("documents", [1, 25])
def test_the_interval_covers_what_it_promises_where_poissons_does_not(documents: int) -> None:
    rng, years, runs, rate, burst = np.random.default_rng(2), 40, 60, 0.003, 4.0
    held, held_by_poisson = [], []
    for _ in range(runs):
        n = rng.integers(1000, 6000, years * documents)
        group = np.repeat(np.arange(years), documents)
        tally = summarise(counts(bursts(rng, n * rate, burst, (len(n),)), n, group))
        found = dispersion(tally, along=True)
        assert found is not None
        mean = rate * tally.all_tokens
        k = tally.occurrences.astype(float)
        for ends, kept in (
            (quasi_poisson(k, found), held),
            (quasi_poisson(k, spread(1.0, 1e9, years)), held_by_poisson),
        ):
            kept.extend(((ends[0] <= mean) & (mean <= ends[1])).tolist())
    assert 0.93 <= np.mean(held) <= 0.98
    assert np.mean(held_by_poisson) < 0.8


def test_each_group_keeps_its_own_dispersion_where_it_has_many_documents() -> None:
    rng, size = np.random.default_rng(3), 4000
    group = np.repeat([0, 1], size)
    n = np.full(2 * size, 2000)
    k = np.concatenate([rng.poisson(6, size), bursts(rng, np.full(size, 6.0), 9.0, (size,))])
    found = dispersion(summarise(counts(k, n, group)), along=True)
    assert found is not None
    np.testing.assert_allclose(found.phi, [1, 10], rtol=0.1)


def test_resampling_agrees_with_scipy() -> None:
    rng = np.random.default_rng(4)
    n = rng.integers(500, 3000, 60)
    k = bursts(rng, n * 0.004, 3.0, (60,))
    low, high = resampled(counts(k, n), k.astype(float), n.astype(float), rng, 20_000)

    def ratio(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return a.sum(axis=axis) / b.sum(axis=axis)

    other = stats.bootstrap(
        (k, n), ratio, paired=True, method="percentile", n_resamples=20_000, rng=rng
    ).confidence_interval
    width = other.high - other.low
    np.testing.assert_allclose([low[0], high[0]], [other.low, other.high], atol=0.03 * width)


def test_resampling_covers_what_it_promises_if_there_are_documents_enough() -> None:
    rng, rate = np.random.default_rng(8), 0.004
    share = {}
    for size in (5, 60):
        group = np.repeat(np.arange(400), size)
        n = rng.integers(1000, 6000, len(group))
        k = bursts(rng, n * rate, 4.0, (len(group),))
        made = counts(k, n, group)
        low, high = resampled(made, k.astype(float), n.astype(float), rng, 400)
        share[size] = np.mean((low <= rate) & (rate <= high))
    assert 0.91 <= share[60] <= 0.98
    assert share[5] < 0.9  # as the docstring warns


def test_resampling_is_silent_where_it_knows_nothing() -> None:
    group = np.array([0, 1, 1, 2, 2])
    k, n = np.array([5, 0, 0, 1, 2]), np.array([100, 100, 50, 100, 200])
    rng = np.random.default_rng(0)
    low, high = resampled(counts(k, n, group), k.astype(float), n.astype(float), rng)
    assert np.isnan(low).all()  # one document; no occurrence; two documents alike
    assert np.isnan(high).all()


def test_ratios_cover_what_they_promise_paired_or_not() -> None:
    rng, size, held = np.random.default_rng(5), 150, {True: [], False: []}
    for _ in range(300):
        n = rng.integers(500, 3000, size)
        topic = rng.gamma(0.5, 2.0, size)  # a document on taxes has more of both
        one, other = (rng.poisson(n * rate * topic) for rate in (0.004, 0.002))
        m = rng.integers(500, 3000, size)
        apart = rng.poisson(m * 0.002 * rng.gamma(0.5, 2.0, size))
        for paired, second in ((True, counts(other, n)), (False, counts(apart, m))):
            found = rate_ratio(counts(one, n), second, paired)
            assert found is not None
            held[paired].append(found.low <= 2 <= found.high)
    for some in held.values():
        assert 0.91 <= np.mean(some) <= 0.99


def test_a_ratio_turns_over_and_a_query_is_as_frequent_as_itself() -> None:
    rng = np.random.default_rng(6)
    n = rng.integers(500, 3000, 50)
    one, other = (counts(rng.poisson(n * rate), n) for rate in (0.004, 0.002))
    there, back = rate_ratio(one, other, True), rate_ratio(other, one, True)
    assert there is not None
    assert back is not None
    np.testing.assert_allclose(
        [there.estimate, there.low, there.high],
        [1 / back.estimate, 1 / back.high, 1 / back.low],
    )
    assert rate_ratio(one, one, True) == (1.0, 1.0, 1.0, 0.95)
    silent = counts(np.zeros(50), n)
    assert rate_ratio(one, silent, True) is None


def test_documents_without_terms_change_nothing() -> None:
    group = np.repeat(np.arange(3), 10)
    rng = np.random.default_rng(7)
    n = rng.integers(100, 900, 30)
    k = rng.poisson(n * 0.02)
    tally = summarise(counts(k, n, group))
    empty = Tally(
        "year",
        (*tally.groups, 1903),
        *(np.append(getattr(tally, name), 0) for name in ("documents", "occurrences")),
        all_documents=np.append(tally.all_documents, 4),
        all_tokens=np.append(tally.all_tokens, 0),
        dispersion=np.append(tally.dispersion, 0.0),
    )
    one, other = dispersion(tally, True), dispersion(empty, True)
    assert one is not None
    assert other is not None
    assert one.common == other.common
