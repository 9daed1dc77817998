"""A report as one self-contained HTML file."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engram.report.item import Figure, Picture, Scalar, Table
from engram.report.model import Report
from engram.report.number import cell_text, column_text, is_numeric, scalar_text
from engram.report.svg import drawing


def render(report: Report) -> str:
    """Return the page of a report, which depends on the report only."""
    return _template().render(report=report, source=report.provenance, body=Body(report, ""))


class Body:
    """The template's data of a report or of one of its chapters.

    Args:
        report: The report.
        prefix: Prefix of the identifiers of its elements; unique on the page.
    """

    def __init__(self, report: Report, prefix: str) -> None:
        self.report, self.prefix = report, prefix
        rest = report.loose
        groups = [
            ("Results", rest.scalars),
            ("Figures", rest.figures),
            ("Tables", rest.tables),
            ("Pictures", rest.pictures),
            *((section.title, section.items) for section in report.sections),
            ("Notes", rest.notes),
        ]
        self.groups = [
            (f"{prefix}group-{number}", title, list(self._blocks(items)))
            for number, (title, items) in enumerate(groups, start=1)
            if items
        ]
        self.chapters = [
            Body(chapter, f"{prefix}chapter-{number}-")
            for number, chapter in enumerate(report.chapters, start=1)
        ]

    def _blocks(
        self, items: Sequence[Scalar | Table | Figure | Picture | str]
    ) -> Iterator[tuple[str, list[Any]]]:
        """Consecutive items of one kind, with the template's data of each."""
        show: dict[type, Callable[[Any], Any]] = {
            Table: self._table,
            Figure: self._figure,
        }
        for kind, group in groupby(items, type):
            yield kind.__name__.lower(), [show[kind](x) if kind in show else x for x in group]

    def _table(self, table: Table) -> tuple[str, int, Table, list[bool], list[tuple[str, ...]]]:
        number = self.report.tables.index(table) + 1
        return (f"{self.prefix}table-{number}", number, table, *_columns(table))

    def _figure(self, figure: Figure) -> tuple[int, Figure, str]:
        number = self.report.figures.index(figure) + 1
        name = f"{self.prefix}figure-{number}"
        return number, figure, drawing(figure, self.report.drawn_by(figure), name)


def _columns(table: Table) -> tuple[list[bool], list[tuple[str, ...]]]:
    """Which columns of a table are numeric, and its rows as text."""
    columns = list(zip(*table.rows, strict=True))
    rows = zip(*(column_text(column) for column in columns), strict=True)
    return [is_numeric(column) for column in columns] or [False] * len(table.columns), list(rows)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _day(moment: str) -> str:
    start = datetime.fromisoformat(moment)
    return f"{start.day} {start:%B %Y, %H:%M} UTC"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("engram.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cell": cell_text,
        "scalar": scalar_text,
        "duration": _duration,
        "day": _day,
    }
    return environment.get_template("template.html")
