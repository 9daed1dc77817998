"""A report in the terminal."""

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.bar import Bar
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from engram.report.item import Figure, Scalar, Table
from engram.report.model import Report
from engram.report.number import cell_text, column_text, is_numeric, scalar_text
from engram.series import Series

BAR_WIDTH = 40
"""Characters of the longest bar."""


def print_report(report: Report, console: Console) -> None:
    """Print the answer, the scalars, the tables and the notes of a report, section by section.

    Args:
        report: The report.
        console: Where to print.
    """
    console.print(f"\n[bold]{escape(report.title)}[/bold]")
    if report.question:
        console.print(f"[italic]{escape(report.question)}[/italic]")
    if report.provenance.status == "partial":
        missing = report.provenance.missing or "what the run had still to do"
        console.print(f"[yellow]Partial:[/yellow] it lacks {escape(missing)}")
    if report.conclusion:
        console.print(f"[bold]{escape(report.conclusion)}[/bold]")
    rest = report.loose
    _print_items([*rest.scalars, *rest.tables], console)
    for section in report.sections:
        console.print(f"\n[bold]{escape(section.title)}[/bold]")
        _print_items(section.items, console)
    _print_items(rest.notes, console)
    for chapter in report.chapters:
        print_report(chapter, console)


def _print_items(items: Sequence[Scalar | Table | Figure | str], console: Console) -> None:
    """Print items in their order, scalars that follow each other in one table, and no figures."""
    for kind, group in groupby(items, type):
        if kind is Scalar:
            console.print(_scalars([item for item in group if isinstance(item, Scalar)]))
            continue
        for item in group:
            if isinstance(item, Table):
                console.print(_table(item))
            elif isinstance(item, str):
                console.print(f"· {escape(item)}")


def print_bars(figure: Figure, drawn: Sequence[Series], console: Console) -> None:
    """Print series as horizontal bars, one below the other, as `print_report` does not.

    Args:
        figure: The figure they belong to, for its title and caption.
        drawn: Its series; a bar for each value, from 0, and none for a gap.
        console: Where to print.
    """
    for series in drawn:
        most = max((value for value in series.values if value is not None), default=0.0)
        grid = Grid(box=None, show_header=False, title_justify="left", caption_justify="left")
        grid.title = escape(figure.title if len(drawn) == 1 else f"{figure.title}: {series.name}")
        grid.caption = escape(figure.caption) or None
        numbers = column_text(list(series.values))
        for position, value, number in zip(series.index, series.values, numbers, strict=True):
            bar = Bar(most or 1.0, 0, max(value or 0.0, 0.0), width=BAR_WIDTH)
            grid.add_row(escape(str(position)), bar, f"{number} {escape(series.unit)}")
        console.print(grid)


def _scalars(scalars: Sequence[Scalar]) -> Grid:
    rows = [
        (scalar.name, *scalar_text(scalar), scalar.unit, _published(scalar)) for scalar in scalars
    ]
    return _grid(
        ("", "value", "interval", "unit", "published"), rows, numeric=(False, True, True, False)
    )


def _published(scalar: Scalar) -> str:
    paper = scalar.published
    if paper is None:
        return ""
    differs = f"; differs: {paper.differs}" if paper.differs else ""
    return f"{cell_text(paper.value)} ({paper.source}{differs})"


def _table(table: Table) -> Grid:
    columns = list(zip(*table.rows, strict=True)) or [() for _ in table.columns]
    cells = [column_text(column) for column in columns]
    grid = _grid(table.columns, list(zip(*cells, strict=True)), [*map(is_numeric, columns)])
    grid.title = escape(table.title)
    grid.caption = escape(table.caption) or None
    return grid


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    used = [i for i, heading in enumerate(columns) if not rows or any(row[i] for row in rows)]
    for i in used:
        right = i < len(numeric) and numeric[i]
        grid.add_column(escape(columns[i]), justify="right" if right else "left")
    for row in rows:
        grid.add_row(*(escape(row[i]) for i in used))
    return grid
