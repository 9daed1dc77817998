"""Parse the numbers of a table: decimal commas, thousands separators, units, missing values."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engram.errors import EngramError
from engram.policy.relate.cell import Cell

MISSING = frozenset(
    ["", "-", "--", "–", "—", ".", "..", "...", "…", ":", "na", "n/a", "n.a.", "(na)", "#n/a",
     "nd", "n.d.", "nan", "null", "none", "missing"]
)  # fmt: skip
"""Marks for a missing value, in lower case."""

_UNITS = r"[$€£¥]|US\$"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>(?:{_UNITS})?)\s*(?P<digits>\d[\d.,\u00a0\u202f\u2009 ]*|[.,]\d+)"
    r"(?P<power>e[+-]?\d+)?\s*(?P<after>%?)",
    re.IGNORECASE,
)
_INFINITE = re.compile(r"[+-]?inf(inity)?|[+-]?∞", re.IGNORECASE)
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]")
_OTHER = {".": ",", ",": "."}


class Numbers(NamedTuple):
    """The parsed numbers of a column.

    Args:
        values: One for each cell; NaN where the value is missing.
        unit: The unit written with every number, such as %; empty if there is none.
        marks: The marks that were read as missing values, and how often.
    """

    values: list[float]
    unit: str
    marks: Counter[str]


def is_number(cell: Cell) -> bool:
    """Whether a cell has the form of a number, infinity included."""
    return bool(_match(cell) or _INFINITE.fullmatch(cell.text))


def is_missing(cell: Cell) -> bool:
    """Whether a cell is empty or holds a mark for a missing value."""
    return cell.text.lower() in MISSING


def decimal_mark(cells: Iterable[Cell], delimiter: str, path: object) -> str:
    """Determine the decimal mark from all numbers of a table.

    4,5 and 1.234,5 have a decimal comma, 4.5 and 1,234.5 a decimal point. 1,234 alone is
    ambiguous; where commas separate the columns, its comma separates thousands.

    Args:
        cells: The cells of the columns of numbers.
        delimiter: The delimiter of the columns.
        path: The file, for messages.

    Returns:
        "." or ",".

    Raises:
        ValueError: If cells contradict each other, or no cell is unambiguous.
    """
    evidence: dict[str, Cell] = {}
    open_to_both: Cell | None = None
    for cell in cells:
        if not (found := _match(cell)):
            continue
        told = _told(found["digits"])
        if told:
            evidence.setdefault(told, cell)
        elif "," in found["digits"]:
            open_to_both = open_to_both or cell
    if len(evidence) == 2 or ("," in evidence and delimiter == ","):
        comma = evidence[","]
        against = f", but {evidence['.']}" if "." in evidence else " in a file of commas"
        raise EngramError(
            f"{path}, {comma}: a decimal comma{against}; write all numbers with a decimal point"
        )
    if evidence:
        return next(iter(evidence))
    if open_to_both is not None and delimiter != ",":
        raise EngramError(
            f"{path}, {open_to_both}, which may have a thousands separator or a decimal mark, and "
            f"no other cell decides; write numbers with a decimal point and without thousands "
            f"separators"
        )
    return "."


def read_numbers(cells: Sequence[Cell], decimal: str, path: object) -> Numbers:
    """Read a column of numbers.

    Args:
        cells: The column.
        decimal: The mark that separates decimals.
        path: The file, for messages.

    Raises:
        ValueError: If a cell holds neither a number nor a mark for a missing value, is infinite,
            or has a unit that other cells lack.
    """
    values: list[float] = []
    marks: Counter[str] = Counter()
    first: tuple[str, Cell] | None = None
    for cell in cells:
        if is_missing(cell):
            marks.update([cell.text] if cell.text else [])
            values.append(math.nan)
            continue
        value, unit = _number(cell, decimal, path)
        if first is not None and unit != first[0]:
            raise EngramError(
                f"{path}, {cell}, but line {first[1].line} holds {first[1].text!r}: write all "
                "numbers of a column with one unit"
            )
        first = first or (unit, cell)
        values.append(value)
    return Numbers(values, first[0] if first else "", marks)


def _match(cell: Cell) -> re.Match[str] | None:
    return _NUMBER.fullmatch(cell.text.replace("−", "-"))


def _told(digits: str) -> str:
    """The decimal mark that a number implies; empty if it implies none."""
    commas, points = digits.count(","), digits.count(".")
    if commas and points:
        return "," if digits.rindex(",") > digits.rindex(".") else "."
    if commas > 1:
        return "."
    if points > 1:
        return ","
    mark = "," if commas else "." if points else ""
    thousands = mark and re.fullmatch(rf"[1-9]\d{{0,2}}\{mark}\d{{3}}", digits)
    return "" if thousands else mark


def _number(cell: Cell, decimal: str, path: object) -> tuple[float, str]:
    found = _match(cell)
    if _INFINITE.fullmatch(cell.text):
        raise EngramError(f"{path}, {cell}; give a finite number, or leave the cell empty")
    digits = _SPACES.sub(" ", found["digits"]).strip() if found else ""
    separator = rf"[ \{_OTHER[decimal]}]"
    grouped = re.fullmatch(
        rf"(\d{{1,3}}({separator})\d{{3}}(\2\d{{3}})*|\d+)?(\{decimal}\d*)?", digits
    )
    if not found or not digits or not grouped:
        raise EngramError(
            f"{path}, {cell}, which is not a number; correct it, or leave it empty for a missing "
            f"value"
        )
    plain = re.sub(separator, "", digits).replace(decimal, ".")
    value = float(f"{found['sign']}{plain}{found['power'] or ''}")
    if not math.isfinite(value):
        raise EngramError(f"{path}, {cell}, which is too large a number; use another unit")
    return value, found["before"] or found["after"]
