"""Responses of an NWB file: spikes of its units, counted in its presentations of stimuli."""

from typing import Any

import numpy as np

from engram.data.recording.events import consecutive
from engram.data.recording.hdf5 import fetch, find
from engram.data.responses.arrays import grouped
from engram.data.responses.model import ResponseOptions, Responses
from engram.errors import EngramError

STIMULUS = ("stimulus_id", "stimulus", "image_id", "frame", "stimulus_name", "condition")
"""Columns that name the stimulus of a presentation, the first that exists."""
AREAS = ("area", "location", "structure", "brain_area", "region")
"""Columns of the units that name their area."""
ELECTRODES = "general/extracellular_ephys/electrodes"


def read_nwb(file: Any, options: ResponseOptions) -> Responses:
    """Count the spikes of each unit in each presentation.

    Args:
        file: The open file.
        options: The table of presentations, the column of stimuli, the window and the bins.

    Raises:
        EngramError: There are no units, presentations or stimuli, or it is not clear which.
    """
    if find(file, "units/spike_times") is None:
        raise EngramError("this NWB file has no units with spike_times: there are no responses")
    times = fetch(file, "units/spike_times").astype(np.float64)
    ends = fetch(file, "units/spike_times_index").astype(np.int64)
    ids = _texts(file, "units/id") or [str(k) for k in range(len(ends))]
    consecutive(times, ends, ids, "units/spike_times_index")
    table = _table(file, options)
    column = _column(file, table, options)
    stimuli = _texts(file, f"{table}/{column}")
    starts = fetch(file, f"{table}/start_time").astype(np.float64)
    lengths = fetch(file, f"{table}/stop_time").astype(np.float64) - starts
    known = np.array([one not in ("", "nan", "None") for one in stimuli]) & np.isfinite(starts)
    first, last = options.window_s or (0.0, float(np.median(lengths[known])))
    width = options.bin_s or last - first
    bins = round((last - first) / width)
    if bins < 1:
        raise EngramError(f"a window of {last - first:g} s holds no bin of {width:g} s")
    edges = first + width * np.arange(bins + 1)
    trains = np.split(times, ends[:-1])
    places = starts[known, None] + edges
    counts = [np.diff(np.searchsorted(train, places), axis=1) for train in trains]
    values, names = grouped(
        np.stack(counts, 1).astype(np.float32),
        [one for one, kept in zip(stimuli, known, strict=True) if kept],
    )
    areas = _areas(file, len(ends))
    session = _texts(file, "general/subject/subject_id")
    notes = [
        f"spikes were counted from {first:.4g} to {last:.4g} s after the start of each "
        f"presentation, in {bins} bin(s); presentations: {table}, stimuli: {column}"
    ]
    if not known.all():
        notes.append(f"{int((~known).sum())} presentations name no stimulus and were left out")
    return Responses(
        values, names, ids, areas or [""] * len(ids), (session or [""]) * len(ids),
        tuple(edges[:-1]), tuple(notes),
    )  # fmt: skip


def _table(file: Any, options: ResponseOptions) -> str:
    """The table of presentations: as stated, or the only one that names stimuli."""
    tables = [f"intervals/{name}" for name in find(file, "intervals") or ()]
    if options.presentations is not None:
        if find(file, f"{options.presentations}/start_time") is None:
            raise EngramError(
                f"presentations={options.presentations!r} is no table with start_time: there are "
                f"{', '.join(tables) or 'none'}"
            )
        return options.presentations
    fits = [table for table in tables if _columns(file, table, options)]
    if len(fits) != 1:
        raise EngramError(
            f"{len(fits)} tables of presentations name stimuli ({', '.join(fits or tables)}): "
            "state which, as presentations='intervals/NAME', and the column of the stimuli if it "
            f"is none of {', '.join(STIMULUS)}"
        )
    return fits[0]


def _columns(file: Any, table: str, options: ResponseOptions) -> list[str]:
    wanted = (options.stimulus,) if options.stimulus else STIMULUS
    return [name for name in wanted if find(file, f"{table}/{name}") is not None]


def _column(file: Any, table: str, options: ResponseOptions) -> str:
    found = _columns(file, table, options)
    if not found:
        held = ", ".join(sorted(find(file, table)))
        raise EngramError(
            f"{table} has no column that names the stimulus: state it (stimulus='NAME'); it has "
            f"{held}"
        )
    return found[0]


def _areas(file: Any, count: int) -> list[str]:
    """The area of each unit: a column of the units, or the location of its electrode."""
    for name in AREAS:
        found = _texts(file, f"units/{name}")
        if len(found) == count:
            return found
    locations = _texts(file, f"{ELECTRODES}/location")
    if not locations:
        return []
    if find(file, "units/peak_channel_id") is not None:
        place = dict(zip(_texts(file, f"{ELECTRODES}/id"), locations, strict=True))
        return [place.get(one, "") for one in _texts(file, "units/peak_channel_id")]
    if find(file, "units/electrodes_index") is None:
        return []
    rows = fetch(file, "units/electrodes").astype(np.int64)
    ends = fetch(file, "units/electrodes_index").astype(np.int64)
    begins = np.concatenate([[0], ends[:-1]])
    return [
        locations[rows[begin]] if begin < end else ""
        for begin, end in zip(begins, ends, strict=True)
    ]


def _texts(file: Any, name: str) -> list[str]:
    """A column as text; empty if there is none."""
    if find(file, name) is None:
        return []
    values = np.atleast_1d(fetch(file, name)).tolist()
    return [one.decode(errors="replace") if isinstance(one, bytes) else f"{one}" for one in values]
