import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tonic.io import read_mnist_file

from engram.data import DataError, load
from engram.data.events import EVENT, decode_events, read_n_mnist

SENSOR = (34, 34)
TONIC = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])

an_event = st.tuples(
    st.integers(0, 33),
    st.one_of(st.integers(0, 33), st.just(240)),
    st.binary(min_size=3, max_size=3),
).map(lambda event: bytes(event[:2]) + event[2])


def encode(x, y, p, t):
    return bytes([x, y]) + ((p << 23) | t).to_bytes(3, "big")


def recordings():
    return {
        f"{split}/{digit}/{10 * digit + take}.bin": encode(digit, take, take % 2, 1000 + digit)
        for split in ("Train", "Test")
        for digit in range(10)
        for take in range(2)
    }


@given(raw=st.lists(an_event, min_size=1, max_size=60).map(b"".join))
def test_decoding_agrees_with_tonic(raw):
    expected = read_mnist_file(io.BytesIO(raw), TONIC, is_stream=True)
    events = decode_events(raw, SENSOR, "a.bin")
    assert events.dtype == EVENT
    for field in "txyp":
        assert np.array_equal(events[field], expected[field])


def test_one_event_by_hand():
    (event,) = decode_events(encode(x=3, y=30, p=1, t=0x7ABCDE), SENSOR, "a.bin")
    assert (event["x"], event["y"], event["p"], event["t"]) == (3, 30, 1, 0x7ABCDE)


@pytest.mark.parametrize("raw", [b"", b"1234", b"123456"])
def test_a_truncated_recording_is_named(raw):
    with pytest.raises(DataError, match=rf"a\.bin has {len(raw)} bytes, not 5 per event"):
        decode_events(raw, SENSOR, "a.bin")


@pytest.mark.parametrize(("x", "y"), [(34, 0), (0, 34), (255, 255)])
def test_an_event_off_the_sensor_is_named(x, y):
    with pytest.raises(DataError, match=f"x={x}, y={y}, outside the 34 x 34 sensor"):
        decode_events(encode(1, 1, 0, 0) + encode(x, y, 0, 0), SENSOR, "a.bin")


def test_every_form_gives_the_same_splits(keep):
    dataset = load("n-mnist", folder=keep(recordings()))
    for split in (dataset.train, dataset.test):
        assert split.labels.tolist() == [digit for digit in range(10) for _ in range(2)]
        assert [int(events["y"][0]) for events in split.inputs] == [0, 1] * 10
        assert [int(events["x"][0]) for events in split.inputs] == split.labels.tolist()
    assert dataset.sensor == SENSOR
    assert dataset.kind == "events"


def test_a_misplaced_recording_is_named(tmp_path):
    (tmp_path / "7.bin").write_bytes(encode(0, 0, 0, 0))
    with pytest.raises(DataError, match=r"7\.bin is not at Train/<digit>/"):
        read_n_mnist(tmp_path)


def test_a_missing_split_is_named(tmp_path):
    for name, raw in recordings().items():
        if name.startswith("Train"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=r"holds no Test/<digit>/\*\.bin"):
        read_n_mnist(tmp_path)
