import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engram.critical.measure import (
    avalanches,
    crackling,
    fit,
    histogram,
    kappa,
    ma2019,
    mean_interval,
    merged_share,
    quantile_threshold,
    shape_collapse,
)
from engram.critical.measure.avalanche import Avalanches
from engram.critical.measure.crackling import growth
from engram.errors import EngramError
from engram.spikes import Spikes


@given(arrays(np.int64, (2, 30), elements=st.integers(0, 4)), st.integers(0, 2))
def test_avalanches_are_the_runs_that_a_loop_finds(activity: np.ndarray, threshold: int) -> None:
    expected, cut = [], 0
    for trial, row in enumerate(activity):
        t = 0
        while t < 30:
            end = t
            while end < 30 and row[end] > threshold:
                end += 1
            if end > t:
                if t == 0 or end == 30:
                    cut += 1
                else:
                    expected.append((int((row[t:end] - threshold).sum()), end - t, trial * 30 + t))
            t = end + 1
    found = avalanches(activity, threshold)
    assert found.cut == cut
    ours = zip(found.size, found.duration, found.start, strict=True)
    assert [tuple(map(int, one)) for one in ours] == expected


def test_the_bin_of_beggs_and_plenz_is_the_mean_interval() -> None:
    spikes = Spikes.from_events(np.array([0, 1, 0]), np.array([1.0, 2.0, 4.0]), 10.0, n_unit=2)
    assert mean_interval(spikes) == pytest.approx(1.5)
    steps = Spikes(np.array([0, 3]), np.array([0, 3, 8]), 1.0, 0.1)
    assert mean_interval(steps) == pytest.approx(0.4)
    with pytest.raises(EngramError, match="no interval"):
        mean_interval(Spikes(np.array([0, 1]), np.array([3]), 1.0, 0.1))


def test_merged_avalanches_are_expected_as_the_drive_says() -> None:
    rng = np.random.default_rng(0)
    durations = rng.geometric(0.3, 50_000)
    observed = (rng.poisson(0.02 * (durations - 1)) > 0).mean()
    assert merged_share(durations, 0.02) == pytest.approx(observed, abs=0.003)


def synthetic(rng: np.random.Generator, n: int, gamma: float, beta: float) -> Avalanches:
    """Avalanches of parabolic shape whose mean size grows as T^γ, with durations of exponent β."""
    k = np.arange(1, 101)
    duration = rng.choice(k, n, p=k**-beta / (k**-beta).sum())
    parts = []
    for T in duration:
        t = (np.arange(T) + 0.5) / T
        shape = 6 * t * (1 - t) * 3000 * T ** (gamma - 1) * rng.gamma(30, 1 / 30)
        parts += [np.round(shape), [0]]
    activity = np.concatenate([[0], *parts])
    return avalanches(activity)


def test_growth_and_collapse_find_the_exponent_that_made_the_avalanches() -> None:
    rng = np.random.default_rng(1)
    found = synthetic(rng, 8000, 1.6, 2.0)
    assert growth(found.size, found.duration, 4, 60) == pytest.approx(1.6, abs=0.02)
    collapsed = shape_collapse(found, rng)
    assert collapsed.exponent.low - 0.05 < 1.6 < collapsed.exponent.high + 0.05
    assert collapsed.error < 0.01
    with pytest.raises(EngramError, match="record longer"):
        shape_collapse(found, rng, fewest=10**6)


def test_the_crackling_relation_holds_where_sizes_are_powers_of_durations() -> None:
    rng = np.random.default_rng(2)
    k = np.arange(1, 2001)
    duration = rng.choice(k, 20_000, p=k**-2.0 / (k**-2.0).sum())
    size = duration**2  # of P(S) ∝ S^−1.5: (2 − 1) / (1.5 − 1) = 2
    start = np.zeros(20_000, int)
    found = Avalanches(size, duration, start, 0, np.zeros(1))
    laws = [fit(histogram(one), 1, int(one.max())) for one in (size, duration)]
    # squares alone are no discrete power law: the exponent of the sizes is that of durations
    relation = crackling(found, laws[0]._replace(xmin=1), laws[1], rng)
    assert relation.slope.estimate == pytest.approx(2, abs=1e-9)
    assert relation.deviation.low < relation.deviation.estimate < relation.deviation.high
    with pytest.raises(EngramError, match="a slope needs 3"):
        growth(size, duration, 3, 4)


def test_kappa_is_1_for_the_law_and_tells_lack_from_excess() -> None:
    rng = np.random.default_rng(3)
    law = (1 - rng.random(100_000) * (1 - 1000**-0.5)) ** -2  # between 1 and 1000, of 1.5
    assert kappa(law) == pytest.approx(1, abs=0.01)
    assert kappa(rng.exponential(2, 10_000) + 1) < 0.95  # large ones lack
    assert kappa(np.append(law[law < 30], np.full(20_000, 1000.0))) > 1.05
    with pytest.raises(EngramError, match="several sizes"):
        kappa(np.ones(10))
    with pytest.raises(EngramError, match="no avalanche"):
        kappa(np.array([]))


@pytest.mark.data
def test_rat_v1_gives_the_published_numbers() -> None:
    raster = np.load(Path(os.environ["ENGRAM_DATA"]) / "neural/ma2019-v1/sample_data.npy")
    population = raster.sum(axis=0)
    found = avalanches(population, quantile_threshold(population, 0.25))
    ours = ma2019(found)
    assert ours.n == 4879
    assert (ours.size_min, ours.size_max, ours.duration_min, ours.duration_max) == (6, 179, 3, 70)
    assert round(ours.alpha, 4) == 1.7185
    assert round(ours.beta, 4) == 2.0418
    assert round(ours.slope, 4) == 1.1732
    assert round(ours.deviation, 5) == 0.27683
