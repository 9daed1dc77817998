import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engram.trace import Trace


@given(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=5)),
    st.floats(1e-4, 10.0),
)
def test_rates_are_counts_divided_by_the_time_recorded(activity: np.ndarray, dt_s: float) -> None:
    trace = Trace(activity, dt_s)
    steps, trials, units = activity.shape
    assert (trace.n_time, trace.n_trial, trace.n_unit) == (steps, trials, units)
    for unit in range(units):
        count = sum(int(x) for trial in activity[:, :, unit] for x in trial)
        assert trace.firing_rate[unit] == pytest.approx(count / (steps * trials))
        assert trace.firing_rate_hz[unit] == pytest.approx(count / (trials * trace.duration_s))


def test_units_are_numbered_when_they_have_no_names() -> None:
    assert Trace(np.zeros((2, 1, 3)), 0.001).units == (0, 1, 2)
    assert Trace(np.zeros((2, 1, 2)), 0.001, ["a", "b"]).units == ("a", "b")


def test_trials_have_the_ids_of_their_stimuli() -> None:
    assert Trace(np.zeros((2, 3, 1)), 0.001).trials == (0, 1, 2)
    assert Trace(np.zeros((2, 3, 1)), 0.001, trials=["cat", "dog", "cat"]).trials[2] == "cat"
    with pytest.raises(ValueError, match="2 trial ids for 3 trials"):
        Trace(np.zeros((2, 3, 1)), 0.001, trials=["cat", "dog"])


def test_the_activity_is_a_read_only_view_of_an_array_that_stays_writable() -> None:
    array = np.zeros((2, 1, 3))
    trace = Trace(array, 0.001)
    assert np.shares_memory(trace.activity, array)
    with pytest.raises(ValueError, match="read-only"):
        trace.activity[0] = 1
    array[0] = 1


@pytest.mark.parametrize(
    ("activity", "dt_s", "units", "message"),
    [
        (np.zeros((2, 3)), 1.0, (), r"shape \(2, 3\)"),
        (np.zeros((0, 1, 3)), 1.0, (), "non-empty"),
        (np.zeros((1, 1, 1), complex), 1.0, (), "complex128"),
        (np.full((1, 1, 1), np.nan), 1.0, (), "NaN"),
        (np.zeros((1, 1, 1)), 0.0, (), r"dt_s is 0\.0"),
        (np.zeros((1, 1, 1)), float("inf"), (), "dt_s is inf"),
        (np.zeros((1, 1, 2)), 1.0, ("a",), "1 unit ids"),
        (np.zeros((1, 1, 2)), 1.0, ("a", "a"), "1 of them distinct"),
    ],
)
def test_what_is_no_trace_is_refused(activity, dt_s, units, message) -> None:
    with pytest.raises(ValueError, match=message):
        Trace(activity, dt_s, units)
