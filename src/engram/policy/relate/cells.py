"""Read a delimited table into cells with line numbers: encoding, delimiter, header, notes."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from engram.errors import EngramError
from engram.policy.relate.cell import Cell
from engram.policy.relate.period import looks_like_period

DELIMITERS = ("\t", ";", "|", ",")
"""Possible delimiters; of two that fit equally well the first is used."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_ROW_NUMBERS = ("", "unnamed: 0", "index", "rownames", "row")


@dataclass(frozen=True)
class Cells:
    """The cells of a table by column.

    Args:
        path: The file.
        delimiter: The delimiter of its columns.
        columns: The cells of each column by its header, all of one length, in order.
        notes: What was skipped: comments and row numbers.
    """

    path: Path
    delimiter: str
    columns: dict[str, list[Cell]]
    notes: list[str] = field(default_factory=list)


def read_cells(path: str | Path) -> Cells:
    """Read a delimited text table with one header line.

    Lines that begin with # are comments. A first column that only counts the rows, as pandas
    writes it, is left out.

    Args:
        path: The file, in UTF-8, or in UTF-16 with a byte-order mark.

    Raises:
        ValueError: If the file cannot be read or decoded, has no header of two columns or more,
            names two columns alike, or has a row of another length.
    """
    path = Path(path)
    text = _decode(path)
    lines = text.splitlines(keepends=True)
    comments = [i for i, line in enumerate(lines) if line.lstrip('"').startswith("#")]
    kept = "".join("\n" if i in set(comments) else line for i, line in enumerate(lines))
    delimiter = _delimiter(path, kept)
    header, rows = _rows(path, kept, delimiter)
    columns = {
        name: [Cell(cells[i], line, name) for line, cells in rows] for i, name in enumerate(header)
    }
    table = Cells(path, delimiter, columns)
    if comments:
        some = "1 line beginning" if len(comments) == 1 else f"{len(comments)} lines beginning"
        table.notes.append(f"{path.name}: {some} with # were read as comments.")
    _drop_row_numbers(table)
    _drop_unnamed(table)
    return table


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngramError(f"{path} is not a readable csv file ({error}); give another") from error
    if not data.strip():
        raise EngramError(f"{path} is not a readable csv file (it is empty); give another")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        bad = data[error.start : error.start + 1]
        line = data[: error.start].count(b"\n") + 1
        raise EngramError(
            f"{path} is not a readable csv file: line {line}, byte {error.start} is {bad!r}, which "
            f"is not {encoding.upper()}; save the table as UTF-8"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise EngramError(
            f"{path} is not a readable csv file: line {line} holds a NUL character, as UTF-16 "
            "without a byte-order mark has; save the table as UTF-8"
        )
    return text


def _parsed(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Rows that are not blank, with the line that each begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, start = [], 1
    for row in reader:
        cells = [" ".join(cell.split()) for cell in row]
        if any(cells):
            rows.append((start, cells))
        start = reader.line_num + 1
    return rows


def _delimiter(path: Path, text: str) -> str:
    """The delimiter for which most rows are as long as the header."""
    best, most = "", 0
    for delimiter in DELIMITERS:
        try:
            rows = _parsed(text, delimiter)
        except csv.Error:
            continue
        width = len(rows[0][1]) if rows else 0
        fitting = sum(len(cells) == width for _, cells in rows) if width > 1 else 0
        if fitting > most:
            best, most = delimiter, fitting
    if not best:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        raise EngramError(
            f"{path} is not a readable csv file: its first line is {first[:60]!r}; begin with a "
            "header of two columns or more, separated by commas, semicolons or tabs"
        )
    return best


def _rows(path: Path, text: str, delimiter: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    (head, header), *rows = _parsed(text, delimiter)
    named = [name for name in header if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise EngramError(
            f"{path}, line {head}: {', '.join(map(repr, twice))} is the header of two columns; "
            f"give each column its own name"
        )
    periods = [i for i, (_, cells) in enumerate(rows) if looks_like_period(cells[0])]
    for i, (line, cells) in enumerate(rows):
        surplus = any(cells[len(header) :])
        if surplus and not (periods and i > periods[-1]):  # notes follow below the last period
            raise EngramError(
                f"{path}, line {line} has {len(cells)} cells for {len(header)} columns; quote "
                f"cells that hold {delimiter!r}"
            )
        cells[len(header) :] = []
        cells.extend([""] * (len(header) - len(cells)))
    if not rows:
        raise EngramError(f"{path} has a header and no rows; give a table with values")
    return header, rows


def _drop_row_numbers(table: Cells) -> None:
    name, cells = next(iter(table.columns.items()))
    numbers = [cell.text for cell in cells if cell.text]
    counted = any(
        numbers == [str(i) for i in range(first, first + len(numbers))] for first in (0, 1)
    )
    if name.lower() in _ROW_NUMBERS and counted and len(table.columns) > 2:
        del table.columns[name]
        table.notes.append(
            f"{table.path.name}: the first column only numbers the rows and is left out."
        )


def _drop_unnamed(table: Cells) -> None:
    """Leave out empty columns that have no header; refuse one that holds values."""
    for name in [name for name in table.columns if not name]:
        filled = [cell for cell in table.columns[name] if cell.text]
        if filled and len(table.columns) > 1 and name != next(iter(table.columns)):
            raise EngramError(f"{table.path}, {filled[0]}: the column has no name; give it one")
        if not filled:
            del table.columns[name]
