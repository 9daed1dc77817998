import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tonic import functional

from engram.data import DataError, event_frames
from engram.data.aedat import EVENT
from engram.data.frames import SplitBy

SENSOR = (5, 7)


def recording(seed, n, span=1000):
    rng = np.random.default_rng(seed)
    events = np.empty(n, EVENT)
    events["t"] = np.sort(rng.integers(0, span, n))
    events["x"], events["y"] = rng.integers(0, 7, n), rng.integers(0, 5, n)
    events["p"] = rng.integers(0, 2, n)
    return events


def by_hand(events, spans, T):
    counts = np.zeros((T, 2, *SENSOR))
    for span, (_, x, y, p) in zip(spans, events.tolist(), strict=True):
        counts[span, p, y, x] += 1
    return counts


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_frames_are_what_counting_by_hand_gives(seed, n, T):
    events = recording(seed, n)
    t = [int(one) - int(events["t"][0]) for one in events["t"]]
    expected: dict[SplitBy, np.ndarray] = {
        "time": by_hand(events, [one * T // (t[-1] + 1) for one in t], T),
        "count": by_hand(events, [min(i // max(n // T, 1), T - 1) for i in range(n)], T),
    }
    for by, counts in expected.items():
        found = event_frames(events, SENSOR, T=T, by=by)
        assert found.dtype == np.float32
        assert np.array_equal(found, counts)
        assert found.sum() == n


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_windows_agree_with_tonic(seed, n, window_us):
    events = recording(seed, n)
    found = event_frames(events, SENSOR, window_us=window_us)
    theirs = functional.to_frame_numpy(
        events, sensor_size=(7, 5, 2), time_window=float(window_us), include_incomplete=True
    )
    # tonic closes the last window before the last event if that begins a new one
    assert len(found) - len(theirs) in {0, 1}
    assert np.array_equal(found[: len(theirs)], theirs)
    assert found.sum() == n


def test_counts_follow_the_order_of_time_whatever_that_of_the_file():
    events = recording(1, 40)
    shuffled = np.random.default_rng(2).permutation(events)
    unique = np.unique(events["t"], return_index=True)[1]
    a, b = events[unique], shuffled[np.isin(shuffled["t"], events["t"][unique])]
    b = b[np.unique(b["t"], return_index=True)[1]][::-1]
    a = b[::-1].copy()
    assert np.array_equal(
        event_frames(a, SENSOR, T=3, by="count"), event_frames(b, SENSOR, T=3, by="count")
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give one of them"),
        ({"T": 3, "window_us": 5}, "give one of them"),
        ({"T": 0}, "integer of at least 1"),
        ({"T": 2.5}, "integer of at least 1"),
        ({"window_us": -1}, "integer of at least 1"),
        ({"T": 3, "by": "number"}, "choose time or count"),
        ({"window_us": 5, "by": "count"}, "choose time or count"),
        ({"T": 1 << 40}, "too many"),
    ],
)
def test_settings_that_do_not_fit_are_named(options, message):
    with pytest.raises(DataError, match=message):
        event_frames(recording(0, 5), SENSOR, **options)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("x", 7, "x from"), ("y", 5, "y from"), ("p", 2, "p from")],
)
def test_events_that_do_not_fit_are_named(field, value, message):
    events = recording(0, 5)
    events[field][2] = value
    with pytest.raises(DataError, match=message):
        event_frames(events, SENSOR, T=2)


def test_an_empty_recording_is_named():
    with pytest.raises(DataError, match="one or more events"):
        event_frames(recording(0, 0), SENSOR, T=2)
