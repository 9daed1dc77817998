"""What the readers of recordings take and return."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from engram.errors import EngramError

TimeUnit = Literal["s", "ms", "us", "samples"]
SECONDS: dict[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
"""Seconds of each unit of time."""


@dataclass(frozen=True)
class Options:
    """What a file of spikes does not say itself.

    Args:
        time_unit: Unit of the times of a table: s, ms, us or samples.
        rate_hz: Samples per second, where times are numbers of samples.
        dt_s: Width of a bin of a raster, in seconds.
        time_axis: Axis of a raster along which time runs, 0 or 1; None takes the longer one.
        duration_s: Duration of the recording, in seconds; None takes it from the file, or the last
            spike.
        groups: Groups of sorted clusters to read from a folder of Phy or Kilosort.
    """

    time_unit: TimeUnit | None = None
    rate_hz: float | None = None
    dt_s: float | None = None
    time_axis: Literal[0, 1] | None = None
    duration_s: float | None = None
    groups: tuple[str, ...] = ("good",)

    def __post_init__(self) -> None:
        for name in ("rate_hz", "dt_s", "duration_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise EngramError(f"{name}={value}: give a positive number")

    def seconds(self) -> float:
        """Seconds of the unit of time.

        Raises:
            EngramError: If the unit, or the rate of samples, is not given.
        """
        if self.time_unit is None:
            raise EngramError("the unit of its times is not stated: give time_unit, such as ms")
        if self.time_unit != "samples":
            return SECONDS[self.time_unit]
        if self.rate_hz is None:
            raise EngramError("times in samples need the number of samples per second: rate_hz")
        return 1 / self.rate_hz


class Events(NamedTuple):
    """Spikes in the order of a file.

    Attributes:
        unit: Index of the unit of each spike, (spike).
        times: Times in seconds, or numbers of steps if `dt_s` is given, (spike).
        duration_s: Duration of the recording, in seconds.
        units: Ids of the units, (unit).
        dt_s: Duration of a step, in seconds; None if time is continuous.
        notes: What a reader should know.
    """

    unit: np.ndarray
    times: np.ndarray
    duration_s: float
    units: Sequence[str | int]
    dt_s: float | None = None
    notes: tuple[str, ...] = ()


def duration_of(times: np.ndarray, stated: float | None, notes: list[str]) -> float:
    """The duration of a recording: as stated, else the time of the last spike, which is noted.

    Args:
        times: Times in seconds, (spike).
        stated: The duration that the file or the user states, in seconds.
        notes: Gets a note.

    Raises:
        EngramError: If there is no spike, or the last one is more than 1 % after the stated end.
    """
    if not times.size:
        raise EngramError("it holds no spike")
    last = float(times.max())
    if stated is None:
        notes.append(f"no duration is stated: the recording is taken to end at {last:.6g} s")
        return max(last, 1e-9)
    if last > 1.01 * stated:
        raise EngramError(
            f"its last spike is at {last:.6g} s and its duration is {stated:.6g} s: give the unit "
            "of its times, or its duration_s"
        )
    if last > stated:
        notes.append(f"the last spike, at {last:.6g} s, is taken as the end of {stated:.6g} s")
    return max(last, stated)


def consecutive(
    times: np.ndarray, ends: np.ndarray, units: Sequence[str | int], what: str
) -> np.ndarray:
    """The unit of each spike, where the trains follow one another.

    Args:
        times: Times of all trains, (spike).
        ends: Where each train ends, (unit), any dtype of whole numbers.
        units: Ids of the units.
        what: Name of the column of the ends.

    Raises:
        EngramError: If the ends do not divide the times, or a train is not in order.
    """
    whole = ends.astype(np.int64)
    if len(whole) != len(units):
        raise EngramError(f"{what} has {len(whole)} rows for {len(units)} units")
    if (np.diff(whole, prepend=0) < 0).any() or (whole[-1:] != len(times)).any():
        raise EngramError(
            f"{what} ({ends.dtype}) ends at {whole[-1] if len(whole) else 0} for {len(times)} "
            "spikes, or descends: the file is damaged, or the column has too few bits for its "
            "numbers"
        )
    unit = np.repeat(np.arange(len(whole)), np.diff(whole, prepend=0))
    descends = (np.diff(times) < 0) & (np.diff(unit) == 0)
    if descends.any():
        name = units[unit[int(descends.argmax())]]
        raise EngramError(f"the times of unit {name!r} are not in ascending order: sort them")
    return unit
