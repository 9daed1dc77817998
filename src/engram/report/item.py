"""Items of a report: scalars, tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engram.errors import EngramError
from engram.series import bracket, finite

Cell = str | int | float | bool | None
"""One entry of a table."""


@dataclass(frozen=True)
class Published:
    """A paper's number for the same quantity.

    Args:
        value: The paper's number, in the unit of ours.
        source: The paper, and the table or figure of it.
        differs: What differs from our measurement; empty if nothing does.
    """

    value: float
    source: str
    differs: str = ""

    def __post_init__(self) -> None:
        if finite(self.value, "a published value") is None or not self.source:
            raise EngramError(
                f"published value {self.value!r}, source {self.source!r}; give the number and paper"
            )


@dataclass(frozen=True)
class Scalar:
    """One measured number.

    Args:
        name: What was measured; unique within a report.
        value: The number; None when it could not be measured.
        unit: Its unit; empty when it has none.
        low: Lower end of its interval.
        high: Upper end of its interval.
        published: The paper's number for it.
        volatile: Whether a rerun with the same seed may differ, as timings do.

    Raises:
        ValueError: If the name is empty, a number is not finite, or the value lies outside
            its interval.
    """

    name: str
    value: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    published: Published | None = None
    volatile: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise EngramError("a scalar has no name; say what was measured")
        for field in ("value", "low", "high"):
            plain = finite(getattr(self, field), f"{field} of {self.name!r}")
            object.__setattr__(self, field, plain)
        bracket(self.low, self.value, self.high, repr(self.name))


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers.

    Args:
        title: What the table shows; unique within a report.
        columns: Headings, (m).
        rows: Cells, (n, m): text, finite numbers, booleans, or None for an empty cell.
        caption: One or two sentences on how to read it.
        volatile: Whether a rerun with the same seed may differ, as timings do.

    Raises:
        ValueError: If the title or the columns are empty, a row has another length than the
            columns, or a cell has another type.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    volatile: bool = False

    def __post_init__(self) -> None:
        if not self.title or not self.columns:
            raise EngramError(f"table {self.title!r} has no title or no columns; give both")
        rows = tuple(tuple(self._cell(cell) for cell in row) for row in self.rows)
        for row in rows:
            if len(row) != len(self.columns):
                raise EngramError(
                    f"a row of table {self.title!r} has {len(row)} cells for "
                    f"{len(self.columns)} columns; use None for an empty cell"
                )
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", rows)

    def _cell(self, cell: Any) -> Cell:
        plain = cell.item() if hasattr(cell, "item") else cell
        if isinstance(plain, str | bool):
            return plain
        return finite(plain, f"a cell of table {self.title!r}")


@dataclass(frozen=True)
class Figure:
    """A figure that plots series of a report.

    Args:
        title: What the figure shows; unique within a report.
        series: Names of the series it draws, in this order.
        kind: "line" with a band for intervals, "bar" with whiskers, "interval": points with
            whiskers, one row for each position, or "points": a mark at each value.
        x_label: Label of the index axis; the series' own axis and unit when left empty.
        y_label: Label of the value axis; the series' own name and unit when left empty.
        x_log: Whether the index axis is logarithmic; for lines and points over numbers.
        y_log: Whether the value axis is logarithmic.
        caption: One or two sentences on how to read it.
        clip: Whether intervals that are far wider than the others are cut at the edge of the axes,
            with marks and a line of text that say so; for lines and intervals.

    Raises:
        ValueError: If the title is empty, no series is named, the kind is unknown, bars or
            intervals have a logarithmic index, or bars are clipped.
    """

    title: str
    series: Sequence[str]
    kind: Literal["line", "bar", "interval", "points"] = "line"
    x_label: str = ""
    y_label: str = ""
    x_log: bool = False
    y_log: bool = False
    caption: str = ""
    clip: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.series, str) or not self.title or not self.series:
            raise EngramError(
                f"figure {self.title!r} draws {self.series!r}; give a title and a list of names"
            )
        if self.kind not in ("line", "bar", "interval", "points"):
            raise EngramError(f"figure kind is {self.kind!r}; choose line, bar, interval or points")
        if self.x_log and self.kind not in ("line", "points"):
            raise EngramError(
                f"figure {self.title!r} has a logarithmic index for kind {self.kind!r}; "
                "draw lines, or leave x_log out"
            )
        if self.clip and self.kind in ("bar", "points"):
            raise EngramError(
                f"figure {self.title!r} clips {self.kind}; draw lines or intervals instead"
            )
        object.__setattr__(self, "series", tuple(self.series))
