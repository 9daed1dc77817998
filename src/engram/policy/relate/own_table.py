"""Read yearly series from a user's table of years, half-years, quarters, months or days."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engram.errors import EngramError
from engram.policy.relate.cell import Cell
from engram.policy.relate.cells import Cells, read_cells
from engram.policy.relate.number import (
    Numbers,
    decimal_mark,
    is_missing,
    is_number,
    read_numbers,
)
from engram.policy.relate.period import Calendar, looks_like_period, read_periods
from engram.series import Series

_NAMED = 4
"""Maximum number of years or lines named in a note."""
_NOTE = re.compile(r"[*†‡(\[]|\d+\W|sources?\b|notes?\b|[^:]*:", re.IGNORECASE)
"""How a footnote may begin; figures in a footnote are not values."""


class OwnTable(NamedTuple):
    """The series read from a table.

    Args:
        series: A yearly series for each column, named after it.
        notes: How the table was read and what was left out, in sentences.
    """

    series: list[Series]
    notes: list[str]


def read_csv(path: str | Path, year: str = "", columns: Sequence[str] = ()) -> list[Series]:
    """Read indicators from a table of your own; `read_table` also reports how it was read.

    Args:
        path: A csv file with a header.
        year: The column of years, quarters, months or days; the first column when empty.
        columns: The indicators; all other columns of numbers when empty.

    Returns:
        A yearly series for each column, named after it.

    Raises:
        ValueError: As `read_table`.
    """
    return read_table(path, year, columns).series


def read_table(path: str | Path, year: str = "", columns: Sequence[str] = ()) -> OwnTable:
    """Read indicators from a table of your own with a column of periods and one per indicator.

    The value of a year is the mean of its 12 months, 4 quarters or 2 half-years; days
    are averaged by month first. A year that lacks a part is left out, and a note names it. Text
    below the last period is read as a footnote. Numbers may have a decimal comma, thousands
    separators and one unit, such as %; -, ., NA and the like are missing values.

    Args:
        path: A csv file with a header, separated by commas, semicolons, tabs or bars.
        year: The column of years, quarters, months or days; the first column when empty.
        columns: The indicators; all other columns of numbers when empty.

    Returns:
        The series and notes.

    Raises:
        ValueError: If the file cannot be read, a column is missing, a period occurs twice, or a
            cell cannot be read; the message names the line and the column.
    """
    table = read_cells(path)
    year = year or next(iter(table.columns))
    missing = [name for name in (year, *columns) if name not in table.columns]
    if missing:
        raise EngramError(f"{path} has no column {missing}; it has {list(table.columns)}")
    notes = list(table.notes)
    _cut_footnotes(table, year, notes)
    calendar = read_periods(table.columns[year], path)
    notes += [f"{table.path.name}: {note}" for note in calendar.notes]
    chosen = list(dict.fromkeys(columns)) or _numeric(table, year, notes)
    cells = [cell for name in chosen for cell in table.columns[name]]
    decimal = decimal_mark(cells, table.delimiter, path)
    if decimal == ",":
        notes.append(f"{table.path.name}: the comma is read as the decimal mark.")
    if calendar.parts > 1:
        notes.append(
            f"{table.path.name}: the value of a year is the mean of its {calendar.parts} "
            f"{calendar.part_name}; "
            "a year that lacks one is left out."
        )
    series = []
    for name in chosen:
        numbers = read_numbers(table.columns[name], decimal, path)
        series.append(_series(name, calendar, numbers, notes))
    empty = [one.name for one in series if not len(one)]
    if empty and (columns or len(empty) == len(series)):
        whole = f"year with all {calendar.parts} {calendar.part_name}" if calendar.parts > 1 else (
            "value")  # fmt: skip
        raise EngramError(
            f"{path}: column {empty[0]!r} has no {whole}; give another column, or leave it out"
        )
    return OwnTable([one for one in series if len(one)], notes)


def _cut_footnotes(table: Cells, year: str, notes: list[str]) -> None:
    """Leave out lines of text below the last period; other cells on them must be empty."""
    column = table.columns[year]
    known = [i for i, cell in enumerate(column) if looks_like_period(cell.text)]
    end = known[-1] + 1 if known else len(column)
    below = range(end, len(column))
    for i in below:
        for cells in table.columns.values():
            note = _NOTE.match(column[i].text)
            if is_number(cells[i]) and cells is not column and not note:
                raise EngramError(
                    f"{table.path}, {column[i]}, which is not a period, next to {cells[i].text!r}; "
                    "remove the line, or give it a period"
                )
    if below:
        first, last = column[end], column[-1]
        where = f"line {first.line}" if end == len(column) - 1 else (
            f"lines {first.line} to {last.line}")  # fmt: skip
        text = next((cells[end].text for cells in table.columns.values() if cells[end].text), "")
        notes.append(f"{table.path.name}: {where} read as a footnote ({_short(text)}).")
    for cells in table.columns.values():
        del cells[end:]


def _numeric(table: Cells, year: str, notes: list[str]) -> list[str]:
    """The columns that hold more numbers than text; a note names the others."""
    chosen, text = [], []
    example: Cell | None = None
    for name, cells in table.columns.items():
        if name == year:
            continue
        filled = [cell for cell in cells if not is_missing(cell)]
        numbers = sum(is_number(cell) for cell in filled)
        if numbers and 2 * numbers >= len(filled):
            chosen.append(name)
        else:
            text.append(name)
            example = example or next((cell for cell in filled if not is_number(cell)), None)
    if not chosen:
        held = f": {example}" if example else ""
        raise EngramError(
            f"{table.path} has no numeric column besides {year!r}{held}; add one, or name "
            "another column of years"
        )
    if text:
        notes.append(
            f"{table.path.name}: {', '.join(text)} left out, because the column holds no numbers."
        )
    return chosen


def _series(name: str, calendar: Calendar, numbers: Numbers, notes: list[str]) -> Series:
    """The values by year: means over the parts of whole years."""
    parts: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, value in enumerate(numbers.values):
        year, part = calendar.slot(row)
        if math.isfinite(value):
            parts[year][part].append(value)
    whole = {
        year: math.fsum(math.fsum(some) / len(some) for some in found.values()) / calendar.parts
        for year, found in sorted(parts.items())
        if len(found) == calendar.parts
    }
    short = {year: len(found) for year, found in sorted(parts.items()) if year not in whole}
    if short:
        named = [f"{year} ({n} of {calendar.parts})" for year, n in list(short.items())[:_NAMED]]
        more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
        notes.append(
            f"{name}: left out because they have fewer {calendar.part_name}: "
            f"{', '.join(named)}{more}."
        )
    if not whole:
        notes.append(f"{name}: left out, because no year is complete.")
    for mark, count in numbers.marks.items():
        cells = "1 cell" if count == 1 else f"{count} cells"
        notes.append(f"{name}: {mark!r} in {cells} read as missing.")
    if numbers.unit:
        notes.append(f"{name}: {numbers.unit} read as the unit.")
    return Series(name, list(whole), list(whole.values()), axis="year", unit=numbers.unit)


def _short(text: str) -> str:
    return repr(text if len(text) <= 50 else f"{text[:49]}…")
