"""Figures of spikes and avalanches: the raster, the laws of sizes and durations, crackling."""

import numpy as np

from engram.critical.measure import PowerLaw, Scaling
from engram.report import Figure
from engram.series import Series
from engram.spikes import Spikes

SHOWN = 3000
"""Spikes of a raster at most."""
POINTS = 60
"""Points of a distribution at most."""


def raster(spikes: Spikes) -> tuple[Series, Figure]:
    """The spikes of the first seconds of a recording, one row per unit."""
    ends = spikes.pointers[: spikes.n_unit + 1]
    times = spikes.times_s[: ends[-1]]
    unit = np.repeat(np.arange(spikes.n_unit), np.diff(ends))
    first = np.sort(np.argsort(times, kind="stable")[:SHOWN])
    name = "spikes"
    series = Series(name, times[first], unit[first], axis="time", index_unit="s")
    until = float(times[first].max(initial=0))
    return series, Figure(
        "Raster",
        [name],
        kind="points",
        x_label="time (s)",
        y_label="unit",
        caption=f"The first {len(first)} of {spikes.n_spike} spikes, until {until:.3g} s.",
    )


def law_figure(what: str, values: np.ndarray, law: PowerLaw) -> tuple[Series, Series, Figure]:
    """The share of avalanches of at least a size or duration, and the fitted law in its range."""
    distinct, counts = np.unique(values, return_counts=True)
    share = counts[::-1].cumsum()[::-1] / counts.sum()
    kept = _spaced(distinct)
    observed = Series(f"{what}, observed", distinct[kept], share[kept], axis=what)
    top = int(min(law.xmax, distinct[-1]))
    support = np.arange(law.xmin, top + 1)
    weight = support.astype(np.float64) ** -law.alpha
    inside = counts[(distinct >= law.xmin) & (distinct <= top)].sum()
    above = counts[distinct > top].sum()
    tail = (above + inside * weight[::-1].cumsum()[::-1] / weight.sum()) / counts.sum()
    kept = _spaced(support)
    fitted = Series(f"{what}, power law", support[kept], tail[kept], axis=what)
    unit = "spikes" if what == "size" else "bins"
    return (
        observed,
        fitted,
        Figure(
            f"Distribution of the {what}",
            [observed.name, fitted.name],
            x_label=f"{what} ({unit})",
            y_label=f"share of avalanches of at least this {what}",
            x_log=True,
            y_log=True,
            caption=f"The law has the exponent {law.alpha:.3f} on {law.xmin} to {law.xmax:g}.",
        ),
    )


def crackling_figure(one: Scaling) -> tuple[Series, Series, Figure]:
    """The mean size of avalanches by their duration, and the fitted slope."""
    assert one.durations is not None
    assert one.crackling is not None
    length, place, number = np.unique(one.found.duration, return_inverse=True, return_counts=True)
    mean = np.bincount(place, one.found.size) / number
    kept = _spaced(length)
    observed = Series("mean size, observed", length[kept], mean[kept], axis="duration")
    law, slope = one.durations.law, one.crackling.slope.estimate
    inside = (length >= law.xmin) & (length <= law.xmax)
    weight = number[inside]
    level = np.average(np.log(mean[inside]) - slope * np.log(length[inside]), weights=weight)
    ends = length[inside][[0, -1]]
    fitted = Series(
        "mean size, fitted", ends, np.exp(level) * ends.astype(np.float64) ** slope, axis="duration"
    )
    predicted = one.crackling.predicted.estimate
    return (
        observed,
        fitted,
        Figure(
            "Crackling relation",
            [observed.name, fitted.name],
            x_label="duration (bins)",
            y_label="mean size (spikes)",
            x_log=True,
            y_log=True,
            caption=f"The slope is {slope:.3f}; the exponents of the laws predict {predicted:.3f}.",
        ),
    )


def _spaced(values: np.ndarray) -> np.ndarray:
    """Indices of values evenly spaced on a logarithmic scale, with both ends."""
    if len(values) <= POINTS:
        return np.arange(len(values))
    wanted = np.geomspace(values[0], values[-1], POINTS)
    return np.unique(np.searchsorted(values, wanted * (1 - 1e-12)).clip(0, len(values) - 1))
