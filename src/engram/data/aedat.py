"""Recordings of event cameras in AEDAT 2.0, 3.1 and 4.0 files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from engram.data.dataset import DataError
from engram.data.events import check_on_sensor
from engram.errors import MissingPackageError

EVENT = np.dtype([("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("p", np.uint8)])
"""Time in microseconds, column, row, and polarity: 1 if the pixel became brighter."""

Camera = Literal["dvs128", "davis240", "davis346"]
"""Cameras whose addresses in AEDAT 2.0 are known."""

SENSORS: dict[str, tuple[int, int]] = {
    "dvs128": (128, 128),
    "davis128": (128, 128),
    "davis240": (180, 240),
    "davis346": (260, 346),
    "davis640": (480, 640),
}
"""(height, width) in pixels, by the beginning of the camera's name in a file."""

_END = b"#!END-HEADER\r\n"
_JAER_END = b"#End Of ASCII Header\r\n"
_PACKET = np.dtype(
    [
        ("type", "<i2"),
        ("source", "<i2"),
        ("size", "<i4"),
        ("t_offset", "<i4"),
        ("overflow", "<i4"),
        ("capacity", "<i4"),
        ("number", "<i4"),
        ("valid", "<i4"),
    ]
)
_POLARITY = 1
_EVENT_3 = np.dtype([("address", "<u4"), ("t", "<i4")])
_HEADER_LINE = re.compile(rb"#[\t\x20-\x7e]*\r?\n")
_EVENT_2 = np.dtype([("address", ">u4"), ("t", ">u4")])


class Recording(NamedTuple):
    """A recording of an event camera.

    Attributes:
        events: The events, (n,) structured with the fields t (µs), x, y and p.
        sensor: (height, width) in pixels; None if the file does not state it.
    """

    events: np.ndarray
    sensor: tuple[int, int] | None


class Packet(NamedTuple):
    """Location of the polarity events of one packet of an AEDAT 3.1 file.

    Attributes:
        start: Offset of the first event in the file, in bytes.
        number: Number of events.
        valid: Number of valid events according to the packet's header.
        overflow: Number of times the 31-bit clock of the camera has wrapped.
    """

    start: int
    number: int
    valid: int
    overflow: int


def read_aedat(path: str | Path, *, camera: Camera | None = None) -> Recording:
    """Read the polarity events of an AEDAT file; the version is in its first line.

    Rows count from the top and columns from the left, so y of AEDAT 2.0, which counts from the
    bottom, and its mirrored x are flipped. Other events, such as frames, inertial measurements and
    triggers, are left out, and so are events that the file marks as invalid.

    Args:
        path: The file.
        camera: The camera that recorded an AEDAT 2.0 file, if its header does not name it.

    Returns:
        The events in file order, and the size of the sensor if the file states it.

    Raises:
        DataError: If the file is not AEDAT 2.0, 3.1 or 4.0, is damaged or truncated, does not name
            its camera, or has an event outside the sensor.
        ImportError: If AEDAT 4.0 is read without the package `aedat`.

    References:
        iniVation, "AEDAT file formats", versions 2.0, 3.1 and 4.0.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is not a file: name an AEDAT file")
    with path.open("rb") as file:
        first = file.readline(64)
    version = first.removeprefix(b"#!AER-DAT").strip().decode("ascii", "replace")
    if not first.startswith(b"#!AER-DAT") or version not in {"2.0", "3.1", "4.0"}:
        raise DataError(
            f"{path} begins with {first[:24]!r}, not with #!AER-DAT2.0, 3.1 or 4.0: name an AEDAT "
            "file of one of these versions"
        )
    if version == "4.0":
        return _read_4(path)
    raw = np.memmap(path, np.uint8, mode="r")
    if version == "3.1":
        events = decode_packets(raw, packets(raw, str(path)), str(path))
        return _on_sensor(Recording(events, camera_sensor(raw)), str(path))
    return _read_2(raw, camera, str(path))


def decode_aedat2(raw: np.ndarray, camera: Camera, name: str) -> np.ndarray:
    """Decode the polarity events of an AEDAT 2.0 file, in the pixel coordinates of the file.

    Args:
        raw: The file's bytes, (n,) uint8.
        camera: The camera whose addresses they are.
        name: Name of the file in errors.

    Returns:
        The events; x is mirrored and y counts from the bottom, as in jAER.

    Raises:
        DataError: If the last event is truncated.
    """
    start = _header_end_2(raw)
    if (len(raw) - start) % _EVENT_2.itemsize:
        raise DataError(
            f"{name} has {len(raw) - start} bytes of events, not a multiple of 8: replace it "
            "with a complete copy"
        )
    records = raw[start:].view(_EVENT_2)
    address, t = records["address"].astype(np.uint32), records["t"].astype(np.int64)
    t += (np.cumsum(np.diff(t, prepend=t[:1]) < -(1 << 31))) << 32
    if camera == "dvs128":  # bit 15 marks a synchronisation event; bit 0 is 0 for ON
        wanted = address & 0x8000 == 0
        x, y, on = address >> 1 & 0x7F, address >> 8 & 0x7F, ~address & 1
    else:  # bit 31 marks a sample of a frame, bit 10 a trigger
        wanted = address & 0x80000400 == 0
        x, y, on = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
    return _events(t, x, y, on)[wanted]


def packets(raw: np.ndarray, name: str) -> list[Packet]:
    """Find the packets of polarity events of an AEDAT 3.1 file without decoding them.

    Args:
        raw: The file's bytes, (n,) uint8.
        name: Name of the file in errors.

    Returns:
        The packets, in file order.

    Raises:
        DataError: If the file is compressed, damaged or truncated.
    """
    header, at = _header_3(raw, name)
    if b"#Format: RAW" not in header:
        raise DataError(f"{name} is not of format RAW: export it uncompressed")
    found = []
    while at < len(raw):
        if at + _PACKET.itemsize > len(raw):
            raise DataError(f"{name} ends inside a packet: replace it with a complete copy")
        head = raw[at : at + _PACKET.itemsize].view(_PACKET)[0]
        size, number, capacity = (int(head[field]) for field in ("size", "number", "capacity"))
        at += _PACKET.itemsize
        end = at + size * capacity
        polarity = head["type"] == _POLARITY
        if size < 1 or not 0 <= number <= capacity or (polarity and size != _EVENT_3.itemsize):
            raise DataError(
                f"{name} has a packet of {number} events of {size} bytes with room for {capacity} "
                f"at byte {at}: replace it with an undamaged copy"
            )
        if end > len(raw):
            raise DataError(f"{name} ends inside a packet: replace it with a complete copy")
        if polarity:
            found.append(Packet(at, number, int(head["valid"]), int(head["overflow"])))
        at = end
    return found


def decode_packets(raw: np.ndarray, found: list[Packet], name: str) -> np.ndarray:
    """Decode packets of polarity events of an AEDAT 3.1 file.

    Args:
        raw: The file's bytes, (n,) uint8.
        found: The packets, from `packets`.
        name: Name of the file in errors.

    Returns:
        The valid events, (n,) of dtype `EVENT`, in file order.

    Raises:
        DataError: If a packet's header and its events disagree on how many are valid.
    """
    return np.concatenate([np.empty(0, EVENT), *_decoded(raw, found, name)])


def camera_sensor(raw: np.ndarray) -> tuple[int, int] | None:
    """The size of the sensor of the camera that an AEDAT 3.1 file names as its source."""
    header, _ = _header_3(raw, "the file")
    for line in header.splitlines():
        if line.startswith(b"#Source "):
            return _sensor_of(line.partition(b":")[2].strip().decode("ascii", "replace"))
    return None


def _decoded(raw: np.ndarray, found: list[Packet], name: str) -> Iterator[np.ndarray]:
    for packet in found:
        end = packet.start + packet.number * _EVENT_3.itemsize
        records = raw[packet.start : end].view(_EVENT_3)
        address, t = records["address"], records["t"].astype(np.int64) | packet.overflow << 31
        valid = address & 1 == 1
        if valid.sum() != packet.valid:
            raise DataError(
                f"{name} has a packet at byte {packet.start} with {valid.sum()} valid events, and "
                f"its header says {packet.valid}: replace it with an undamaged copy"
            )
        yield _events(t, address >> 17, address >> 2 & 0x7FFF, address >> 1 & 1)[valid]


def _events(t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    events = np.empty(len(t), EVENT)
    events["t"], events["x"], events["y"], events["p"] = t, x, y, p
    return events


def _read_2(raw: np.ndarray, camera: Camera | None, name: str) -> Recording:
    header = raw[: _header_end_2(raw)].tobytes()
    named = header.partition(b"AEChip:")[2].partition(b"\n")[0].strip()
    chip = named.rpartition(b".")[2].decode("ascii", "replace").lower()
    cameras: tuple[Camera, ...] = get_args(Camera)
    known = camera or next((one for one in cameras if chip.startswith(one)), None)
    if known is None or known not in cameras:
        what = f"camera {camera!r}" if camera else f"a camera called {chip!r}" if chip else "none"
        raise DataError(
            f"{name} is AEDAT 2.0, whose addresses depend on the camera, and names {what}: choose "
            f"camera from {', '.join(cameras)}"
        )
    height, width = SENSORS[known]
    events = decode_aedat2(raw, known, name)
    check_on_sensor(events, (height, width), name)
    events["x"], events["y"] = width - 1 - events["x"], height - 1 - events["y"]
    return Recording(events, (height, width))


def _read_4(path: Path) -> Recording:
    try:
        import aedat  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise MissingPackageError(
            f'{path} is AEDAT 4.0, which needs a decoder: pip install "engram[events]"'
        ) from error
    try:
        decoder = aedat.Decoder(path)
        streams = {
            key: stream
            for key, stream in decoder.id_to_stream().items()
            if stream["type"] == "events"
        }
        if len(streams) != 1:
            raise DataError(
                f"{path} holds {len(streams)} streams of events: export the one that you need to "
                f"a separate file"
            )
        ((key, stream),) = streams.items()
        pieces = [packet["events"] for packet in decoder if packet["stream_id"] == key]
    except RuntimeError as error:  # of the decoder, for whatever it cannot read
        raise DataError(
            f"{path} is not a complete AEDAT 4.0 file ({error}): replace it with a complete copy"
        ) from error
    events = [_events(piece["t"], piece["x"], piece["y"], piece["on"]) for piece in pieces]
    sensor = (stream["height"], stream["width"])
    return _on_sensor(Recording(np.concatenate([np.empty(0, EVENT), *events]), sensor), str(path))


def _header_end_2(raw: np.ndarray) -> int:
    head = raw[: 1 << 20].tobytes()
    if (stated := head.find(_JAER_END)) >= 0:
        return stated + len(_JAER_END)
    at = 0
    while head[at : at + 1] == b"#":
        end = head.find(b"\n", at)
        if end < 0 or not _HEADER_LINE.fullmatch(head, at, end + 1):
            break  # an address that begins with the byte of "#"
        at = end + 1
    return at


def _header_3(raw: np.ndarray, name: str) -> tuple[bytes, int]:
    head = raw[: 1 << 20].tobytes()
    end = head.find(_END)
    if end < 0:
        raise DataError(f"{name} has no {_END.strip().decode()} line: replace it with a whole copy")
    return head[:end], end + len(_END)


def _sensor_of(camera: str) -> tuple[int, int] | None:
    name = camera.lower()
    return next((sensor for known, sensor in SENSORS.items() if name.startswith(known)), None)


def _on_sensor(recording: Recording, name: str) -> Recording:
    if recording.sensor is not None:
        check_on_sensor(recording.events, recording.sensor, name)
    return recording
