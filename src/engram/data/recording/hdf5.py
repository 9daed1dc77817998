"""Recordings in HDF5: NWB, and the files of retinal waves and cultures.

Only the datasets that are needed are read. A link to another file, storage in another file, a
virtual dataset, and a dataset that declares more than a file can hold are refused by name.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engram.data.recording.events import Events, Options, consecutive, duration_of
from engram.errors import EngramError, MissingPackageError

LARGEST = 1 << 31
"""Bytes of a dataset at most."""


def read_hdf5(path: Path, options: Options) -> Events:
    """Read an HDF5 file whose format is known.

    Args:
        path: The file.
        options: The duration, where the file has none.

    Raises:
        EngramError: If it is not such a file, or has parts that are refused.
    """
    with opened(path) as file:
        if _has(file, "sCount") and _has(file, "spikes"):
            return _read_counts(file, options)
        if _has(file, "units") or "nwb_version" in file.attrs:
            return _read_nwb(file, options)
        held = ", ".join(sorted(file)[:8]) or "nothing"
    raise EngramError(
        f"{path} is neither NWB (units/spike_times) nor a file of trains (spikes, sCount): it "
        f"holds {held}"
    )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An open HDF5 file.

    Args:
        path: The file.

    Raises:
        EngramError: If h5py is missing, or the file, or what is read of it inside, is damaged.
    """
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingPackageError(
            f"{path} is an HDF5 file, which needs h5py: pip install 'engram[recordings]'"
        ) from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError) as error:
        raise EngramError(f"{path} cannot be read as HDF5: {error}") from error


def _has(file: Any, name: str) -> bool:
    return find(file, name) is not None


def fetch(file: Any, name: str) -> np.ndarray:
    """Read a dataset of numbers or text, if it lies in the file itself.

    Args:
        file: The open file.
        name: The path of the dataset.

    Raises:
        EngramError: If it does not, or is larger than 2 GiB.
    """
    import h5py  # noqa: PLC0415 - an extra

    held = find(file, name)
    if held is None:
        raise EngramError(f"{name} is missing")
    if not isinstance(held, h5py.Dataset):
        raise EngramError(f"{name} is a group: it should be a dataset")
    if held.is_virtual or held.external:
        raise EngramError(f"{name} is stored in another file, which is not opened")
    if held.size * held.dtype.itemsize > LARGEST:
        raise EngramError(
            f"{name} declares a shape of {held.shape}, {held.size * held.dtype.itemsize:.3g} "
            f"bytes: more than {LARGEST} are not read"
        )
    return np.asarray(held[()])


def find(file: Any, name: str) -> Any:
    """The object of a path, reached without following any link to another place; None if absent.

    Args:
        file: The open file.
        name: The path.

    Raises:
        EngramError: If there is such a link on the way.
    """
    import h5py  # noqa: PLC0415 - an extra

    held, passed = file, []
    for part in name.split("/"):
        passed.append(part)
        # `in` and `get` would open the file that an external link names
        if not isinstance(held, h5py.Group) or not held.id.links.exists(part.encode()):
            return None
        if held.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:  # pyright: ignore[reportAttributeAccessIssue]
            raise EngramError(
                f"{'/'.join(passed)} is a link to another place, which is not followed: copy what "
                "it points at into the file"
            )
        held = held[part]
    return held


def _read_nwb(file: Any, options: Options) -> Events:
    """The units table of an NWB file; ids are kept."""
    units = find(file, "units")
    if units is None:
        raise EngramError("this NWB file has no table of units: its spikes have not been sorted")
    if not (_has(file, "units/spike_times") and _has(file, "units/spike_times_index")):
        raise EngramError(
            "the units table of this NWB file has no spike_times: it holds "
            f"{', '.join(sorted(units)) or 'nothing'}"
        )
    times = fetch(file, "units/spike_times").astype(np.float64)
    ends = fetch(file, "units/spike_times_index")
    numbered = list(range(len(ends)))
    ids = fetch(file, "units/id").tolist() if _has(file, "units/id") else numbered
    unit = consecutive(times, ends, ids, "units/spike_times_index")
    notes: list[str] = []
    stated = options.duration_s
    for name in ("units/obs_intervals", "intervals/epochs/stop_time"):
        if stated is None and _has(file, name):
            stated = float(fetch(file, name).max())
    if not _has(file, "intervals/trials"):
        notes.append("the file has no trials: the recording is taken as one")
    return Events(unit, times, duration_of(times, stated, notes), ids, notes=tuple(notes))


def _read_counts(file: Any, options: Options) -> Events:
    """Trains one after another in `spikes`, with the number of spikes of each in `sCount`."""
    times = fetch(file, "spikes").astype(np.float64)
    counts = fetch(file, "sCount").astype(np.int64)
    ids: Sequence[str | int] = list(range(len(counts)))
    notes: list[str] = []
    if _has(file, "names"):
        names = [name.decode(errors="replace") for name in fetch(file, "names").tolist()]
        if len(set(names)) == len(counts):
            ids = list(names)
        else:
            notes.append("its names do not name each unit once: the units are numbered")
    unit = consecutive(times, np.cumsum(counts), ids, "sCount")
    stated, start = options.duration_s, 0.0
    if _has(file, "recordingtime"):
        start, end = fetch(file, "recordingtime").astype(np.float64)
        stated = stated or float(end - start)
        times = times - start
    elif stated is None and _has(file, "summary/duration"):
        stated = float(fetch(file, "summary/duration").max())
    return Events(unit, times, duration_of(times, stated, notes), ids, notes=tuple(notes))
