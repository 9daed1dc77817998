"""Print a report in a terminal."""

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.bar import Bar
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid
from rich.text import Text

from engram.report.item import Figure, Picture, Scalar, Table
from engram.report.layout import Block, Cells, divide
from engram.report.model import Report
from engram.report.number import cell_text, column_text, is_numeric, scalar_text
from engram.series import Series

BAR_WIDTH = 40
"""Length of the longest bar, in characters."""


def print_report(report: Report, console: Console) -> None:
    """Print the answer, the scalars, the tables and the notes of a report, section by section."""
    console.print(f"\n[bold]{escape(report.title)}[/bold]")
    if report.question:
        console.print(f"[italic]{escape(report.question)}[/italic]")
    if report.provenance.status == "partial":
        missing = report.provenance.missing or "the remaining work of the run"
        console.print(f"[yellow]Partial report.[/yellow] Missing: {escape(missing)}")
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


def _print_items(
    items: Sequence[Scalar | Table | Figure | Picture | str], console: Console
) -> None:
    """Print items in order, consecutive scalars as one table, without figures."""
    for kind, group in groupby(items, type):
        if kind is Scalar:
            _print_scalars([item for item in group if isinstance(item, Scalar)], console)
            continue
        for item in group:
            if isinstance(item, Table):
                print_table(item, console)
            elif isinstance(item, str):
                console.print(f"· {escape(item)}")


def print_bars(figure: Figure, drawn: Sequence[Series], console: Console) -> None:
    """Print series as horizontal bars, one below the other.

    Args:
        figure: The figure of the series, for its title and caption.
        drawn: The series; each value has a bar from 0, and a gap has none.
        console: The console.
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


def print_table(table: Table, console: Console) -> None:
    """Print a table at the width of the console, without truncating numbers or names.

    Text is wrapped. If that is not enough, the columns are divided among several tables that repeat
    the columns that identify a row; if not even one more column fits beside those, each row is
    printed as a list.
    """
    columns = list(zip(*table.rows, strict=True)) or [() for _ in table.columns]
    rows = list(zip(*(column_text(column) for column in columns), strict=True))
    cells = Cells(table.columns, rows, [*map(is_numeric, columns)])
    _print_cells(cells, console, table.title, table.caption)


def _print_scalars(scalars: Sequence[Scalar], console: Console) -> None:
    rows = [
        (scalar.name, *scalar_text(scalar), scalar.unit, _published(scalar)) for scalar in scalars
    ]
    heads = ("", "value", "interval", "unit", "published")
    used = [i for i in range(len(heads)) if any(row[i] for row in rows)]
    numeric = [i in (1, 2) for i in used]
    kept = [tuple(row[i] for i in used) for row in rows]
    _print_cells(Cells([heads[i] for i in used], kept, numeric), console)


def _print_cells(cells: Cells, console: Console, title: str = "", caption: str = "") -> None:
    blocks = divide(cells, console.width)
    for number, block in enumerate(blocks):
        more = "" if not number else f" ({number + 1} of {len(blocks)})"
        if title:
            console.print(f"[italic]{escape(title + more)}[/italic]", highlight=False)
        console.print(_grid(cells, block))
    if not blocks:
        _print_list(cells, console, title)
    if caption:
        console.print(f"[dim italic]{escape(caption)}[/dim italic]\n", highlight=False)


def _print_list(cells: Cells, console: Console, title: str) -> None:
    """Print each row as a list of its headings and cells."""
    console.print(f"[italic]{escape(title)}[/italic]", highlight=False)
    for row in cells.rows:
        console.print()
        for heading, text in zip(cells.headings, row, strict=True):
            line = Text(f"  {heading}: {text}", overflow="fold")
            console.print(line, highlight=False)
    console.print()


def _published(scalar: Scalar) -> str:
    paper = scalar.published
    if paper is None:
        return ""
    differs = f"; differs: {paper.differs}" if paper.differs else ""
    return f"{cell_text(paper.value)} ({paper.source}{differs})"


def _grid(cells: Cells, block: Block) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD)
    for i, width in zip(block.columns, block.widths, strict=True):
        grid.add_column(
            Text(cells.headings[i], overflow="fold"),
            justify="right" if cells.numeric[i] else "left",
            width=width,
            overflow="fold",
        )
    for row in cells.rows:
        grid.add_row(*(escape(row[i]) for i in block.columns))
    return grid
