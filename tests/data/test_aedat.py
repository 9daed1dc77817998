import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tonic import io as tonic_io

from engram.data import DataError, read_aedat
from engram.data.aedat import EVENT

FIXTURES = Path(__file__).parent / "recordings"
HEADER_3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
HEADER_2 = b"#!AER-DAT2.0\r\n# Data format is int32 address, int32 timestamp\r\n"

a_davis_event = st.tuples(
    st.integers(0, 345), st.integers(0, 259), st.booleans(), st.integers(0, 2**30)
)
an_event = st.tuples(
    st.integers(0, 127), st.integers(0, 127), st.booleans(), st.integers(0, 2**31 - 1)
)


def packet(events, overflow=0, kind=1, valid=None):
    """An AEDAT 3.1 packet of events (x, y, on, t), written from the format's description."""
    body = b"".join(struct.pack("<Ii", x << 17 | y << 2 | on << 1 | 1, t) for x, y, on, t in events)
    number = len(events)
    valid = number if valid is None else valid
    return struct.pack("<hhiiiiii", kind, 1, 8, 4, overflow, number, number, valid) + body


def write(folder, raw, name="a.aedat"):
    path = folder / name
    path.write_bytes(raw)
    return path


@given(st.lists(st.lists(an_event, max_size=20), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_aedat_3_agrees_with_tonic(tmp_path_factory, lists):
    raw = HEADER_3 + b"".join(packet(events) for events in lists)
    path = write(tmp_path_factory.mktemp("aedat"), raw)
    found = read_aedat(path)
    theirs = tonic_io.get_aer_events_from_file(str(path), 3.1, len(HEADER_3))
    address = theirs["address"]
    assert found.sensor == (128, 128)
    assert found.events.dtype == EVENT
    assert np.array_equal(found.events["x"], address >> 17 & 0x1FFF)
    assert np.array_equal(found.events["y"], address >> 2 & 0x1FFF)
    assert np.array_equal(found.events["p"], address >> 1 & 1)
    assert np.array_equal(found.events["t"], theirs["timeStamp"])


def test_the_clock_of_aedat_3_goes_on_after_an_overflow(tmp_path):
    raw = HEADER_3 + packet([(1, 2, True, 2**31 - 1)]) + packet([(1, 2, True, 0)], overflow=1)
    assert read_aedat(write(tmp_path, raw)).events["t"].tolist() == [2**31 - 1, 2**31]


def test_other_packets_and_invalid_events_are_left_out(tmp_path):
    invalid = bytearray(packet([(1, 2, True, 5), (3, 4, False, 6)], valid=1))
    invalid[28] &= 0xFE
    raw = HEADER_3 + packet([(9, 9, True, 1)], kind=0) + bytes(invalid)
    assert read_aedat(write(tmp_path, raw)).events.tolist() == [(6, 3, 4, 0)]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "begins with"),
        (b"#!AER-DAT1.0\r\n", "begins with"),
        (b"\x89HDF\r\n", "begins with"),
        (HEADER_3[:-4], "no #!END-HEADER"),
        (HEADER_3.replace(b"RAW", b"PNGFrames"), "not of format RAW"),
        (HEADER_3 + packet([(1, 2, True, 3)])[:-3], "ends inside a packet"),
        (HEADER_3 + b"1234", "ends inside a packet"),
        (HEADER_3 + b"\xff" * 40, "has a packet of -1 events"),
        (HEADER_3 + packet([(1, 2, True, 3)], valid=0), "its header says 0"),
        (HEADER_3 + packet([(1, 200, True, 3)]), "x=1, y=200, outside the 128 x 128 sensor"),
        (HEADER_2 + b"# AEChip: a.DVS128\r\n1234567", "not a multiple of 8"),
        (HEADER_2 + b"12345678", "names none: choose camera from dvs128"),
        (HEADER_2 + b"# AEChip: a.b.Tmpdiff128\r\n" + b"12345678", "a camera called 'tmpdiff128'"),
        (b"#!AER-DAT4.0\r\n", "not a complete AEDAT 4.0 file"),
        ((FIXTURES / "lz4.aedat4").read_bytes()[:900], "not a complete AEDAT 4.0 file"),
    ],
)
def test_what_is_no_complete_recording_is_named(tmp_path, raw, message):
    path = write(tmp_path, raw)
    with pytest.raises(DataError, match=message) as raised:
        read_aedat(path)
    assert str(path) in str(raised.value)


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(DataError, match="is not a file"):
        read_aedat(tmp_path)


@given(st.lists(a_davis_event, min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_aedat_2_of_a_davis_agrees_with_tonic(tmp_path_factory, events):
    events = sorted(events, key=lambda event: event[3])
    assume(events[0][1] // 4 != ord("#"))  # tonic takes such an address for a line of the header
    raw = HEADER_2 + b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS346B\r\n"
    raw += b"".join(struct.pack(">II", y << 22 | x << 12 | on << 11, t) for x, y, on, t in events)
    path = write(tmp_path_factory.mktemp("aedat"), raw)
    found = read_aedat(path)
    _, _, theirs = tonic_io.read_davis_346(str(path))
    assert found.sensor == (260, 346)
    for field in "xytp":
        assert np.array_equal(found.events[field], theirs[field]), field


def test_aedat_2_leaves_frames_triggers_and_synchronisation_out(tmp_path):
    davis = HEADER_2 + struct.pack(">6I", 0x80000000, 1, 0x400, 2, 3 << 22 | 5 << 12 | 0x800, 3)
    assert read_aedat(write(tmp_path, davis), camera="davis240").events.tolist() == [
        (3, 239 - 5, 179 - 3, 1)
    ]
    dvs = HEADER_2 + struct.pack(">4I", 0x8000, 1, 7 << 8 | 9 << 1 | 1, 2)
    assert read_aedat(write(tmp_path, dvs), camera="dvs128").events.tolist() == [
        (2, 127 - 9, 127 - 7, 0)
    ]


def test_the_clock_of_aedat_2_goes_on_after_it_wraps(tmp_path):
    raw = HEADER_2 + struct.pack(">6I", 0, 2**32 - 1, 0, 0, 0, 5)
    times = read_aedat(write(tmp_path, raw), camera="dvs128").events["t"]
    assert times.tolist() == [2**32 - 1, 2**32, 2**32 + 5]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_aedat_4_as_the_vendor_writes_it(compression):
    found = read_aedat(FIXTURES / f"{compression}.aedat4")
    i = np.arange(300)
    assert found.sensor == (260, 346)
    assert np.array_equal(found.events["t"], 1_700_000_000_000_000 + 37 * i)
    assert np.array_equal(found.events["x"], 7 * i % 346)
    assert np.array_equal(found.events["y"], 11 * i % 260)
    assert np.array_equal(found.events["p"], i % 3 == 0)


def test_an_address_that_begins_like_a_line_of_the_header_is_an_event(tmp_path):
    raw = HEADER_2 + struct.pack(">2I", ord("#") << 24 | 5 << 12 | 0x800, 7)
    events = read_aedat(write(tmp_path, raw), camera="davis346").events
    assert events.tolist() == [(7, 345 - 5, 259 - 4 * ord("#"), 1)]
