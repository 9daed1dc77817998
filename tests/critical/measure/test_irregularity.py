import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engram.critical.measure import (
    bernoulli,
    cv,
    cv2,
    degree_relation,
    fano_across_trials,
    fano_mean_matched,
    fano_windowed,
    irregularity,
    lv,
    lvr,
)
from engram.critical.measure.irregularity import intervals_of
from engram.errors import EngramError
from engram.spikes import Spikes
from engram.trace import Trace
from tests.critical.measure.make_references import trains

REFERENCES = json.loads(Path(__file__).with_name("references.json").read_text())


@pytest.mark.parametrize("name", ["cv", "cv2", "lv", "lvr"])
def test_measures_of_intervals_agree_with_elephant(name: str) -> None:
    measure = {"cv": cv, "cv2": cv2, "lv": lv, "lvr": lvr}[name]
    ours = [measure(np.diff(train)) for train in trains()]
    np.testing.assert_allclose(ours, REFERENCES[name], rtol=1e-12)


def test_the_fano_factor_across_trials_agrees_with_elephant() -> None:
    counts = np.array([(train < 1.5).sum() for train in trains()])
    assert fano_across_trials(counts) == pytest.approx(REFERENCES["fano"], rel=1e-12)


@pytest.mark.parametrize("interval", [0.1, 0.3, 7])
def test_a_clock_has_no_irregularity(interval: float) -> None:
    intervals = np.full(50, interval)
    assert [cv(intervals), cv2(intervals), lv(intervals), lvr(intervals)] == [0, 0, 0, 0]


@pytest.mark.parametrize("p", [0.05, 0.4])
def test_bernoulli_trains_have_the_cv_of_their_rate(p: float) -> None:
    rng = np.random.default_rng(0)
    spikes = Spikes.from_trace(Trace(rng.random((20_000, 1, 30)) < p, 1e-3))
    mean = irregularity(spikes, "CV").mean
    assert mean.low < math.sqrt(1 - p) < mean.high
    assert mean.high - mean.low < 0.03


def test_poisson_trains_have_cv_cv2_and_lv_of_1_and_gamma_trains_less() -> None:
    rng = np.random.default_rng(1)
    poisson, gamma = rng.exponential(1, 200_000), rng.gamma(4, 1, 200_000)
    for measure in (cv, cv2, lv):
        assert measure(poisson) == pytest.approx(1, abs=0.01)
    assert cv(gamma) == pytest.approx(1 / 2, abs=0.005)
    assert lv(gamma) == pytest.approx(3 / (2 * 4 + 1), abs=0.005)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_train_with_too_few_spikes_is_named_and_leaves_the_others_alone(n: int) -> None:
    rng = np.random.default_rng(2)
    long = [np.sort(rng.uniform(0, 10, 100)) for _ in range(3)]
    times = [*long, np.linspace(1, 2, n)]
    unit = np.repeat(np.arange(4), [len(train) for train in times])
    spikes = Spikes.from_events(unit, np.concatenate(times), 10.0, n_unit=4)
    found = irregularity(spikes, "CV2")
    assert math.isnan(found.values[3])
    assert found.n_intervals[3] == max(n - 1, 0)
    np.testing.assert_allclose(found.values[:3], [cv2(np.diff(train)) for train in long])
    with pytest.raises(EngramError, match="too few intervals"):
        irregularity(spikes.select([3, 0]), "CV2")


def test_no_interval_crosses_the_border_of_a_trial() -> None:
    spikes = Spikes(np.array([0, 3, 6]), np.array([0, 1, 3, 0, 4, 9]), 1.0, 0.1, trials=["a", "b"])
    intervals = intervals_of(spikes, 0)
    np.testing.assert_allclose(intervals, [0.1, 0.2, np.nan, 0.4, 0.5])
    assert cv2(intervals) == pytest.approx(np.mean([2 * 0.1 / 0.3, 2 * 0.1 / 0.9]))
    assert cv(intervals) == pytest.approx(stats.variation([1, 2, 4, 5]))


def test_spikes_and_a_trace_give_the_same() -> None:
    rng = np.random.default_rng(3)
    trace = Trace(rng.random((3000, 2, 5)) < 0.1, 1e-3)
    ours, theirs = irregularity(trace), irregularity(Spikes.from_trace(trace))
    np.testing.assert_array_equal(ours.values, theirs.values)


def test_the_degree_relation_is_that_of_scipy() -> None:
    rng = np.random.default_rng(4)
    degree = rng.poisson(20, 60)
    values = 1 + 0.02 * degree + rng.normal(0, 0.1, 60)
    values[5] = np.nan
    found = degree_relation(degree, values)
    kept = np.isfinite(values)
    pearson: Any = stats.pearsonr(degree[kept], values[kept])
    ends = pearson.confidence_interval(0.95)
    np.testing.assert_allclose(found.r[:3], [pearson.statistic, ends.low, ends.high], rtol=1e-9)
    assert found.slope.low < 0.02 < found.slope.high
    with pytest.raises(EngramError, match="constant"):
        degree_relation(np.full(60, 3), values)


def test_windowed_fano_is_1_for_poisson_counts_and_grows_with_a_slow_rate() -> None:
    rng = np.random.default_rng(5)
    steady = Trace(rng.poisson(2, (4000, 1, 20)), 0.01)
    rate = np.repeat(rng.gamma(2, 1, 200), 20)[:, None, None]
    slow = Trace(rng.poisson(rate, (4000, 1, 20)), 0.01)
    assert fano_windowed(steady, 0.1).mean() == pytest.approx(1, abs=0.05)
    assert fano_windowed(slow, 0.1).mean() > 5
    with pytest.raises(EngramError, match="at least 2"):
        fano_windowed(steady, 30.0)


def test_a_mean_matched_fano_factor_does_not_follow_the_rates() -> None:
    covered = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rates = rng.uniform(2, 12, 100)
        poisson = [rng.poisson(rates * scale, (100, 100)) for scale in (1.0, 1.4)]
        bursts = 2 * rng.poisson(rates / 2, (100, 100))
        found = fano_mean_matched(np.stack([*poisson, bursts]), rng, draws=5)
        covered += sum(one.low < 1 < one.high for one in found[:2])
        assert found[2].estimate == pytest.approx(2, abs=0.3)
    assert covered >= 13


def test_surrogates_of_clocks_are_irregular() -> None:
    clocks = Spikes.from_events(
        np.repeat(np.arange(5), 100), np.tile(np.arange(100.0), 5), 100.0, n_unit=5
    )
    shuffled = bernoulli(clocks, np.random.default_rng(7))
    np.testing.assert_array_equal(shuffled.counts, clocks.counts)
    assert irregularity(clocks).mean.estimate == 0
    assert irregularity(shuffled).mean.estimate == pytest.approx(1, abs=0.1)
