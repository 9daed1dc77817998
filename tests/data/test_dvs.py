import struct
import zipfile

import pytest

from engram import data
from engram.data import DataError, load
from engram.data.cifar import CIFAR10_CLASSES
from tests.data.test_aedat import HEADER_2, HEADER_3, packet


def session(folder, name, spans):
    """Ten events a span, one a microsecond in each of two packets, and the table of labels."""
    packets, rows = [], ["class,startTime_usec,endTime_usec"]
    for label, start in spans:
        times = range(start, start + 10)
        events = [(label, t - start, t % 2 == 0, t) for t in times]
        packets += [packet(events[:4]), packet(events[4:])]
        rows.append(f"{label},{start},{start + 9}")
    (folder / f"{name}.aedat").write_bytes(HEADER_3 + b"".join(packets))
    (folder / f"{name}_labels.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def gestures(tmp_path):
    folder = tmp_path / "DvsGesture"
    folder.mkdir()
    session(folder, "user01_led", [(1, 100), (8, 200), (8, 300)])
    session(folder, "user24_lab", [(11, 50)])
    (folder / "trials_to_train.txt").write_text("user01_led.aedat\n")
    (folder / "trials_to_test.txt").write_text("user24_lab.aedat\n")
    return folder


def test_gestures_are_cut_from_start_to_before_end(gestures):
    dataset = load("dvs-gesture", folder=gestures)
    assert dataset.train.labels.tolist() == [0, 7, 7]
    assert dataset.test.labels.tolist() == [10]
    for events, (label, start) in zip(
        dataset.train.inputs, [(1, 100), (8, 200), (8, 300)], strict=True
    ):
        assert events["t"].tolist() == list(range(start, start + 9))  # the end is left out
        assert set(events["x"].tolist()) == {label}
    assert dataset.sensor == (128, 128)
    assert len(dataset.classes) == 11


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("12,100,109", "has class 12"),
        ("0,100,109", "has class 0"),
        ("1,5000,6000", "must have events in that span"),
        ("1,x,109", "three integers"),
        ("1,100", "three integers"),
    ],
)
def test_labels_that_do_not_fit_are_named(gestures, row, message):
    with (gestures / "user01_led_labels.csv").open("a") as table:
        table.write(row + "\n")
    with pytest.raises(DataError, match=message):
        load("dvs-gesture", folder=gestures)


@pytest.mark.parametrize("name", ["user01_led.aedat", "user24_lab_labels.csv"])
def test_a_missing_file_is_named(gestures, name):
    (gestures / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing"):
        load("dvs-gesture", folder=gestures)


def test_an_archive_must_be_unpacked(tmp_path):
    (tmp_path / "DvsGesture.tar.gz").write_bytes(b"x")
    with pytest.raises(DataError, match="unpack it"):
        load("dvs-gesture", folder=tmp_path / "DvsGesture.tar.gz")


def cifar(folder, each=10, form="folder"):
    for name in CIFAR10_CLASSES:
        files = {
            f"{name}/cifar10_{name}_{i}.aedat": HEADER_2 + struct.pack(">II", i << 8 | 5 << 1, i)
            for i in range(each)
        }
        if form == "zip":
            with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
                for path, raw in files.items():
                    archive.writestr(path, raw)
        else:
            (folder / name).mkdir()
            for path, raw in files.items():
                (folder / path).write_bytes(raw)
    return folder


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_cifar10_dvs_divides_each_class_by_number(tmp_path, form):
    dataset = load("cifar10-dvs", folder=cifar(tmp_path, 20, form))
    assert dataset.classes == CIFAR10_CLASSES
    assert dataset.train.labels.tolist() == [label for label in range(10) for _ in range(18)]
    assert [int(one["t"][0]) for one in dataset.test.inputs] == [18, 19] * 10
    assert [int(one["t"][0]) for one in dataset.train.take([2, 11]).inputs] == [2, 11]
    events = dataset.train.inputs[3]  # x = 127 - y, y = 127 - x, p = 1 - p as SpikingJelly has it
    assert events[["x", "y", "p"]].tolist() == [(127 - 3, 127 - 5, 1)]
    assert "no test split" in dataset.notes[0]


def test_a_missing_class_is_named(tmp_path):
    folder = cifar(tmp_path, form="zip")
    (folder / "ship.zip").unlink()
    with pytest.raises(DataError, match="it needs each of"):
        load("cifar10-dvs", folder=folder)


def test_a_misnamed_recording_is_named(tmp_path):
    folder = cifar(tmp_path)
    (folder / "ship" / "other.aedat").write_bytes(HEADER_2)
    with pytest.raises(DataError, match="is not called cifar10_CLASS_N"):
        load("cifar10-dvs", folder=folder)


def test_an_empty_folder_and_a_tar_are_named(tmp_path):
    with pytest.raises(DataError, match="holds no"):
        load("cifar10-dvs", folder=tmp_path)
    (tmp_path / "all.tar").write_bytes(b"x")
    with pytest.raises(DataError, match="not a zip archive"):
        load("cifar10-dvs", folder=tmp_path / "all.tar")


def test_data_that_must_be_fetched_by_hand_say_where_they_are(monkeypatch, tmp_path):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("dvs-gesture", "cifar10-dvs"):
        with pytest.raises(DataError, match=rf"{name} is not on this computer: get .*https"):
            data.load(name)
