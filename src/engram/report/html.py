"""A report as one HTML file that needs nothing else."""

from datetime import datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engram.report.item import Table
from engram.report.model import Report
from engram.report.number import cell_text, column_text, is_numeric, scalar_text
from engram.report.svg import drawing


def render(report: Report) -> str:
    """Return the page of a report; the same report gives the same page.

    Args:
        report: The report.
    """
    figures = [
        (figure, drawing(figure, report.drawn_by(figure), f"figure-{number}"))
        for number, figure in enumerate(report.figures, start=1)
    ]
    return _template().render(
        report=report,
        source=report.provenance,
        figures=figures,
        tables=[(table, *_columns(table)) for table in report.tables],
    )


def _columns(table: Table) -> tuple[list[bool], list[tuple[str, ...]]]:
    """Which columns of a table hold numbers, and its rows as text."""
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
