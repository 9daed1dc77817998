"""Recordings in tables, rasters, and the folders of Phy and Kilosort."""

import ast
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engram.data.recording.events import SECONDS, Events, Options, duration_of
from engram.errors import EngramError

UNIT = ("unit", "neuron", "cluster", "cell", "channel", "electrode", "id", "unit_id")
TIME = ("time", "t", "spike_time", "times", "timestamp")
"""Names of the columns of a table; those of times may end with their unit, as in time_ms."""


def read_table(path: Path, options: Options) -> Events:
    """Read a csv or tsv file with a row per spike: its unit and its time.

    Args:
        path: The file; with column names, or with the unit first and the time second.
        options: The unit of the times, unless the name of their column states it.

    Raises:
        EngramError: If a column or the unit is missing, or a time is not a number.
    """
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file, delimiter=delimiter) if any(row)]
    if not rows or len(rows[0]) < 2:
        raise EngramError(f"{path.name} has no two columns: give one row per spike, unit and time")
    notes: list[str] = []
    head = [name.strip().lower() for name in rows[0]]
    if _number(head[1]) is None:
        of_unit, of_time, seconds = _columns(path, head, options)
        first, rows = 2, rows[1:]
    else:
        notes.append("the file has no column names: its columns are taken as unit and time")
        of_unit, of_time, seconds, first = 0, 1, options.seconds(), 1
    found = [_number(row[of_time]) if len(row) > max(of_unit, of_time) else None for row in rows]
    if None in found:
        at = found.index(None)
        raise EngramError(
            f"{path.name}, line {first + at}: {rows[at]} has no number as its time; correct or "
            "remove it"
        )
    names = sorted({row[of_unit].strip() for row in rows}, key=_natural)
    index = {name: number for number, name in enumerate(names)}
    unit = np.array([index[row[of_unit].strip()] for row in rows], dtype=np.int64)
    times = np.array(found, dtype=np.float64) * seconds
    duration = duration_of(times, options.duration_s, notes)
    ids: Sequence[str | int] = [int(name) if name.isdecimal() else name for name in names]
    return Events(unit, times, duration, ids, notes=tuple(notes))


def read_raster(path: Path, options: Options) -> Events:
    """Read an npy file of spike counts in bins, of units and time.

    Args:
        path: The file.
        options: The width of a bin, and the axis of time.

    Raises:
        EngramError: If the width is missing, or the array is not of counts.
    """
    if options.dt_s is None:
        raise EngramError(f"{path.name} is a raster: state the width of its bins, dt_s (--dt-s)")
    counts = _load(path)
    if counts.ndim != 2 or counts.dtype.kind not in "biuf" or not counts.size:
        raise EngramError(
            f"{path.name} has shape {counts.shape} and dtype {counts.dtype}: give counts of spikes "
            "of units and time"
        )
    if (counts.dtype.kind == "f" and (counts % 1).any()) or counts.min() < 0:
        raise EngramError(f"{path.name} holds numbers that are not counts: give 0, 1, 2, …")
    notes = []
    axis = options.time_axis
    if axis is None:
        axis = int(counts.shape[1] >= counts.shape[0])
        notes.append(f"the longer axis of {counts.shape} is taken as time")
    trains = counts if axis == 1 else counts.T
    unit, step = np.nonzero(trains)
    number = np.asarray(trains[unit, step]).astype(np.int64)
    duration = trains.shape[1] * options.dt_s
    ids: Sequence[str | int] = list(range(len(trains)))
    return Events(
        np.repeat(unit, number), np.repeat(step, number), duration, ids, options.dt_s, tuple(notes)
    )


def read_phy(folder: Path, options: Options) -> Events:
    """Read a folder of Phy or Kilosort: sorted clusters, of the groups that are wanted.

    Args:
        folder: The folder, with spike_times.npy and spike_clusters.npy.
        options: The groups; the rate of samples, where there is no params.py.

    Raises:
        EngramError: If a file is missing or does not fit the others, or no cluster is left.
    """
    times = _load(folder / "spike_times.npy").ravel()
    named = folder / "spike_clusters.npy"
    named = named if named.exists() else folder / "spike_templates.npy"
    clusters = _load(named).ravel().astype(np.int64)
    if len(times) != len(clusters):
        raise EngramError(
            f"{folder}: {len(times)} times and {len(clusters)} clusters ({named.name}); give one "
            "of each per spike"
        )
    rate = options.rate_hz or _sample_rate(folder / "params.py")
    notes: list[str] = []
    groups = _groups(folder)
    present = np.unique(clusters)
    kept = present
    if groups is None:
        notes.append("no cluster_group.tsv or cluster_KSLabel.tsv: all clusters are read")
    else:
        kept = np.array([c for c in present if groups.get(int(c)) in options.groups], np.int64)
        notes.append(
            f"{len(kept)} of {len(present)} clusters are of the groups {', '.join(options.groups)}"
        )
    if not len(kept):
        held = ", ".join(sorted({*(groups or {}).values()}))
        raise EngramError(f"{folder}: no cluster is left; choose other groups ({held})")
    wanted = np.isin(clusters, kept)
    seconds = times[wanted].astype(np.float64) / rate
    duration = duration_of(seconds, options.duration_s, notes)
    unit = np.searchsorted(kept, clusters[wanted])
    return Events(unit, seconds, duration, kept.tolist(), notes=tuple(notes))


def _load(path: Path) -> np.ndarray:
    if not path.exists():
        raise EngramError(f"{path} is missing")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise EngramError(f"{path} cannot be read as npy: {error}") from error


def _columns(path: Path, head: list[str], options: Options) -> tuple[int, int, float]:
    """The columns of unit and time, and the seconds of a unit of time."""
    of_unit = next((i for i, name in enumerate(head) if name in UNIT), None)
    for place, name in enumerate(head):
        stem, _, end = name.rpartition("_")
        if of_unit is None:
            break
        if name in TIME:
            return of_unit, place, options.seconds()
        if stem in TIME and end in SECONDS:
            return of_unit, place, SECONDS[end]
    raise EngramError(
        f"{path.name} has the columns {', '.join(head)}: name those of unit and time, such as "
        "unit and time_s"
    )


def _sample_rate(path: Path) -> float:
    """The sample_rate that a params.py assigns; the file is parsed and not run."""
    if not path.exists():
        raise EngramError(f"{path} is missing: give the number of samples per second, rate_hz")
    try:
        lines = ast.parse(path.read_text(encoding="utf-8")).body
        values = [
            float(ast.literal_eval(line.value))
            for line in lines
            if isinstance(line, ast.Assign)
            and any(isinstance(one, ast.Name) and one.id == "sample_rate" for one in line.targets)
        ]
    except (SyntaxError, ValueError, TypeError) as error:
        raise EngramError(f"{path} states no sample_rate that can be read: {error}") from error
    if not values or not values[-1] > 0:
        raise EngramError(f"{path} states no positive sample_rate: give rate_hz")
    return values[-1]


def _groups(folder: Path) -> dict[int, str] | None:
    """The group of each cluster, as people sorted them, else as Kilosort did."""
    for name, column in (("cluster_group.tsv", "group"), ("cluster_KSLabel.tsv", "KSLabel")):
        path = folder / name
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            try:
                return {int(row["cluster_id"]): row[column] for row in rows}
            except (KeyError, TypeError, ValueError) as error:
                raise EngramError(
                    f"{path} needs the columns cluster_id and {column}: {error}"
                ) from error
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (1 << 62, name)
