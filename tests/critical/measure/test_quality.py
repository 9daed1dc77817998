"""What is noticed in a recording: duplicates, shared cells, drift, short trains."""

import numpy as np
import pytest

from engram.critical.measure.quality import drift, notices, simultaneous_share
from engram.errors import EngramError
from engram.spikes import Spikes


def poisson(rates: list[float], duration_s: float, seed: int) -> Spikes:
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.uniform(0, duration_s, rng.poisson(r * duration_s))) for r in rates]
    unit = np.repeat(np.arange(len(rates)), [len(train) for train in trains])
    return Spikes.from_events(unit, np.concatenate(trains), duration_s, n_unit=len(rates))


def test_simultaneous_spikes_are_those_of_brute_force():
    spikes = poisson([40.0, 30.0, 20.0], 20.0, 0)
    unit = np.repeat(np.arange(3), spikes.counts[0])
    apart = np.abs(spikes.times[:, None] - spikes.times)
    near = (apart <= 1e-3) & (unit[:, None] != unit)
    # only neighbours in time are compared: a third spike between two of one unit hides none here
    assert simultaneous_share(spikes, 1e-3) == pytest.approx(near.any(1).mean(), abs=0.01)
    steps = Spikes(np.array([0, 1]), np.array([0]), 1.0, 1.0)
    with pytest.raises(EngramError, match="continuous time"):
        simultaneous_share(steps)


def test_independent_units_are_not_noticed_and_a_doubled_one_is():
    rng = np.random.default_rng(1)
    spikes = poisson([5.0, 5.0, 5.0], 200.0, 1)
    assert notices(spikes, rng) == []
    trains = [spikes.train(u) for u in (0, 1, 0, 2)]
    pointers = np.cumsum([0, *map(len, trains)])
    twin = Spikes(pointers, np.concatenate(trains), spikes.duration_s)
    (said,) = notices(twin, rng)
    assert "one cell may have been recorded as several units" in said


def test_repeated_times_of_a_unit_are_counted_but_not_across_units():
    spikes = Spikes(np.array([0, 3, 6]), np.array([1.0, 1, 2, 2, 5, 5]), 10.0)
    said = " ".join(notices(spikes, np.random.default_rng(0)))
    assert said.startswith("2 spikes have the same time")
    assert "2 of 2 units have too few intervals" in said


def test_a_rate_that_doubles_drifts_and_a_steady_one_does_not():
    rng = np.random.default_rng(2)
    times = np.sort(100 * np.sqrt(rng.random(4000)))  # a density that grows with time
    growing = Spikes(np.array([0, 4000]), times, 100.0)
    trend = drift(growing)
    assert trend.ratio == pytest.approx((1 - 0.75**2) / 0.25**2, rel=0.1)
    assert trend.noticeable
    assert not drift(poisson([40.0], 100.0, 3)).noticeable
    assert "the rate drifts" in " ".join(notices(growing, rng))
