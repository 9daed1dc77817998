"""Trace: the recorded activity of units over time and trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engram.errors import EngramError


@dataclass(frozen=True, eq=False)
class Trace:
    """Activity of a set of units, recorded at equal steps of time over one or more trials.

    The array is kept as a read-only view; it is not copied.

    Args:
        activity: Spike counts, rates or potentials, (time, trial, unit), real and finite.
        dt_s: Duration of one step, in seconds.
        units: Distinct names or numbers of the units, (unit); numbered from 0 when left empty.
        source: Where the activity was recorded: a layer, an electrode array, a simulator.
        trials: Ids of the trials, (trial): the id of the stimulus, which repetitions share, or of
            the trial itself; numbered from 0 when left empty.

    Raises:
        ValueError: If the array has another rank, is empty or not finite, if `dt_s` is not
            positive, if `units` does not name each unit once, or if `trials` does not name each
            trial.
    """

    activity: np.ndarray
    dt_s: float
    units: Sequence[str | int] = ()
    source: str = ""
    trials: Sequence[str | int] = ()

    def __post_init__(self) -> None:
        activity = np.asarray(self.activity).view()
        if activity.ndim != 3 or 0 in activity.shape:
            raise EngramError(
                f"activity has shape {activity.shape}; give a non-empty array (time, trial, unit)"
            )
        if activity.dtype.kind not in "biuf":
            raise EngramError(f"activity has dtype {activity.dtype}; give real numbers or booleans")
        if not np.isfinite(activity).all():
            raise EngramError("activity holds NaN or infinity; drop or fill those steps first")
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise EngramError(f"dt_s is {self.dt_s}; give the step in seconds, above 0")
        units = tuple(self.units) or tuple(range(activity.shape[2]))
        if len(units) != activity.shape[2] or len(set(units)) != len(units):
            raise EngramError(
                f"{len(units)} unit ids, {len(set(units))} of them distinct, for "
                f"{activity.shape[2]} units; give each unit its own id"
            )
        trials = tuple(self.trials) or tuple(range(activity.shape[1]))
        if len(trials) != activity.shape[1]:
            raise EngramError(
                f"{len(trials)} trial ids for {activity.shape[1]} trials; give each trial an id"
            )
        activity.flags.writeable = False
        object.__setattr__(self, "activity", activity)
        object.__setattr__(self, "units", units)
        object.__setattr__(self, "trials", trials)

    @property
    def n_time(self) -> int:
        """Number of time steps."""
        return self.activity.shape[0]

    @property
    def n_trial(self) -> int:
        """Number of trials."""
        return self.activity.shape[1]

    @property
    def n_unit(self) -> int:
        """Number of units."""
        return self.activity.shape[2]

    @property
    def duration_s(self) -> float:
        """Duration of one trial, in seconds."""
        return self.n_time * self.dt_s

    @cached_property
    def firing_rate(self) -> np.ndarray:
        """Mean activity per step of each unit over time and trials, (unit)."""
        return self.activity.mean(axis=(0, 1), dtype=np.float64)

    @property
    def firing_rate_hz(self) -> np.ndarray:
        """Mean activity per second of each unit over time and trials, (unit), in hertz."""
        return self.firing_rate / self.dt_s
