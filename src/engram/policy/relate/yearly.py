"""A yearly series: one value for each year of an unbroken span, and which were observed."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.series import Series

Floats = NDArray[np.float64]

MAX_GAP = 2
"""Maximum number of consecutive missing years that are interpolated; a longer gap ends the span."""
MIN_YEARS = 30
"""Minimum number of years for any statement about a relation in time."""
ROUNDING = 1e-9
"""Share of the largest value up to which changes are considered rounding errors."""
SMALLEST, LARGEST = 1e-100, 1e100
"""Range of magnitudes whose powers floating-point numbers can hold."""


@dataclass(frozen=True, eq=False)
class Yearly:
    """Values of consecutive years, without gaps.

    Args:
        name: What was measured.
        first: The first year.
        values: One finite number per year, (n).
        observed: Whether each value was observed; the others are interpolated linearly, (n).
        unit: Unit of the values.

    Raises:
        ValueError: If there are fewer than 30 years, the values never change, or their squares
            overflow or underflow.
    """

    name: str
    first: int
    values: Floats
    observed: NDArray[np.bool_]
    unit: str = ""

    def __post_init__(self) -> None:
        if len(self.values) < MIN_YEARS:
            raise EngramError(
                f"{self.name!r} has {len(self.values)} consecutive years; a relation needs "
                f"{MIN_YEARS}: use a longer series, or one without long gaps"
            )
        largest = float(np.abs(self.values).max())
        if np.ptp(self.values) <= ROUNDING * largest:
            shown = f"is always {self.values[0]:g}" if not np.ptp(self.values) else (
                f"stays within rounding of {self.values[0]:g}")  # fmt: skip
            raise EngramError(f"{self.name!r} never changes: it {shown}; leave it out")
        if not SMALLEST < largest < LARGEST:
            raise EngramError(
                f"{self.name!r} has values of magnitude {largest:.1e}, whose squares overflow or "
                f"underflow; use another unit"
            )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def last(self) -> int:
        """The last year."""
        return self.first + len(self) - 1

    def within(self, first: int, last: int) -> "Yearly":
        """Return the part from one year to another, both included.

        Raises:
            ValueError: If too few years are left.
        """
        start, stop = max(first - self.first, 0), max(last - self.first + 1, 0)
        return Yearly(
            self.name,
            max(first, self.first),
            self.values[start:stop],
            self.observed[start:stop],
            self.unit,
        )


def yearly(series: Series) -> Yearly:
    """Convert a series to its longest span without a gap of more than two years.

    Args:
        series: One value per year, on an axis of integers or dates.

    Raises:
        ValueError: If positions are not years, a year occurs twice, or too few are left.
    """
    known = {
        _year(position, series.name): float(value)
        for position, value in zip(series.index, series.values, strict=True)
        if value is not None
    }
    if len(known) < sum(value is not None for value in series.values):
        raise EngramError(f"{series.name!r} has two values in one year; give one value per year")
    if not known:
        raise EngramError(f"{series.name!r} holds no value; give a series with values by year")
    years = np.array(sorted(known))
    spans = np.split(years, np.flatnonzero(np.diff(years) > MAX_GAP + 1) + 1)
    span = max(spans, key=len)
    every = np.arange(span[0], span[-1] + 1)
    values = np.interp(every, span, [known[year] for year in span.tolist()])
    return Yearly(series.name, int(span[0]), values, np.isin(every, span), series.unit)


def overlap(one: Yearly, other: Yearly) -> tuple[Yearly, Yearly]:
    """Restrict two series to the years that they share.

    Args:
        one: A series.
        other: Another.

    Raises:
        ValueError: If they share too few years.
    """
    first, last = max(one.first, other.first), min(one.last, other.last)
    if last - first + 1 < MIN_YEARS:
        raise EngramError(
            f"{one.name!r} ({one.first}-{one.last}) and {other.name!r} ({other.first}-"
            f"{other.last}) share {max(last - first + 1, 0)} years; a relation needs {MIN_YEARS}"
        )
    return one.within(first, last), other.within(first, last)


def _year(position: object, name: str) -> int:
    if isinstance(position, str):
        try:
            return date.fromisoformat(position).year
        except ValueError:
            pass
    elif isinstance(position, int | float) and position == int(position):
        return int(position)
    raise EngramError(f"index of {name!r} holds {position!r}; give years, or ISO dates")
