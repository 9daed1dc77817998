"""What may spoil the measures of a recording: duplicated spikes, drift, and short trains."""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from engram.critical.measure.irregularity import MIN_INTERVALS
from engram.critical.measure.surrogate import shift_trains
from engram.errors import EngramError
from engram.spikes import Spikes

WITHIN_S = 1e-4
"""Spikes of two units that are closer than this are simultaneous: electrodes that share a cell."""
SHARE, FACTOR = 0.01, 2.0
"""Simultaneous spikes are noticed above this share, if shifted trains have less by this factor."""
RATIO, LEVEL = 1.5, 0.01
"""Drift is noticed from this ratio of the last quarter to the first, or its inverse, and this p."""


class Drift(NamedTuple):
    """The trend of the population's rate.

    Attributes:
        ratio: The rate in the last quarter over that in the first.
        p: The p-value of Spearman's correlation of the rate with time, over 20 windows.
    """

    ratio: float
    p: float

    @property
    def noticeable(self) -> bool:
        """Whether the rate drifts by more than half, and beyond chance."""
        return self.p < LEVEL and not 1 / RATIO < self.ratio < RATIO


def simultaneous_share(spikes: Spikes, within_s: float = WITHIN_S) -> float:
    """The share of the spikes that are simultaneous with a spike of another unit.

    Args:
        spikes: The spikes, in continuous time.
        within_s: Largest difference of their times, in seconds.

    Raises:
        EngramError: If time is in steps, in which many spikes are simultaneous.
    """
    if spikes.dt_s is not None:
        raise EngramError("simultaneous spikes are counted in continuous time only")
    found = 0
    for trial in range(spikes.n_trial):
        ends = spikes.pointers[trial * spikes.n_unit : (trial + 1) * spikes.n_unit + 1]
        times = spikes.times[ends[0] : ends[-1]]
        unit = np.repeat(np.arange(spikes.n_unit), np.diff(ends))
        order = np.argsort(times, kind="stable")
        times, unit = times[order], unit[order]
        near = (np.diff(times) <= within_s) & (np.diff(unit) != 0)
        found += int((np.append(near, False) | np.append(False, near)).sum())
    return found / max(spikes.n_spike, 1)


def drift(spikes: Spikes, windows: int = 20) -> Drift:
    """Measure the trend of the population's rate.

    Args:
        spikes: The spikes; trials are taken one after another.
        windows: Number of windows.
    """
    trial = np.repeat(np.arange(spikes.n_trial), spikes.counts.sum(axis=1))
    place = (spikes.times_s / spikes.duration_s + trial) / spikes.n_trial
    counts = np.histogram(place, windows, (0, 1))[0]
    first, last = counts[: windows // 4].sum(), counts[-(windows // 4) :].sum()
    if counts.min() == counts.max():
        return Drift(1.0, 1.0)
    found: Any = spearmanr(np.arange(windows), counts)
    return Drift(float(last / max(first, 1)), float(found.pvalue))


def notices(spikes: Spikes, rng: np.random.Generator) -> list[str]:
    """Say in words what may spoil the measures of a recording.

    Args:
        spikes: The spikes.
        rng: Shifts the trains, to tell shared spikes from chance.
    """
    said = []
    repeated = int((np.diff(spikes.times) == 0).sum())
    starts = spikes.pointers[(spikes.pointers > 0) & (spikes.pointers < spikes.n_spike)]
    repeated -= int((spikes.times[starts] == spikes.times[starts - 1]).sum())
    if repeated:
        said.append(
            f"{repeated} spikes have the same time as another spike of their unit: they may be "
            "duplicates, which raise the rate and the irregularity"
        )
    if spikes.dt_s is None and spikes.n_unit > 1:
        share = simultaneous_share(spikes)
        chance = simultaneous_share(shift_trains(spikes, rng))
        if share > SHARE and share > FACTOR * chance:
            said.append(
                f"{100 * share:.1f} % of the spikes lie within {1000 * WITHIN_S:g} ms of a spike "
                f"of another unit, and {100 * chance:.1f} % if the trains are shifted: one cell "
                "may have been recorded as several units, which makes avalanches larger"
            )
    trend = drift(spikes)
    if trend.noticeable:
        said.append(
            f"the rate drifts: in the last quarter it is {trend.ratio:.2f} times that in the first "
            f"(p = {trend.p:.2g}), which raises the branching ratio and the exponent of DFA"
        )
    few = int((np.maximum(spikes.counts - 1, 0).sum(axis=0) < MIN_INTERVALS).sum())
    if few:
        said.append(
            f"{few} of {spikes.n_unit} units have too few intervals (fewer than {MIN_INTERVALS}) "
            "for a measure of irregularity, and are left out of it"
        )
    return said
