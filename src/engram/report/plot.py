"""Plots of series: functions that return Axes, in the current Matplotlib style.

Colours, markers and dashes come from the property cycle of the style, and bands and whiskers from
the intervals of the series.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from engram.report.item import Figure
from engram.series import Numbers, Series

TICKS = 10
"""Maximum number of positions with one tick each."""
MARKED = 25
"""Maximum number of values of a line with one marker each."""
CROWDED = 200
"""Number of points above which their marks are small."""
EARLIEST, LATEST = float(date2num(date.min)), float(date2num(date.max))
"""Limits of an axis of dates."""
WIDE = 3.0
"""An interval sets the scale if it is at most this many times as wide as the median interval, or
if its upper end is at most this many times its lower end."""
BEYOND = 1.5
"""Intervals are cut if the largest upper end exceeds that scale by this factor."""
LEGEND_WIDTH = 46
"""Characters per row of a legend."""
AXIS_WIDTH = 40
"""Characters of tick labels that fit under an axis."""


def draw(figure: Figure, drawn: Sequence[Series], ax: Axes | None = None) -> Axes:
    """Draw a figure of a report.

    Args:
        figure: Its kind, labels and scales.
        drawn: Its series.
        ax: Where to draw; the axes of a new figure when None.

    Returns:
        The axes, labelled.
    """
    ax = KINDS[figure.kind](drawn, ax)
    index, value = ("y", "x") if figure.kind == "interval" else ("x", "y")
    if figure.x_log:
        _log_index(ax, drawn)
    if figure.y_log:
        ax.set(**{f"{value}scale": "log"})
    elif figure.clip and figure.kind == "line":
        names = _categories(drawn)
        _clip(ax, drawn, "y", lambda series, _: _places(series, names))
    elif figure.clip:
        names = _positions(drawn)
        _clip(ax, drawn, "x", lambda series, i: _spread(series, names, i, len(drawn)))
    first, name = drawn[0], drawn[0].name if len(drawn) == 1 else ""
    labels = {
        f"{index}label": _verbatim(figure.x_label or _label(first.axis, first.index_unit)),
        f"{value}label": _verbatim(figure.y_label or _label(name, first.unit)),
    }
    ax.set(**labels)
    ax.grid(visible=True, axis=value)
    return ax


def line(drawn: Sequence[Series], ax: Axes | None = None) -> Axes:
    """Draw each series as a line with markers, and its interval as a band.

    Args:
        drawn: Series on one axis.
        ax: Where to draw; the axes of a new figure when None.
    """
    ax = ax or _axes()
    names = _categories(drawn)
    for series in drawn:
        places = _places(series, names)
        values, alone = _floats(series.values), _alone(series)
        # on a long line, markers at some of the values would look like results
        marked = alone if len(series) > MARKED else list(range(len(series)))
        (stroke,) = ax.plot(places, values, label=_verbatim(series.name), markevery=marked)
        colour = stroke.get_color()
        if series.low is not None and series.high is not None:
            low, high = _floats(series.low), _floats(series.high)
            ax.fill_between(places, low, high, color=colour, alpha=0.18, lw=0)
            if alone:
                at = [places[i] for i in alone]
                ax.vlines(at, low[alone], high[alone], color=colour, alpha=0.4, label="_")
    if names:
        ax.set_xticks(range(len(names)), [*map(_verbatim, names)])
    elif drawn[0].axis == "date":
        locator = AutoDateLocator(maxticks=TICKS)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        low, high = ax.get_xlim()
        ax.set_xlim(max(low, EARLIEST), min(high, LATEST))
    elif all(isinstance(position, int) for series in drawn for position in series.index):
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    _legend(ax, drawn)
    return ax


def bar(drawn: Sequence[Series], ax: Axes | None = None) -> Axes:
    """Draw each series as bars side by side, and its interval as whiskers.

    Args:
        drawn: Series on one axis; each position gets a group of bars.
        ax: Where to draw; the axes of a new figure when None.
    """
    ax = ax or _axes()
    names = _positions(drawn)
    width = 0.8 / len(drawn)
    for i, (series, style) in enumerate(zip(drawn, _styles(), strict=False)):
        places = _spread(series, names, i, len(drawn))
        colour = style.get("color")
        ax.bar(
            places, _floats(series.values), 0.92 * width, label=_verbatim(series.name), color=colour
        )
        if series.low is not None:
            ax.errorbar(
                places,
                _floats(series.values),
                yerr=_whiskers(series),
                fmt="none",
                ecolor=rcParams["text.color"],
                label="_",
            )
    ax.set_xticks(range(len(names)), [*map(_verbatim, names)])
    if sum(len(name) + 2 for name in names) > AXIS_WIDTH:
        ax.tick_params(axis="x", rotation=30)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    _legend(ax, drawn)
    return ax


def interval(drawn: Sequence[Series], ax: Axes | None = None) -> Axes:
    """Draw each series as points with whiskers, one row for each position, values to the right.

    Args:
        drawn: Series on one axis; each position gets a row.
        ax: Where to draw; the axes of a new figure when None.
    """
    ax = ax or _axes()
    names = _positions(drawn)
    for i, (series, style) in enumerate(zip(drawn, _styles(), strict=False)):
        ax.errorbar(
            _floats(series.values),
            _spread(series, names, i, len(drawn)),
            xerr=_whiskers(series) if series.low is not None else None,
            label=_verbatim(series.name),
            **style | {"linestyle": "none"},
        )
    ax.set_yticks(range(len(names)), [*map(_verbatim, names)])
    ax.set_ylim(len(names) - 0.5, -0.5)
    _legend(ax, drawn)
    return ax


def points(drawn: Sequence[Series], ax: Axes | None = None) -> Axes:
    """Draw a mark at each value of each series, such as the spikes of a raster.

    Args:
        drawn: Series over numbers, whose index may be in any order and repeat itself.
        ax: Where to draw; the axes of a new figure when None.
    """
    ax = ax or _axes()
    for series, style in zip(drawn, _styles(), strict=False):
        many = len(series) > CROWDED
        ax.plot(
            _places(series, []),
            _floats(series.values),
            label=_verbatim(series.name),
            **style | {"linestyle": "none", "marker": "|" if many else style.get("marker", "o")},
            markersize=2 if many else 4,
        )
    _legend(ax, drawn)
    return ax


KINDS: dict[str, Callable[[Sequence[Series], Axes | None], Axes]] = {
    "line": line,
    "bar": bar,
    "interval": interval,
    "points": points,
}
"""The kinds of figures."""


def _axes() -> Axes:
    return Canvas(layout="constrained").subplots()


def _label(text: str, unit: str) -> str:
    if text and unit:
        return f"{text} ({unit})"
    return text or unit


def _verbatim(text: str) -> str:
    """Escape dollar signs, between which Matplotlib would read mathematics."""
    return text.replace("$", r"\$")


def _floats(numbers: Numbers) -> np.ndarray:
    return np.array([np.nan if number is None else number for number in numbers], dtype=float)


def _clip(ax: Axes, drawn: Sequence[Series], along: str, across: Callable[..., Any]) -> None:
    """Let the values with ordinary intervals set the scale, and mark values beyond it.

    The scale includes every value with an ordinary interval (see `WIDE`), half of the upper ends,
    and all lower ends, so that one short document with a wide interval does not set it.

    Args:
        ax: The axes.
        drawn: The series.
        along: The axis of the values, "x" or "y".
        across: Maps a series and its number to its positions on the other axis.
    """
    values = _joined(series.values for series in drawn)
    highs = _joined(series.high or series.values for series in drawn)
    lows = _joined(series.low or series.values for series in drawn)
    width, counted = highs - lows, values > 0
    if not counted.any() or np.nanmin(lows) < 0:
        return
    ordinary = (width <= WIDE * np.median(width[counted])) | (highs <= WIDE * lows)
    top = max(values[ordinary].max(initial=0), np.nanmedian(highs), np.nanmax(lows))
    if np.nanmax(highs) <= BEYOND * top:
        return
    edge = 1.05 * top
    ax.set(**{f"{along}lim": (-0.03 * top, edge)})
    for number, series in enumerate(drawn):
        own = _floats(series.values)
        at = [place for place, v in zip(across(series, number), own, strict=True) if v > edge]
        if at:
            ends = np.full(len(at), 1.03 * top)
            mark, x, y = ("^", at, ends) if along == "y" else (">", ends, at)
            colour = rcParams["text.color"]
            ax.scatter(x, y, s=14, color=colour, marker=mark, label="_", clip_on=False, zorder=4)
    cut, over = int((highs > edge).sum()), int((values > edge).sum())
    said = [f"{cut} of {int(counted.size)} intervals cut, up to {np.nanmax(highs):,.0f}"]
    if over:
        said.append(f"{'▲' if along == 'y' else '▶'} {over} beyond, up to {np.nanmax(values):,.0f}")
    ax.annotate("; ".join(said), (1, 0), (0, -36), "axes fraction", "offset points", ha="right",
                va="top", fontsize="x-small")  # fmt: skip


def _joined(parts: Iterable[Numbers]) -> np.ndarray:
    return np.concatenate([_floats(part) for part in parts])


def _alone(series: Series) -> list[int]:
    """Indices of values between gaps, which a line does not show."""
    known = [False, *(value is not None for value in series.values), False]
    return [i for i in range(len(series)) if known[i : i + 3] == [False, True, False]]


def _whiskers(series: Series) -> np.ndarray:
    assert series.low is not None
    assert series.high is not None
    values = _floats(series.values)
    return np.stack([values - _floats(series.low), _floats(series.high) - values])


def _categories(drawn: Sequence[Series]) -> list[str]:
    """Names of the positions if the index is text, in the order of first appearance."""
    if drawn[0].axis == "date":
        return []
    names = [position for series in drawn for position in series.index]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _positions(drawn: Sequence[Series]) -> list[str]:
    return list(dict.fromkeys(_name(position) for series in drawn for position in series.index))


def _name(position: float | str) -> str:
    return position if isinstance(position, str) else f"{position:g}"


def _places(series: Series, names: list[str]) -> Sequence[Any]:
    if names:
        return [names.index(str(position)) for position in series.index]
    if series.axis == "date":
        return [date.fromisoformat(str(position)) for position in series.index]
    return [float(position) for position in series.index]


def _spread(series: Series, names: list[str], i: int, n: int) -> np.ndarray:
    places = [names.index(_name(position)) for position in series.index]
    return np.array(places) + (i - (n - 1) / 2) * 0.8 / n


def _styles() -> Any:
    return cycle(rcParams["axes.prop_cycle"])


def _log_index(ax: Axes, drawn: Sequence[Series]) -> None:
    ax.set_xscale("log")
    ticks = sorted({float(position) for series in drawn for position in series.index})
    if len(ticks) <= TICKS and ticks[0] > 0:
        ax.set_xticks(ticks)
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_locator(NullLocator())


def _legend(ax: Axes, drawn: Sequence[Series]) -> None:
    """Add a legend above the axes, without the part after the last comma if all names share it."""
    if len(drawn) < 2:
        return
    heads, _, tails = zip(*(series.name.rpartition(", ") for series in drawn), strict=True)
    names = heads if len(set(tails)) == 1 and all(heads) else [series.name for series in drawn]
    handles, _ = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        [*map(_verbatim, names)],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=legend_columns(names),
        frameon=False,
    )


def legend_columns(names: Sequence[str]) -> int:
    """Number of names that fit side by side in a legend."""
    return max(1, min(len(names), LEGEND_WIDTH // (max(map(len, names)) + 4)))
