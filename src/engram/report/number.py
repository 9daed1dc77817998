"""Numbers as text: with their significant digits, and aligned within a column."""

import math
from collections.abc import Iterable, Sequence

from engram.report.item import Cell, Scalar

DIGITS = 4
"""Number of significant digits of a number without an interval."""
GAP = "–"
"""Text for a missing number."""
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def cell_text(cell: Cell) -> str:
    """Return a cell as text, independently of its column."""
    if cell is None:
        return GAP
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    return _number(cell, _places([cell]))


def column_text(cells: Sequence[Cell]) -> list[str]:
    """Return the cells of a column, (n), as text; all numbers have as many decimals."""
    if not is_numeric(cells):
        return [cell_text(cell) for cell in cells]
    numbers = [float(cell) for cell in cells if isinstance(cell, int | float)]
    places = _places(numbers)
    return [_number(cell, places) if isinstance(cell, int | float) else GAP for cell in cells]


def is_numeric(cells: Sequence[Cell]) -> bool:
    """Whether a column, (n), holds numbers and gaps only."""
    kinds = {type(cell) for cell in cells} - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def scalar_text(scalar: Scalar) -> tuple[str, str]:
    """Return a scalar's value and interval, rounded to two digits of half the interval's width."""
    if scalar.value is None or scalar.low is None or scalar.high is None:
        return cell_text(scalar.value), ""
    width = scalar.high - scalar.low
    places = max(0, 1 - _exponent(width / 2)) if width > 0 else _places([scalar.value])
    low, value, high = (_number(x, places) for x in (scalar.low, scalar.value, scalar.high))
    return value, f"{low} to {high}"


def _places(numbers: Iterable[float]) -> int:
    """Decimals for 4 digits of the largest number and 2 of the smallest, without trailing zeros."""
    sizes = [abs(number) for number in numbers if number]
    if not sizes:
        return 0
    wanted = max(DIGITS - 1 - _exponent(max(sizes)), 1 - _exponent(min(sizes)), 0)
    carried = max(_carried(size, wanted) for size in sizes)
    return min(wanted, carried)


def _carried(size: float, places: int) -> int:
    return len(f"{size:.{places}f}".partition(".")[2].rstrip("0"))


def _exponent(size: float) -> int:
    return math.floor(math.log10(size))


def _number(number: float, places: int) -> str:
    size = abs(number)
    if isinstance(number, float) and size and not (1e-4 <= size < 1e7 and places <= 7):
        mantissa, _, exponent = f"{size:.{DIGITS - 1}e}".partition("e")
        digits = mantissa.rstrip("0").rstrip(".")
        text = f"{digits} × 10{str(int(exponent)).translate(SUPERSCRIPT)}"
    else:
        text = f"{size:,}" if isinstance(size, int) and not places else f"{size:,.{places}f}"
        text = text.replace(",", "\u202f" if size >= 1e4 else "")
    return f"−{text}" if number < 0 else text
