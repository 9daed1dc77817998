import numpy as np
import pytest

from engram.critical.measure import bernoulli, control, cv, shift_trains, shuffle_intervals
from engram.critical.measure.irregularity import intervals_of
from engram.errors import EngramError
from engram.spikes import Spikes


def continuous(seed: int) -> Spikes:
    rng = np.random.default_rng(seed)
    return Spikes.from_events(rng.integers(0, 6, 900), rng.uniform(0, 20, 900), 20.0, n_unit=6)


def stepped(seed: int) -> Spikes:
    rng = np.random.default_rng(seed)
    return Spikes.from_events(
        rng.integers(0, 6, 900), rng.integers(0, 1000, 900), 1.0, n_unit=6, dt_s=1e-3
    )


@pytest.mark.parametrize("make", [continuous, stepped])
@pytest.mark.parametrize("surrogate", [bernoulli, shift_trains, shuffle_intervals])
def test_a_surrogate_keeps_counts_and_moves_spikes(make, surrogate) -> None:
    spikes = make(0)
    moved = surrogate(spikes, np.random.default_rng(1))
    np.testing.assert_array_equal(moved.counts, spikes.counts)
    assert moved.dt_s == spikes.dt_s
    assert (moved.times != spikes.times).mean() > 0.5
    again = surrogate(spikes, np.random.default_rng(1))
    np.testing.assert_array_equal(moved.times, again.times)


@pytest.mark.parametrize("make", [continuous, stepped])
def test_shuffled_intervals_are_the_same_intervals(make) -> None:
    spikes = make(2)
    moved = shuffle_intervals(spikes, np.random.default_rng(3))
    for unit in range(spikes.n_unit):
        np.testing.assert_allclose(
            np.sort(intervals_of(moved, unit)), np.sort(intervals_of(spikes, unit)), atol=1e-12
        )


def test_shifted_trains_keep_their_intervals_around_the_end() -> None:
    spikes = stepped(4)
    moved = shift_trains(spikes, np.random.default_rng(5))
    for unit in range(spikes.n_unit):
        around = [
            np.sort(np.diff(np.append(train, train[0] + 1000)))
            for train in (spikes.train(unit), moved.train(unit))
        ]
        np.testing.assert_array_equal(around[0], around[1])


def test_the_control_covers_a_measure_of_what_is_random_already() -> None:
    spikes = continuous(6)

    def mean_cv(one: Spikes) -> float:
        return float(np.mean([cv(intervals_of(one, unit)) for unit in range(6)]))

    found = control(mean_cv, spikes, bernoulli, np.random.default_rng(7))
    assert found.low < mean_cv(spikes) < found.high
    with pytest.raises(EngramError, match="20 or more"):
        control(mean_cv, spikes, bernoulli, np.random.default_rng(7), draws=5)
