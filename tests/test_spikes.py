import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engram.errors import EngramError
from engram.spikes import Spikes
from engram.trace import Trace

counts = arrays(
    np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 3)
)


@given(counts)
def test_a_trace_of_counts_survives_the_way_to_spikes_and_back(activity: np.ndarray) -> None:
    trace = Trace(activity, 2e-3, units=[f"u{i}" for i in range(activity.shape[2])], source="V1")
    spikes = Spikes.from_trace(trace)
    back = spikes.to_trace(2e-3)
    np.testing.assert_array_equal(back.activity, activity)
    assert (back.units, back.trials, back.dt_s, back.source) == (
        trace.units,
        trace.trials,
        trace.dt_s,
        "V1",
    )
    np.testing.assert_array_equal(spikes.counts, activity.sum(0))
    np.testing.assert_array_equal(spikes.population(2e-3), activity.sum(2).T)


@given(
    arrays(np.float64, st.integers(0, 40), elements=st.floats(0, 10)),
    st.floats(0.1, 12),
    st.randoms(use_true_random=False),
)
def test_every_spike_lies_in_its_bin(times: np.ndarray, bin_s: float, random) -> None:
    unit = np.array([random.randrange(3) for _ in times], int)
    spikes = Spikes.from_events(unit, times, 10.0, n_unit=3)
    bins, n_bin = spikes.bins(bin_s)
    assert (n_bin - 1) * bin_s < 10 <= n_bin * bin_s * (1 + 1e-9)
    inside = spikes.times < 10 * (1 - 1e-9)
    assert (bins[inside] * bin_s <= spikes.times[inside] * (1 + 1e-12)).all()
    trace = spikes.to_trace(bin_s)
    assert trace.activity.sum() == len(times)
    np.testing.assert_array_equal(trace.activity[:, 0].sum(1), spikes.population(bin_s)[0])
    for u in range(3):
        np.testing.assert_array_equal(spikes.train(u), np.sort(times[unit == u]))


def test_unit_ids_are_kept_and_selected() -> None:
    spikes = Spikes.from_events(
        np.array([2, 0, 1, 0]), np.array([0.5, 0.9, 0.1, 0.2]), 1.0, n_unit=3, units=[7, 3, 12]
    )
    assert spikes.units == (7, 3, 12)
    np.testing.assert_array_equal(spikes.firing_rate_hz, [2, 1, 1])
    chosen = spikes.select([2, 0])
    assert chosen.units == (12, 7)
    np.testing.assert_array_equal(chosen.times, [0.5, 0.2, 0.9])


def test_bins_of_steps_are_whole_steps() -> None:
    spikes = Spikes(np.array([0, 3]), np.array([0, 4, 9]), 1.0, 0.1)
    np.testing.assert_array_equal(spikes.population(0.4), [[1, 1, 1]])
    np.testing.assert_array_equal(spikes.times_s, [0, 0.4, 0.9])
    with pytest.raises(EngramError, match="multiple of the step"):
        spikes.bins(0.25)


@pytest.mark.parametrize(
    ("pointers", "times", "more", "words"),
    [
        ([0, 2], [0.2, 0.1], {}, "ascending"),
        ([0, 2], [-0.2, 0.1], {}, "earliest time is -0.2"),
        ([0, 1], [2.0], {}, "after the end"),
        ([0, 1], [np.nan], {}, "finite"),
        ([0, 3], [0.1, 0.2], {}, "pointers go from 0 to 3 for 2 times"),
        ([0, 2, 1, 2], [0.1, 0.2], {}, "ascending numbers"),
        ([0, 1], [0.1], {"dt_s": 0.1}, "whole numbers"),
        ([0, 1], [1], {"dt_s": 0.3}, "whole number of steps"),
        ([0, 1], [1], {"dt_s": -1}, "dt_s is -1"),
        ([0, 1, 2], [0.1, 0.2], {"units": ["a", "a"]}, "1 of them distinct"),
        ([0, 1, 2, 2], [0.1, 0.2], {"trials": ["a", "b"]}, "2 trials for 3 trains"),
    ],
)
def test_what_cannot_be_spikes_is_refused(pointers, times, more, words) -> None:
    with pytest.raises(EngramError, match=words):
        Spikes(np.array(pointers), np.array(times), 1.0, **more)


def test_no_duration_and_foreign_units_are_refused() -> None:
    with pytest.raises(EngramError, match="duration_s is 0"):
        Spikes(np.array([0, 0]), np.array([]), 0)
    with pytest.raises(EngramError, match="from 1 to 1; give 0 to 0"):
        Spikes.from_events(np.array([1]), np.array([0.1]), 1.0, n_unit=1)
    with pytest.raises(EngramError, match="not of spike counts"):
        Spikes.from_trace(Trace(np.full((2, 1, 1), 0.5), 1.0))
