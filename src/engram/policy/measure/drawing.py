"""Plots of an answer: lines over periods, points with whiskers over names."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from engram.errors import EngramError
from engram.policy.measure.coverage import Coverage
from engram.policy.measure.frequency import Frequency
from engram.policy.measure.grouping import PERIODS, group_text
from engram.report import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE, _CAPTION = 88, 132
"""Maximum characters per line of text above and below a plot."""

PLURAL = {
    "year": "years", "month": "months", "congress": "Congresses", "decade": "decades"
}  # fmt: skip
"""Names of the periods."""


def draw(answer: Frequency | Coverage, ax: "Axes | None" = None) -> "Axes":
    """Plot the rows of an answer.

    A line is interrupted where a period has no documents. The scale suits most periods: a band
    that a short document makes far wider than the others is clipped, and the plot says so.

    Args:
        answer: What was measured.
        ax: Where to plot; None makes a new figure.

    Returns:
        The axes, labelled.

    Raises:
        ValueError: If there are no rows.
    """
    from engram.report import plot  # noqa: PLC0415  matplotlib is slow to import

    drawn = answer.series()
    if not any(len(series) for series in drawn):
        raise EngramError("there is nothing to plot: no document passes the filters")
    return plot.draw(figure_of(answer), drawn, ax)


def figure_of(answer: Frequency | Coverage) -> Figure:
    """The figure of a report that plots the `series` of an answer.

    Args:
        answer: What was measured.
    """
    names = [series.name for series in answer.series()]
    if isinstance(answer, Coverage):
        return Figure(f"Composition by {answer.by}", names, caption=caption_of(answer))
    kind = "line" if answer.by in PERIODS else "interval"
    title = f"Frequency by {answer.by or 'query'}"
    return Figure(title, names, kind, caption=caption_of(answer), clip=True)


def title_of(answer: Frequency | Coverage, corpus: str = "") -> tuple[str, str]:
    """The title of a plot: what it shows, and of which documents.

    Args:
        answer: What was measured.
        corpus: Name of the record that the counts come from.
    """
    if isinstance(answer, Coverage):
        what = f"Composition of the record by {answer.by}"
        documents = sum(part.documents for part in answer.parts)
        tokens = sum(part.tokens for part in answer.parts)
        periods = list(answer.periods)
    else:
        names = ", ".join(
            name if name == query else f"{name}: {query}" for name, query in answer.queries.items()
        )
        what = f"{names}, by {answer.by}" if answer.by else names
        first = answer.of(next(iter(answer.queries)))
        documents = sum(row.all_documents for row in first)
        tokens = sum(row.all_tokens for row in first)
        periods = [row.group for row in first if row.all_documents]
    ends = [group_text(period, answer.by) for period in (*periods[:1], *periods[-1:])]
    span = f", {' to '.join(ends)}" if answer.by in PERIODS and periods else ""
    counted = f"{documents:,} documents of {tokens:,} tokens{span}"
    return what, f"{corpus}: {counted}" if corpus else counted


def caption_of(answer: Frequency | Coverage) -> str:
    """The legend of a plot: what its bands and its gaps are.

    Args:
        answer: What was measured.
    """
    if isinstance(answer, Coverage):
        return (
            "Percentage of the tokens of each period. There is no line where there are no "
            "documents."
        )
    along = answer.by in PERIODS
    sentences = []
    how = [note for note in answer.notes if "intervals" in note]
    if any(row.low is not None for row in answer.rows):
        sentences.append(f"{'Bands' if along else 'Whiskers'}: {' '.join(how)}")
    if along:
        first = [row for row in answer.of(next(iter(answer.queries))) if row.all_documents]
        single = sum(row.all_documents == 1 for row in first)
        period = {"congress": "Congress"}.get(answer.by or "", answer.by)
        gaps = len(answer.rows) // max(len(answer.queries), 1) - len(first)
        many = period if gaps == 1 else PLURAL.get(answer.by or "", "")
        sentences.append(
            f"The line is interrupted at {gaps} {many} without documents." if gaps else ""
        )
        sentences.append(
            f"{single} of {len(first)} values come from the only document of their {period}."
            if single
            else ""
        )
    return " ".join(filter(None, sentences))


def write_png(answer: Frequency | Coverage, path: Path, corpus: str = "") -> None:
    """Plot an answer with its title, its corpus and a legend, to a PNG file.

    Args:
        answer: What was measured.
        path: The file.
        corpus: Name of the record that the counts come from.

    Raises:
        ValueError: If there are no rows.
    """
    from matplotlib import style  # noqa: PLC0415  slow to import
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
    from matplotlib.rcsetup import cycler  # noqa: PLC0415

    colours = ["tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown"]
    dashes = ["-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 3))]
    marks = cycler(marker=["o", "s", "^", "D", "v", "P"], color=colours, linestyle=dashes)
    with style.context(["default", {"axes.prop_cycle": marks, "lines.markersize": 4}]):
        rows = max((len(series) for series in answer.series()), default=0)
        upright = figure_of(answer).kind == "interval"
        height = max(3.6, 1.6 + 0.3 * rows) if upright else 5.1
        canvas = Canvas(figsize=(8, height), dpi=150, layout="constrained")
        draw(answer, canvas.subplots())
        what, counted = (_escaped(text) for text in title_of(answer, corpus))
        heading = [*textwrap.wrap(what, _TITLE), *textwrap.wrap(counted, _TITLE)]
        canvas.suptitle("\n".join(heading), x=0.01, ha="left", fontsize=10)
        below = "\n".join(textwrap.wrap(_escaped(caption_of(answer)), _CAPTION))
        canvas.supxlabel(below, x=0.01, ha="left", fontsize=7, color="0.3")
        canvas.savefig(path, metadata={"Software": None})


def _escaped(text: str) -> str:
    """Escape dollar signs, between which Matplotlib would read mathematics."""
    return text.replace("$", r"\$")
