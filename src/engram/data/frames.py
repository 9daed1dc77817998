"""Convert events of a camera to frames: counts per pixel, polarity and time bin."""

from typing import Literal, get_args

import numpy as np

from engram.data.dataset import DataError

SplitBy = Literal["time", "count"]
MOST_CELLS = 1 << 31
"""Maximum number of cells of frames, about 8 GB."""


def event_frames(
    events: np.ndarray,
    sensor: tuple[int, int],
    *,
    T: int | None = None,
    by: SplitBy = "time",
    window_us: int | None = None,
) -> np.ndarray:
    """Count the events of each polarity and pixel in consecutive time bins of a recording.

    Give either T, the number of bins, or `window_us`, their duration.

    Args:
        events: (n,) structured with the fields t, x, y and p, one event or more.
        sensor: (height, width) in pixels.
        T: Number of bins from the first event to the last.
        by: With T, "time" makes bins of equal duration, and "count" bins of n // T events (at
            least one) in order of time, of which the last also takes the remainder.
        window_us: Duration of a bin in microseconds; the last one may be only partly covered.

    Returns:
        Numbers of events, (T, 2, height, width) float32; they add up to n. Polarity 0 comes first.

    Raises:
        DataError: If there is no event, an event is outside the sensor or has a polarity other
            than 0 and 1, T, by and window_us are not as described, or the frames would have more
            than 2^31 cells.
    """
    _check(events, sensor, T, by, window_us)
    if T is not None and by == "count":
        span = np.empty(len(events), np.int64)
        span[np.argsort(events["t"], kind="stable")] = np.minimum(
            np.arange(len(events)) // max(len(events) // T, 1), T - 1
        )
    else:
        since = events["t"].astype(np.int64)
        since -= since.min()
        duration = since.max() + 1
        if T is not None:
            span = since * T // duration
        else:
            assert window_us is not None  # ensured by _check
            span, T = since // window_us, int(-(-duration // window_us))
    shape = (T, 2, *sensor)
    if np.prod(shape, dtype=float) > MOST_CELLS:
        raise DataError(
            f"T={T}, window_us={window_us}: {T} frames of {sensor} are too many for memory"
        )
    at = np.ravel_multi_index((span, events["p"], events["y"], events["x"]), shape)
    counts = np.bincount(at, minlength=int(np.prod(shape)))
    return counts.astype(np.float32).reshape(shape)


def _check(
    events: np.ndarray, sensor: tuple[int, int], T: int | None, by: str, window_us: int | None
) -> None:
    if (T is None) == (window_us is None):
        raise DataError(f"T={T} and window_us={window_us}: give one of them")
    if by not in get_args(SplitBy) or (T is None and by != "time"):
        raise DataError(f"by={by!r} with T={T}: with T, choose time or count; otherwise omit it")
    length = window_us if T is None else T
    if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 1:
        raise DataError(f"T={T}, window_us={window_us}: give an integer of at least 1")
    missing = {"t", "x", "y", "p"} - set(events.dtype.names or ())
    if missing or events.ndim != 1 or not len(events):
        raise DataError(
            f"events are {events.dtype} of shape {events.shape}: give one or more events with the "
            "fields t, x, y and p"
        )
    height, width = sensor
    for field, top in (("p", 1), ("y", height - 1), ("x", width - 1)):
        low, high = int(events[field].min()), int(events[field].max())
        if low < 0 or high > top:
            raise DataError(
                f"events have {field} from {low} to {high}, and a sensor of {height} x {width} "
                f"pixels has 0 to {top}: give the sensor (height, width) that recorded them"
            )
