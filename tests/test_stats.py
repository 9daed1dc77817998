from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from engram.stats import (
    benjamini_hochberg,
    cluster_means,
    crossed_bootstrap,
    holm,
    percentile_interval,
    t_interval,
    wilson,
)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20).filter(lambda x: np.std(x) > 1e-6),
    st.floats(0.5, 0.999),
)
def test_t_interval_is_scipys(values: list[float], level: float) -> None:
    error = scipy_stats.sem(values)
    expected = scipy_stats.t.interval(level, len(values) - 1, np.mean(values), error)
    ours = t_interval(values, level)
    assert (ours.low, ours.high) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert ours.estimate == pytest.approx(np.mean(values))


def test_t_interval_of_equal_values_is_a_point() -> None:
    assert t_interval([2.0, 2.0, 2.0])[:3] == (2.0, 2.0, 2.0)


@given(st.data(), st.integers(1, 400), st.floats(0.5, 0.999))
def test_wilson_is_scipys(data: st.DataObject, trials: int, level: float) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = scipy_stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    ours = wilson(successes, trials, level)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= ours.low <= ours.estimate <= ours.high <= 1


def test_crossed_bootstrap_agrees_with_every_resample_there_is() -> None:
    values = np.array([[0.0, 1.0, 4.0], [2.0, 7.0, 3.0]])
    means = [
        np.mean([[values[r, i] for i in items] for r in runs])
        for runs in product(range(2), repeat=2)
        for items in product(range(3), repeat=3)
    ]
    ours = crossed_bootstrap(values, np.random.default_rng(1), replicates=40_000, level=0.7)
    assert ours.estimate == pytest.approx(values.mean())
    low, high = np.quantile(means, [0.15, 0.85])
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.06)


def test_crossed_bootstrap_has_the_exact_variance_of_the_pigeonhole_resample() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(30, 1)) + rng.normal(size=(1, 50)) + rng.normal(size=(30, 50))
    runs, items = values.shape
    # E[w wᵀ] of multinomial counts over n equal cells is I + (1 - 1/n) 1 1ᵀ.
    of_runs = np.eye(runs) + (1 - 1 / runs)
    of_items = np.eye(items) + (1 - 1 / items)
    square = np.trace(of_runs @ values @ of_items @ values.T) / values.size**2
    sd = np.sqrt(square - values.mean() ** 2)
    ours = crossed_bootstrap(values, rng, replicates=20_000)
    assert (ours.high - ours.low) / (2 * scipy_stats.norm.ppf(0.975)) == pytest.approx(sd, rel=0.03)


def test_crossed_bootstrap_covers_the_mean_of_a_crossed_design() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        values = rng.normal(size=(20, 1)) + rng.normal(size=(1, 25)) + rng.normal(size=(20, 25))
        found = crossed_bootstrap(values, rng, replicates=400)
        hits += found.low <= 0 <= found.high
    # 95 % of 200 is 190 with a standard deviation of 3; percentiles of 20 runs cover a bit less.
    assert 176 <= hits <= 199


def test_crossed_bootstrap_is_the_same_from_the_same_seed_and_in_chunks(monkeypatch) -> None:
    values = (np.random.default_rng(4).random((5, 40)) < 0.8).astype(float)
    whole = crossed_bootstrap(values, np.random.default_rng(0))
    assert crossed_bootstrap(values, np.random.default_rng(0)) == whole
    monkeypatch.setattr("engram.stats.CHUNK", 100)
    chunked = crossed_bootstrap(values, np.random.default_rng(0), replicates=4000)
    assert (chunked.low, chunked.high) == pytest.approx((whole.low, whole.high), abs=0.02)


def test_cluster_means_spread_as_the_ratio_of_two_sums_does() -> None:
    rng = np.random.default_rng(6)
    counts = rng.integers(1, 6, 300).astype(float)
    totals = counts * (1 + 0.5 * rng.normal(size=300))
    draws = cluster_means(totals[:, None], counts[:, None], np.random.default_rng(0), 4000)
    ratio = totals.sum() / counts.sum()
    # linearised variance of a ratio, Cochran (1977), Sampling Techniques, equation 2.46
    sd = np.sqrt(((totals - ratio * counts) ** 2).sum()) / counts.sum()
    assert draws.std() == pytest.approx(sd, rel=0.05)
    assert draws.mean() == pytest.approx(ratio, abs=4 * sd / np.sqrt(4000) + 0.002)
    found = percentile_interval(ratio, draws[:, 0])
    assert (found.low, found.high) == pytest.approx(
        (ratio - 1.96 * sd, ratio + 1.96 * sd), rel=0.01
    )


def test_cluster_means_share_their_draws_between_columns() -> None:
    totals = np.random.default_rng(7).random((30, 1))
    both = cluster_means(
        np.hstack([totals, totals + 1]), np.ones((30, 2)), np.random.default_rng(0)
    )
    assert both[:, 1] - both[:, 0] == pytest.approx(np.ones(2000))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: cluster_means(np.ones((2, 1)), np.zeros((2, 1)), rng), "counts positive"),
        (lambda rng: cluster_means(np.ones((2, 1)), np.ones((3, 1)), rng), r"shape \(2, 1\)"),
        (lambda rng: cluster_means(np.ones((2, 1)), np.ones((2, 1)), rng, 0), "replicates is 0"),
        (lambda rng: percentile_interval(0, np.array([np.nan])), "NaN"),
        (lambda rng: t_interval([1.0]), "at least 2"),
        (lambda rng: t_interval([1.0, np.nan]), "NaN"),
        (lambda rng: t_interval([1.0, 2.0], level=95), "level is 95"),
        (lambda rng: t_interval(np.zeros((2, 2))), r"shape \(2, 2\)"),
        (lambda rng: wilson(3, 2), "3 successes in 2 trials"),
        (lambda rng: wilson(0, 0), "0 trials"),
        (lambda rng: crossed_bootstrap(np.zeros(3), rng), r"shape \(3,\)"),
        (lambda rng: crossed_bootstrap(np.zeros((0, 3)), rng), "non-empty"),
        (lambda rng: crossed_bootstrap(np.zeros((2, 3)), rng, replicates=0), "replicates is 0"),
    ],
)
def test_what_has_no_interval_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


def test_benjamini_hochberg_is_that_of_statsmodels():
    p_values = np.random.default_rng(4).random((3, 4, 5)) ** 3
    ours = benjamini_hochberg(p_values)
    theirs = multipletests(p_values.ravel(), method="fdr_bh")[1]
    assert ours.ravel() == pytest.approx(theirs)
    p_values[1, 2, 3] = np.nan
    assert np.isnan(benjamini_hochberg(p_values)).sum() == 1


def test_holm_is_that_of_statsmodels() -> None:
    p_values = np.array([0.01, 0.04, 0.03, np.nan, 0.005])
    known = np.isfinite(p_values)
    expected = multipletests(p_values[known], method="holm")[1]
    assert holm(p_values)[known] == pytest.approx(expected)
    assert np.isnan(holm(p_values)[~known]).all()
