"""Recordings of an event camera in N-MNIST's format of five bytes per event."""

from pathlib import Path, PurePosixPath

import numpy as np

from engram.data.dataset import DataError, Split
from engram.data.reading import Reading, members, sources

EVENT = np.dtype([("t", np.int32), ("x", np.uint8), ("y", np.uint8), ("p", np.uint8)])
"""Time in microseconds, column, row, and polarity: 1 if the pixel became brighter."""

N_MNIST_SENSOR = (34, 34)
_OVERFLOW_ROW = 240
_OVERFLOW_US = 1 << 13


def decode_events(raw: bytes, sensor: tuple[int, int], name: str) -> np.ndarray:
    """Decode one recording.

    An event is x, y, and three big-endian bytes: the polarity bit, then 23 bits of time. An event
    in row 240 only marks that the clock wrapped: 2^13 us are added to all later times.

    Args:
        raw: The file's content.
        sensor: (height, width) in pixels.
        name: Name of the recording in errors.

    Returns:
        The events, (n,) of dtype `EVENT`, in file order.

    Raises:
        DataError: If the content is empty or truncated, or an event is outside the sensor.

    References:
        Orchard et al., Converting static image datasets to spiking neuromorphic datasets using
        saccades, Frontiers in Neuroscience 9:437, 2015.
    """
    if not raw or len(raw) % 5:
        raise DataError(
            f"{name} has {len(raw)} bytes, not 5 per event: replace it with a complete copy"
        )
    columns = np.frombuffer(raw, np.uint8).reshape(-1, 5)
    high, middle, low = columns[:, 2:].T.astype(np.int32)
    wraps = columns[:, 1] == _OVERFLOW_ROW
    events = np.empty(len(columns), EVENT)
    events["t"] = ((high & 0x7F) << 16 | middle << 8 | low) + _OVERFLOW_US * np.cumsum(wraps)
    events["x"] = columns[:, 0]
    events["y"] = columns[:, 1]
    events["p"] = high >> 7
    events = events[~wraps]
    check_on_sensor(events, sensor, name)
    return events


def check_on_sensor(events: np.ndarray, sensor: tuple[int, int], name: str) -> None:
    """Raise DataError if an event of a recording is outside the sensor.

    Args:
        events: (n,) structured with the fields x and y.
        sensor: (height, width) in pixels.
        name: Name of the recording in the error.
    """
    height, width = sensor
    off = (events["x"] >= width) | (events["y"] >= height)
    if off.any():
        first = events[np.argmax(off)]
        raise DataError(
            f"{name} has an event at x={first['x']}, y={first['y']}, outside the {width} x "
            f"{height} sensor: replace it with a recording of that sensor"
        )


def read_n_mnist(path: Path) -> Reading:
    """Read N-MNIST: `Train/<digit>/*.bin` and `Test/<digit>/*.bin`, in a folder or archives.

    Args:
        path: The folder, an archive, or a folder with archives. Every event is held in memory,
            7 bytes each: about 2 GB for the whole set.

    Returns:
        Recordings in order of their paths, and their digits.

    Raises:
        DataError: If a recording is damaged or misplaced, or a split is empty.
    """
    read_from = sources(path, "*.bin")
    recordings: dict[str, list[tuple[str, int, np.ndarray]]] = {"train": [], "test": []}
    for source in read_from:
        for name, raw in members(source, "*.bin"):
            label = f"{source}: {name}"
            split, digit = _place(PurePosixPath(name), label)
            recordings[split].append((name, digit, decode_events(raw, N_MNIST_SENSOR, label)))
    for split, found in recordings.items():
        if not found:
            raise DataError(f"{path} holds no {split.title()}/<digit>/*.bin: add that split")
    return Reading(_split(recordings["train"]), _split(recordings["test"]), files=read_from)


def _place(name: PurePosixPath, label: str) -> tuple[str, int]:
    parts = name.parts[-3:]
    if len(parts) == 3 and parts[0].lower() in {"train", "test"} and parts[1] in set("0123456789"):
        return parts[0].lower(), int(parts[1])
    raise DataError(f"{label} is not at Train/<digit>/ or Test/<digit>/: move it there")


def _split(recordings: list[tuple[str, int, np.ndarray]]) -> Split:
    recordings.sort(key=lambda recording: recording[0])
    labels = np.array([digit for _, digit, _ in recordings], dtype=np.int64)
    return Split([events for _, _, events in recordings], labels)
