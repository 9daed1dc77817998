"""Spikes: the spike times of units over trials, stored sparsely."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from engram.errors import EngramError
from engram.trace import Trace


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spike times of a set of units, over one or more trials of one duration.

    The train of unit u in trial r is `times[pointers[i]:pointers[i + 1]]`, i = r · n_unit + u. The
    arrays are kept as read-only views; they are not copied.

    Args:
        pointers: Where each train begins, and where the last one ends, (trial · unit + 1).
        times: The spike times of each train in ascending order, (spike): seconds from the start
            of the trial, or numbers of steps if `dt_s` is given. A repeated time is kept.
        duration_s: Duration of each trial, in seconds.
        dt_s: Duration of one step, in seconds; None if time is continuous.
        units: Distinct names or numbers of the units, (unit); numbered from 0 when left empty.
        source: Where the spikes were recorded: a layer, an electrode array, a simulator.
        trials: Ids of the trials, (trial), as in a Trace; one trial when left empty.

    Raises:
        EngramError: If the pointers do not divide the times into one train for each unit and
            trial, a time is not finite, is negative, lies beyond the duration or before its
            predecessor, or the ids do not name each unit once.
    """

    pointers: np.ndarray
    times: np.ndarray
    duration_s: float
    dt_s: float | None = None
    units: Sequence[str | int] = ()
    source: str = ""
    trials: Sequence[str | int] = ()

    def __post_init__(self) -> None:
        pointers, times = np.asarray(self.pointers).view(), np.asarray(self.times).view()
        trials = tuple(self.trials) or (0,)
        _check_pointers(pointers, times, len(trials))
        _check_duration(self.duration_s, self.dt_s)
        units = tuple(self.units) or tuple(range((len(pointers) - 1) // len(trials)))
        if len(units) * len(trials) != len(pointers) - 1 or len(set(units)) != len(units):
            raise EngramError(
                f"{len(units)} unit ids, {len(set(units))} of them distinct, and {len(trials)} "
                f"trials for {len(pointers) - 1} trains; give each unit its own id"
            )
        for array in (pointers, times):
            array.flags.writeable = False
        for name, value in (
            ("pointers", pointers),
            ("times", times),
            ("units", units),
            ("trials", trials),
        ):
            object.__setattr__(self, name, value)
        _check_times(self)

    @classmethod
    def from_events(
        cls,
        unit: np.ndarray,
        times: np.ndarray,
        duration_s: float,
        *,
        n_unit: int,
        dt_s: float | None = None,
        units: Sequence[str | int] = (),
        source: str = "",
    ) -> Self:
        """Return the Spikes of one trial from a list of events in any order.

        Args:
            unit: The index of the unit of each event, 0 to n_unit − 1, (event).
            times: Its time, as in `Spikes`, (event).
            duration_s: As in `Spikes`.
            n_unit: Number of units, including silent ones.
            dt_s: As in `Spikes`.
            units: As in `Spikes`.
            source: As in `Spikes`.

        Raises:
            EngramError: If the arrays differ in length, or an index is not one of a unit.
        """
        unit, times = np.asarray(unit), np.asarray(times)
        if unit.ndim != 1 or unit.shape != times.shape:
            raise EngramError(
                f"units have shape {unit.shape} and times {times.shape}; give one of each per event"
            )
        if unit.size and not 0 <= unit.min() <= unit.max() < n_unit:
            raise EngramError(
                f"unit indices go from {unit.min()} to {unit.max()}; give 0 to {n_unit - 1}"
            )
        order = np.lexsort((times, unit))
        pointers = np.concatenate([[0], np.cumsum(np.bincount(unit, minlength=n_unit))])
        return cls(pointers, times[order], duration_s, dt_s, units, source)

    @classmethod
    def from_trace(cls, trace: Trace) -> Self:
        """Return the Spikes of a Trace of spike counts, one step for each of its steps.

        Args:
            trace: Activity of whole numbers from 0 up; a count of n becomes n equal times.

        Raises:
            EngramError: If the activity is not of spike counts.
        """
        activity = trace.activity
        if activity.min() < 0 or (activity.dtype.kind == "f" and (activity % 1).any()):
            raise EngramError(
                f"the activity of {trace.source or 'the trace'} is not of spike counts; "
                "give whole numbers from 0 up"
            )
        trains = np.ascontiguousarray(activity.transpose(1, 2, 0)).astype(np.int64, copy=False)
        pointers = np.concatenate([[0], np.cumsum(trains.sum(axis=2).ravel())])
        steps = np.broadcast_to(np.arange(trace.n_time, dtype=np.int32), trains.shape)
        times = np.repeat(steps.ravel(), trains.ravel())
        return cls(
            pointers, times, trace.duration_s, trace.dt_s, trace.units, trace.source, trace.trials
        )

    @property
    def n_unit(self) -> int:
        """Number of units."""
        return len(self.units)

    @property
    def n_trial(self) -> int:
        """Number of trials."""
        return len(self.trials)

    @property
    def n_spike(self) -> int:
        """Number of spikes."""
        return len(self.times)

    @property
    def times_s(self) -> np.ndarray:
        """The times in seconds, (spike); of a step, its beginning."""
        return self.times if self.dt_s is None else self.times * self.dt_s

    @property
    def counts(self) -> np.ndarray:
        """Number of spikes, (trial, unit)."""
        return np.diff(self.pointers).reshape(self.n_trial, self.n_unit)

    @property
    def firing_rate_hz(self) -> np.ndarray:
        """Mean number of spikes per second of each unit over the trials, (unit), in hertz."""
        return self.counts.mean(axis=0) / self.duration_s

    def train(self, unit: int, trial: int = 0) -> np.ndarray:
        """The times of one train, as they are stored.

        Args:
            unit: Index of the unit.
            trial: Index of the trial.
        """
        at = trial * self.n_unit + unit
        return self.times[self.pointers[at] : self.pointers[at + 1]]

    def select(self, units: Sequence[int] | np.ndarray) -> Self:
        """Return the Spikes of some of the units.

        Args:
            units: Indices of the units, in the order wanted.
        """
        trains = [self.train(u, r) for r in range(self.n_trial) for u in units]
        pointers = np.concatenate([[0], np.cumsum([len(train) for train in trains])])
        times = np.concatenate([self.times[:0], *trains])
        names = [self.units[u] for u in units]
        return type(self)(
            pointers, times, self.duration_s, self.dt_s, names, self.source, self.trials
        )

    def bins(self, bin_s: float) -> tuple[np.ndarray, int]:
        """The bin of each spike, and the number of bins in a trial.

        The last bin is shorter than the others if they do not divide the duration.

        Args:
            bin_s: Width of a bin, in seconds: of whole steps, if time is in steps.

        Returns:
            The index of the bin, (spike), and the number of bins.

        Raises:
            EngramError: If the width is not positive, or not a whole number of steps.
        """
        if not (np.isfinite(bin_s) and bin_s > 0):
            raise EngramError(f"bin_s is {bin_s}; give the width in seconds, above 0")
        if self.dt_s is None:
            n_bin = int(np.ceil(self.duration_s / bin_s * (1 - 1e-12)))
            # a spike at the very end belongs to the last bin
            return np.minimum((self.times / bin_s).astype(np.int64), n_bin - 1), n_bin
        steps = round(bin_s / self.dt_s)
        if steps < 1 or abs(steps * self.dt_s - bin_s) > 1e-9 * bin_s:
            raise EngramError(f"bin_s is {bin_s}; give a multiple of the step, {self.dt_s} s")
        return self.times // steps, -(-_steps(self.duration_s, self.dt_s) // steps)

    def to_trace(self, bin_s: float) -> Trace:
        """Return the number of spikes in each bin of each trial and unit.

        Args:
            bin_s: Width of a bin, as in `bins`.
        """
        bins, n_bin = self.bins(bin_s)
        train = np.repeat(np.arange(len(self.pointers) - 1), np.diff(self.pointers))
        trial, unit = np.divmod(train, self.n_unit)
        cells, counts = np.unique(
            (bins * self.n_trial + trial) * self.n_unit + unit, return_counts=True
        )
        activity = np.zeros(
            (n_bin, self.n_trial, self.n_unit), np.min_scalar_type(counts.max(initial=1))
        )
        activity.flat[cells] = counts
        return Trace(activity, bin_s, self.units, self.source, self.trials)

    def population(self, bin_s: float) -> np.ndarray:
        """The number of spikes of all units in each bin, (trial, time).

        Args:
            bin_s: Width of a bin, as in `bins`.
        """
        bins, n_bin = self.bins(bin_s)
        trial = np.repeat(np.arange(self.n_trial), self.counts.sum(axis=1))
        counts = np.bincount(trial * n_bin + bins, minlength=self.n_trial * n_bin)
        return counts.reshape(self.n_trial, n_bin)


def _steps(duration_s: float, dt_s: float) -> int:
    return round(duration_s / dt_s)


def _check_pointers(pointers: np.ndarray, times: np.ndarray, n_trial: int) -> None:
    if pointers.ndim != 1 or pointers.dtype.kind not in "iu" or len(pointers) <= n_trial:
        raise EngramError(
            f"pointers have shape {pointers.shape} and dtype {pointers.dtype}; give whole numbers, "
            "one more than there are trains"
        )
    if times.ndim != 1 or times.dtype.kind not in "iuf":
        raise EngramError(
            f"times have shape {times.shape} and dtype {times.dtype}; give one number per spike"
        )
    if pointers[0] != 0 or pointers[-1] != len(times) or (pointers[1:] < pointers[:-1]).any():
        raise EngramError(
            f"pointers go from {pointers[0]} to {pointers[-1]} for {len(times)} times; "
            "give ascending numbers from 0 to the number of times"
        )


def _check_duration(duration_s: float, dt_s: float | None) -> None:
    if not (np.isfinite(duration_s) and duration_s > 0):
        raise EngramError(f"duration_s is {duration_s}; give the duration in seconds, above 0")
    if dt_s is None:
        return
    if not (np.isfinite(dt_s) and dt_s > 0):
        raise EngramError(f"dt_s is {dt_s}; give the step in seconds, above 0")
    steps = _steps(duration_s, dt_s)
    if abs(steps * dt_s - duration_s) > 1e-6 * dt_s:
        raise EngramError(
            f"duration_s is {duration_s}, which is not a whole number of steps of {dt_s} s"
        )


def _check_times(spikes: Spikes) -> None:
    times = spikes.times
    if not times.size:
        return
    if spikes.dt_s is not None and times.dtype.kind == "f":
        raise EngramError("the times are not whole numbers; give the number of each spike's step")
    if not np.isfinite(times).all() or times.min() < 0:
        raise EngramError(
            f"the earliest time is {times.min()}; give finite times from the start of the trial"
        )
    end = spikes.duration_s if spikes.dt_s is None else _steps(spikes.duration_s, spikes.dt_s) - 1
    if times.max() > end:
        raise EngramError(f"the latest time is {times.max()}, after the end of the trial, {end}")
    descends = times[1:] < times[:-1]
    descends[spikes.pointers[(spikes.pointers > 0) & (spikes.pointers < len(times))] - 1] = False
    if descends.any():
        at = int(np.searchsorted(spikes.pointers, descends.argmax(), side="right")) - 1
        raise EngramError(
            f"the times of unit {spikes.units[at % spikes.n_unit]!r} are not in ascending order; "
            "sort them, or use Spikes.from_events"
        )
