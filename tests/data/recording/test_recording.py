"""Readers of recordings: every format against the trains that were written into it."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from engram.data.recording import Options, read_recording
from engram.errors import EngramError

TRAINS = {7: [0.1, 0.5, 2.0], 3: [], 12: [0.25, 0.25, 3.5]}
"""Seconds of the spikes of each unit; a repeated time, and a silent unit."""
ENDS = np.cumsum([len(train) for train in TRAINS.values()])
TIMES = np.concatenate([*TRAINS.values()])
DURATION_S = 4.0


def write_nwb(path: Path, ends: np.ndarray = ENDS, **further: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.4.0"
        file["units/id"] = list(TRAINS)
        file["units/spike_times"] = TIMES
        file["units/spike_times_index"] = ends
        file["intervals/epochs/stop_time"] = [1.5, DURATION_S]
        for name, value in further.items():
            file[name] = value
    return path


def write_counts(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["spikes"] = TIMES + 10
        file["sCount"] = np.array([len(train) for train in TRAINS.values()], dtype=np.int32)
        file["names"] = [b"ch_7", b"ch_3", b"ch_12"]
        file["recordingtime"] = [10.0, 10.0 + DURATION_S]
    return path


def write_table(path: Path) -> Path:
    rows = [(f"{1000 * t}", unit) for unit, train in TRAINS.items() for t in reversed(train)]
    path.write_text("\n".join(["time_ms,unit", *(f"{t},{u}" for t, u in rows)]) + "\n")
    return path


def write_phy(path: Path) -> Path:
    path.mkdir()
    order = np.argsort(TIMES, kind="stable")
    clusters = np.repeat(list(TRAINS), [len(train) for train in TRAINS.values()])
    np.save(path / "spike_times.npy", np.round(TIMES * 20_000).astype(np.uint64)[order, None])
    np.save(path / "spike_clusters.npy", clusters.astype(np.int32)[order])
    (path / "params.py").write_text("dat_path = 'x'\nsample_rate = 20000.\n")
    (path / "cluster_group.tsv").write_text("cluster_id\tgroup\n7\tgood\n3\tgood\n12\tmua\n")
    return path


def trains(path: Path, options: Options | None = None) -> dict[str | int, list[float]]:
    spikes = read_recording(path, options).spikes
    return {unit: spikes.train(i).tolist() for i, unit in enumerate(spikes.units)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int64])
def test_nwb_keeps_ids_and_silent_units_whatever_the_bits_of_its_index(tmp_path, dtype):
    path = write_nwb(tmp_path / "a.nwb", ENDS.astype(dtype))
    assert trains(path) == TRAINS
    recording = read_recording(path)
    assert recording.spikes.duration_s == DURATION_S
    assert any("no trials" in note for note in recording.notes)


def test_an_index_that_overflowed_is_not_believed(tmp_path):
    n = 70_000
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["units/spike_times"] = np.arange(n, dtype=np.float64)
        file["units/spike_times_index"] = np.array([40_000, n]).astype(np.uint16)
    with pytest.raises(EngramError, match=r"spike_times_index \(uint16\).*too few bits"):
        read_recording(tmp_path / "a.nwb")


def test_files_of_trains_are_shifted_to_their_beginning(tmp_path):
    found = trains(write_counts(tmp_path / "a.h5"))
    assert list(found) == ["ch_7", "ch_3", "ch_12"]
    for ours, theirs in zip(found.values(), TRAINS.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_table_may_be_in_any_order_and_states_its_unit(tmp_path):
    path = write_table(tmp_path / "a.csv")
    spiking = {unit: train for unit, train in TRAINS.items() if train}
    assert {k: pytest.approx(v) for k, v in trains(path).items()} == spiking
    plain = tmp_path / "b.tsv"
    plain.write_text("7\t2000\n12\t250\n")
    assert trains(plain, Options(time_unit="ms")) == {7: [2.0], 12: [0.25]}
    assert trains(plain, Options(time_unit="samples", rate_hz=1000)) == {7: [2.0], 12: [0.25]}
    with pytest.raises(EngramError, match="unit of its times is not stated"):
        read_recording(plain)


def test_a_folder_of_phy_gives_the_clusters_of_the_groups(tmp_path):
    folder = write_phy(tmp_path / "phy")
    assert trains(folder) == {7: TRAINS[7]}
    both = trains(folder, Options(groups=("good", "mua")))
    assert both == {unit: train for unit, train in TRAINS.items() if train}
    with pytest.raises(EngramError, match=r"no cluster is left.*good, mua"):
        read_recording(folder, Options(groups=("noise",)))
    (folder / "params.py").write_text("sample_rate = __import__('os').getpid()\n")
    with pytest.raises(EngramError, match=r"params\.py states no sample_rate"):
        read_recording(folder)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_raster_is_counts_of_units_and_time(tmp_path, axis):
    counts = np.random.default_rng(0).poisson(0.4, (3, 40)).astype(np.uint8)
    np.save(tmp_path / "a.npy", counts if axis else counts.T)
    recording = read_recording(tmp_path / "a.npy", Options(dt_s=0.05))
    trace = recording.spikes.to_trace(0.05)
    assert np.array_equal(trace.activity[:, 0].T, counts)
    assert "the longer axis" in recording.notes[0]
    with pytest.raises(EngramError, match="width of its bins, dt_s"):
        read_recording(tmp_path / "a.npy")


def outside(path: Path, name: str) -> Path:
    """An NWB file one of whose datasets lies elsewhere, or cannot exist."""
    write_nwb(path)
    secret = path.with_suffix(".secret")
    with h5py.File(secret, "w") as file:
        file["x"] = np.arange(6.0)
    with h5py.File(path, "a") as file:
        del file["units/spike_times"]
        if name == "external link":
            file["units/spike_times"] = h5py.ExternalLink(secret, "x")
        elif name == "soft link":
            file["units/spike_times"] = h5py.SoftLink("/units/id")
        elif name == "external storage":
            external = [(str(secret), 0, 48)]
            file.create_dataset("units/spike_times", (6,), "f8", external=external)
        elif name == "virtual dataset":
            layout = h5py.VirtualLayout((6,), "f8")
            layout[:] = h5py.VirtualSource(secret, "x", (6,))
            file.create_virtual_dataset("units/spike_times", layout)
        else:
            file.create_dataset("units/spike_times", (1 << 40,), "f8", chunks=(1024,))
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("external link", "is a link to another place"),
        ("soft link", "is a link to another place"),
        ("external storage", "stored in another file"),
        ("virtual dataset", "stored in another file"),
        ("terabytes", r"declares a shape of \(1099511627776,\)"),
    ],
)
def test_what_lies_elsewhere_or_cannot_be_is_refused_by_name(tmp_path, name, message):
    with pytest.raises(EngramError, match=f"units/spike_times.*{message}"):
        read_recording(outside(tmp_path / "a.nwb", name))


def test_an_external_link_in_place_of_the_units_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["units"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(EngramError, match="units is a link"):
        read_recording(tmp_path / "a.nwb")


def test_damaged_files_and_other_files_are_named(tmp_path):
    whole = write_nwb(tmp_path / "a.nwb").read_bytes()
    for cut in (9, 500, len(whole) // 2):
        (tmp_path / "cut.nwb").write_bytes(whole[:cut])
        with pytest.raises(EngramError, match=r"cut\.nwb"):
            read_recording(tmp_path / "cut.nwb")
    (tmp_path / "text.h5").write_text("version https://git-lfs")
    with pytest.raises(EngramError, match="not an HDF5 file"):
        read_recording(tmp_path / "text.h5")
    with h5py.File(tmp_path / "empty.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.4.0"
        file["units/id"] = [1, 2]
    with pytest.raises(EngramError, match=r"no spike_times: it holds id"):
        read_recording(tmp_path / "empty.nwb")
    with pytest.raises(EngramError, match="does not exist"):
        read_recording(tmp_path / "nowhere.nwb")


def test_trains_out_of_order_and_negative_times_are_named(tmp_path):
    path = write_nwb(tmp_path / "a.nwb")
    with h5py.File(path, "a") as file:
        del file["units/spike_times"]
        file["units/spike_times"] = np.array([0.1, 0.05, 2.0, *TRAINS[12]])
    with pytest.raises(EngramError, match="unit 7 are not in ascending order"):
        read_recording(path)
    table = tmp_path / "a.csv"
    table.write_text("unit,time_s\n1,-0.5\n1,2\n")
    with pytest.raises(EngramError, match=r"earliest time is -0\.5"):
        read_recording(table)
    table.write_text("unit,time_s\n1,0.5\n1,later\n")
    with pytest.raises(EngramError, match="line 3"):
        read_recording(table)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_file_that_never_ends_is_given_up(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(EngramError, match="not read within 2 s"):
        read_recording(tmp_path / "a.csv", limit_s=2.0)


def test_memory_is_limited(tmp_path):
    with h5py.File(tmp_path / "a.nwb", "w") as file:  # 1.6 GB of zeros in a small file
        file.create_dataset("units/spike_times", (200_000_000,), "f8", chunks=(1 << 20,))
        file["units/spike_times_index"] = [200_000_000]
    with pytest.raises(EngramError, match="bytes of memory"):
        read_recording(tmp_path / "a.nwb", limit_bytes=1 << 30)
