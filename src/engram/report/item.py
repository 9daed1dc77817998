"""Items of a report: scalars, tables, figures and pictures."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, Self

import numpy as np

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


@dataclass(frozen=True)
class Picture:
    """A picture of pixels, such as a matrix in colours.

    It is drawn from numbers, which belong in other items or files: it is not part of the
    fingerprint.

    Args:
        title: What the picture shows; unique within a report.
        png: A PNG file in base64.
        caption: One or two sentences on how to read it.

    Raises:
        ValueError: If the title is empty, or the data are no PNG file in base64.
    """

    title: str
    png: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.title or not re.fullmatch(r"iVBORw0KGgo[A-Za-z0-9+/]*={0,2}", self.png):
            raise EngramError(f"picture {self.title!r} has no title, or is no PNG file in base64")

    @classmethod
    def of(cls, title: str, pixels: np.ndarray, caption: str = "") -> Self:
        """A picture of pixels.

        Args:
            title: What it shows.
            pixels: `(height, width, 3)` or `(height, width)`, 8-bit.
            caption: How to read it.

        Raises:
            ValueError: If the pixels have another shape or type.
        """
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
            raise EngramError(
                f"pixels of {title!r} have shape {pixels.shape} and type {pixels.dtype}: give "
                "8-bit values (height, width, 3)"
            )
        from PIL import Image  # noqa: PLC0415  for those who draw

        file = BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        return cls(title, base64.b64encode(file.getvalue()).decode(), caption)
