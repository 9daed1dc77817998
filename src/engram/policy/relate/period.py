"""Parse the periods of a table: years, quarters, months and days, and how they form whole years."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from engram.errors import EngramError
from engram.policy.relate.cell import Cell

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
         "aug august", "sep sept september", "oct october", "nov november", "dec december"), 1)
    for name in names.split()
}  # fmt: skip
_Y, _M, _D = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_PATTERNS = {
    kind: [re.compile(pattern, re.IGNORECASE) for pattern in patterns]
    for kind, patterns in {
        "year": (rf"{_Y}(\.0+)?",),
        "quarter": (rf"{_Y}[\s:/-]*Q(?P<quarter>\d)", rf"Q(?P<quarter>\d)[\s:/-]*{_Y}"),
        "month": (
            rf"{_Y}[\s:/-]*M{_M}", rf"{_Y}[/-]{_M}", r"(?P<year>\d{4})(?P<month>\d{2})",
            rf"{_M}/{_Y}", rf"{_NAME}[\s/-]*{_Y}", rf"{_Y}[\s/-]*{_NAME}",
        ),
        "day": (
            rf"{_Y}[/-]{_M}[/-]{_D}([T ]\d\d:\d\d.*)?",
            r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
            rf"{_D}\.{_M}\.{_Y}", rf"{_NAME}\s*{_D},?\s+{_Y}", rf"{_D}[\s-]*{_NAME}[\s-]*{_Y}",
        ),
        "slashed": (r"(?P<one>\d{1,2})(?P<mark>[/-])(?P<other>\d{1,2})(?P=mark)(?P<year>\d{4})",),
    }.items()
}  # fmt: skip
_A = {"year": "a year", "quarter": "a quarter", "month": "a month", "day": "a day"}
_PARTS = {1: "year", 2: "half-years", 4: "quarters", 12: "months"}
_ORDER = "write days as YYYY-MM-DD"
_HINT = "give years (1950), quarters (1950Q1), months (1950-01) or days (1950-01-31)"


class Period(NamedTuple):
    """One period.

    Args:
        kind: "year", "quarter", "month" or "day".
        year: The year.
        part: Number of the quarter or month; 0 for a year.
        day: Day of the month; 0 for longer periods.
    """

    kind: str
    year: int
    part: int = 0
    day: int = 0


@dataclass(frozen=True)
class Calendar:
    """The periods of a table and the parts that form a year.

    Args:
        periods: One for each row.
        parts: How many parts make a whole year: 1, 2, 4 or 12.
        notes: How dates were read where they were ambiguous.
    """

    periods: list[Period]
    parts: int
    notes: list[str]

    @property
    def part_name(self) -> str:
        """Name of the parts."""
        return _PARTS[self.parts]

    def slot(self, row: int) -> tuple[int, int]:
        """Return the year of a row and the part of the year that it belongs to.

        Args:
            row: Number of the row.
        """
        period = self.periods[row]
        return period.year, 0 if self.parts == 1 else period.part


def looks_like_period(text: str) -> bool:
    """Whether a text has the form of a year, quarter, month or day.

    Args:
        text: A cell of a table.
    """
    return any(pattern.fullmatch(text) for found in _PATTERNS.values() for pattern in found)


def read_periods(cells: Sequence[Cell], path: object) -> Calendar:
    """Read a column of periods.

    The order of day and month in 1/2/1950 is inferred from its column: a number above 12 is a day,
    and so is a position that always holds 1. If neither applies, the column is refused.

    Args:
        cells: The column.
        path: The file, for messages.

    Raises:
        ValueError: If a cell is not a period, kinds of periods are mixed, or a period occurs twice.
    """
    order, notes = _day_order(cells, path)
    periods = [_period(cell, order, path) for cell in cells]
    first: dict[Period, Cell] = {}
    for period, cell in zip(periods, cells, strict=True):
        if period.kind != periods[0].kind:
            raise EngramError(
                f"{path}, {cell}, {_A[period.kind]}, and line {cells[0].line} holds "
                f"{cells[0].text!r}, {_A[periods[0].kind]}; give periods of one kind"
            )
        if period in first:
            raise EngramError(
                f"{path}, {cell}, which line {first[period].line} holds too; give one row for "
                f"{_A[period.kind]}: of a panel, keep the rows of one unit"
            )
        first[period] = cell
    return Calendar(periods, _parts(periods), notes)


def _period(cell: Cell, order: str, path: object) -> Period:
    for kind, patterns in _PATTERNS.items():
        for pattern in patterns:
            if found := pattern.fullmatch(cell.text):
                period = _checked(kind, found.groupdict(), order)
                if period is not None:
                    return period
    raise EngramError(
        f"{path}, {cell}, which is not a period; {_HINT}, or name another column of periods"
    )


def _checked(kind: str, found: dict[str, str | None], order: str) -> Period | None:
    """The period of a match; None if that quarter, month or day does not exist."""
    if name := found.get("name"):
        if name.lower() not in _MONTHS:
            return None
        found = found | {"month": str(_MONTHS[name.lower()])}
    if kind == "slashed":
        day, month = ("one", "other") if order == "day first" else ("other", "one")
        kind, found = "day", found | {"day": found[day], "month": found[month]}
    year = int(found["year"] or 0)
    part = int(found.get("quarter") or found.get("month") or 0)
    day = int(found.get("day") or 0)
    if kind == "quarter":
        return Period(kind, year, part) if 1 <= part <= 4 and year else None
    try:
        date(year, part or 1, day or 1)
    except ValueError:
        return None
    return Period(kind, year, part, day) if kind == "year" or part else None


def _day_order(cells: Sequence[Cell], path: object) -> tuple[str, list[str]]:
    """Whether 1/2/1950 has the day or the month first, and how that was inferred."""
    (pattern,) = _PATTERNS["slashed"]
    found = [(cell, match) for cell in cells if (match := pattern.fullmatch(cell.text))]
    if not found:
        return "", []
    sides = [[int(match[side]) for _, match in found] for side in ("one", "other")]
    above = [next((i for i, n in enumerate(side) if n > 12), None) for side in sides]
    if None not in above:
        one, other = (found[i or 0][0] for i in above)
        raise EngramError(
            f"{path}, {one}, and line {other.line} holds {other.text!r}: one has the day first, "
            f"the other the month; {_ORDER}"
        )
    days_only = [set(side) == {1} for side in sides]
    if above[0] is not None:
        order, why = "day first", f"line {found[above[0]][0].line} allows no other reading"
    elif above[1] is not None:
        order, why = "month first", f"line {found[above[1]][0].line} allows no other reading"
    elif days_only[0] != days_only[1]:
        order = "day first" if days_only[0] else "month first"
        why = f"the {'first' if days_only[0] else 'second'} number is always 1, so it is the day"
    elif all(one == other for one, other in zip(*sides, strict=True)):
        return "month first", []  # both readings agree
    else:
        cell = next(cell for cell, match in found if match["one"] != match["other"])
        raise EngramError(
            f"{path}, {cell}, which may have the day or the month first, and no other row decides; "
            f"{_ORDER}"
        )
    shown = "day/month/year" if order == "day first" else "month/day/year"
    return order, [f"Dates such as {found[0][0].text} are read as {shown}: {why}."]


def _parts(periods: Sequence[Period]) -> int:
    """Number of parts in a year, by the kind of period; days are grouped by month."""
    if periods[0].kind != "day":
        kind = periods[0].kind
        months = sorted({period.part for period in periods})
        if kind == "month":
            return _spacing(periods, months)
        return {"year": 1, "quarter": 4}[kind]
    return _spacing(periods, sorted({period.part for period in periods}))


def _spacing(periods: Sequence[Period], months: Sequence[int]) -> int:
    if len({period.year for period in periods}) == len(periods):
        return 1
    apart = [month - months[0] for month in months]
    return next(12 // gap for gap in (6, 3, 1) if not any(step % gap for step in apart))
