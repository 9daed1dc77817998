"""Data sets of event cameras in AEDAT files: DVS128 Gesture and CIFAR10-DVS."""

import csv
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple, overload

import numpy as np

from engram.data.aedat import (
    SENSORS,
    Packet,
    decode_aedat2,
    decode_packets,
    packets,
    read_aedat,
)
from engram.data.cifar import CIFAR10_CLASSES
from engram.data.dataset import DataError, Split
from engram.data.events import check_on_sensor
from engram.data.reading import Reading, require

GESTURES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)
DVS128 = SENSORS["dvs128"]
TRAIN_SHARE = 0.9
"""Share of each class of CIFAR10-DVS for training, as in most papers."""

_LABELS = ("class", "startTime_usec", "endTime_usec")


@dataclass(frozen=True, eq=False)
class Decoded(Sequence[np.ndarray]):
    """Recordings that are decoded on demand, because they would not all fit in memory.

    Args:
        read: One function per recording, which reads and decodes it.
    """

    read: Sequence[Callable[[], np.ndarray]]

    def __len__(self) -> int:
        return len(self.read)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> "Decoded": ...
    def __getitem__(self, index: int | slice) -> "np.ndarray | Decoded":
        if isinstance(index, slice):
            return Decoded(self.read[index])
        return self.read[index]()


class Gesture(NamedTuple):
    """One labelled span of a session of DVS128 Gesture; calling it decodes its events.

    Attributes:
        file: The session's AEDAT 3.1 file.
        packets: The packets of the session that contain the span.
        start_us: Start time of the span, in microseconds.
        end_us: End time of the span, exclusive.
    """

    file: Path
    packets: list[Packet]
    start_us: int
    end_us: int

    def __call__(self) -> np.ndarray:
        """Decode the events, with the times of the session."""
        raw = np.memmap(self.file, np.uint8, mode="r")
        events = decode_packets(raw, self.packets, str(self.file))
        check_on_sensor(events, DVS128, str(self.file))
        return events[(events["t"] >= self.start_us) & (events["t"] < self.end_us)]


def read_dvs_gesture(path: Path) -> Reading:
    """Read DVS128 Gesture: sessions in AEDAT 3.1, divided into labelled gestures.

    Args:
        path: The unpacked folder, with `trials_to_train.txt`, `trials_to_test.txt`, and for each
            session named in them `X.aedat` and `X_labels.csv`.

    Returns:
        Gestures in the order of the sessions and their labels, decoded on demand: 1,176 to train
        and 288 to test in the published data.

    Raises:
        DataError: If a file is missing or damaged, or a gesture contains no event.

    References:
        Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017.
    """
    if path.is_file():
        raise DataError(f"{path} is an archive: unpack it, because recordings are read in pieces")
    found = next(iter(sorted(path.rglob("trials_to_train.txt"))), None)
    if found is None:
        raise DataError(f"{path} holds no trials_to_train.txt: name the folder of DvsGesture")
    folder, splits = found.parent, []
    for part in ("train", "test"):
        trials = require(folder / f"trials_to_{part}.txt").read_text().split()
        gestures = [one for trial in trials for one in _session(folder / trial)]
        labels = np.array([label for _, label in gestures], dtype=np.int64)
        splits.append(Split(Decoded([gesture for gesture, _ in gestures]), labels))
    return Reading(*splits, files=(folder,), classes=GESTURES)


def read_cifar10_dvs(path: Path) -> Reading:
    """Read CIFAR10-DVS: `CLASS/cifar10_CLASS_N.aedat` (2.0, or 4.0 as repackaged), or its zips.

    The data have no test split: the first nine tenths of each class by number are for training and
    the rest for testing. The files of version 2.0 are rotated as in SpikingJelly.

    Args:
        path: A folder with a folder or zip archive for each class.

    Returns:
        Recordings by class and number, decoded on demand.

    Raises:
        DataError: If a class is missing, or a file is in another place or has another name.

    References:
        Li et al., "CIFAR10-DVS: an event-stream dataset for object classification", Frontiers in
        Neuroscience 11:309, 2017.
    """
    classes: dict[str, list[tuple[int, Callable[[], np.ndarray]]]] = {}
    for name, read in _files(path):
        place = PurePosixPath(name)
        match = re.fullmatch(r"cifar10_([a-z]+)_(\d+)", place.stem)
        if match is None:
            raise DataError(f"{path}: {name} is not called cifar10_CLASS_N: remove or rename it")
        classes.setdefault(match[1], []).append((int(match[2]), read))
    train, test = _Examples([], []), _Examples([], [])
    if sorted(classes) != sorted(CIFAR10_CLASSES):
        raise DataError(
            f"{path} holds the classes {', '.join(sorted(classes))}: it needs each of "
            f"{', '.join(CIFAR10_CLASSES)} once; add what is missing and remove what is not"
        )
    for label, name in enumerate(CIFAR10_CLASSES):
        in_order = [read for _, read in sorted(classes[name], key=lambda one: one[0])]
        kept = round(TRAIN_SHARE * len(in_order))
        for part, reads in ((train, in_order[:kept]), (test, in_order[kept:])):
            part.read.extend(reads)
            part.labels.extend([label] * len(reads))
    note = (
        "no test split was published: the first nine tenths of each class are for training, the "
        "rest for testing"
    )
    return Reading(
        train.split(), test.split(), files=(path,), classes=CIFAR10_CLASSES, notes=(note,)
    )


class _Examples(NamedTuple):
    read: list[Callable[[], np.ndarray]]
    labels: list[int]

    def split(self) -> Split:
        return Split(Decoded(self.read), np.array(self.labels, dtype=np.int64))


def _session(file: Path) -> Iterator[tuple[Gesture, int]]:
    """The labelled gestures of a session, from the packets' times and the table."""
    raw = np.memmap(require(file), np.uint8, mode="r")
    found = packets(raw, str(file))
    spans = [(*_ends(raw, packet), packet) for packet in found if packet.number]
    table = require(file.with_name(f"{file.stem}_labels.csv"))
    with table.open(newline="") as rows:
        reader = csv.DictReader(rows)
        if tuple(reader.fieldnames or ()) != _LABELS:
            raise DataError(f"{table} has columns {reader.fieldnames}, not {_LABELS}: replace it")
        for row in reader:
            try:
                label, start, end = (int(row[column]) for column in _LABELS)
            except (TypeError, ValueError):
                raise DataError(
                    f"{table} has {row} in line {reader.line_num}: give three integers"
                ) from None
            inside = [packet for first, last, packet in spans if first < end and last >= start]
            if not 1 <= label <= len(GESTURES) or not inside:
                raise DataError(
                    f"{table} has class {label} from {start} to {end} us in line "
                    f"{reader.line_num}: the classes are 1 to {len(GESTURES)}, and {file.name} "
                    "must have events in that span; replace both files"
                )
            yield Gesture(file, inside, start, end), label - 1


def _ends(raw: np.ndarray, packet: Packet) -> tuple[int, int]:
    """Times of the first and last event of a packet, whose events are in order of time."""
    words = raw[packet.start : packet.start + 8 * packet.number].view("<i4")
    high = packet.overflow << 31
    return int(words[1]) | high, int(words[-1]) | high


def _files(path: Path) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Yield each AEDAT file below a folder, or in its zip archives, with a function to read it."""
    loose = sorted(file for file in path.rglob("*.aedat*") if not file.name.startswith("."))
    if loose:
        yield from ((str(file), lambda file=file: _upright(file)) for file in loose)
        return
    archives = sorted(path.glob("*.zip")) if path.is_dir() else [path]
    for archive in archives:
        if not zipfile.is_zipfile(archive):
            raise DataError(f"{archive} is not a zip archive: unpack it and name the folder")
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if re.search(r"\.aedat4?$", name)]
        yield from (
            (f"{archive}/{name}", lambda archive=archive, name=name: _unpacked(archive, name))
            for name in names
        )
    if not archives:
        raise DataError(f"{path} holds no .aedat, .aedat4 or .zip file: put the classes there")


def _unpacked(archive: Path, name: str) -> np.ndarray:
    with zipfile.ZipFile(archive) as opened, TemporaryDirectory() as folder:
        return _upright(Path(opened.extract(name, folder)))


def _upright(file: Path) -> np.ndarray:
    with file.open("rb") as opened:
        if opened.readline(64).startswith(b"#!AER-DAT4"):
            return read_aedat(file).events
    raw = np.fromfile(file, np.uint8)
    events = decode_aedat2(raw, "dvs128", str(file))
    events["x"], events["y"] = 127 - events["y"], 127 - events["x"]
    return events
