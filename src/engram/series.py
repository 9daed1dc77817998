"""Series: values along one axis, with a unit and an optional interval."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

import numpy as np

from engram.errors import EngramError

Numbers = Sequence[float | None] | np.ndarray
"""Accepted types of values of a series, which stores them as a tuple."""


def finite(value: Any, what: str) -> int | float | None:
    """Turn a Python, NumPy or zero-dimensional number into a plain finite one; None stays None.

    Args:
        value: The number, or None for a gap.
        what: What the number is, for the message of the error.

    Returns:
        The same number as an int or a float, or None.

    Raises:
        ValueError: If the value is not a number or not finite.
    """
    plain = value.item() if hasattr(value, "item") else value
    if plain is None:
        return None
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise EngramError(f"{what} is {value!r}; give a number, or None for a gap")
    if not math.isfinite(plain):
        raise EngramError(f"{what} is {plain}; give a finite number, or None for a gap")
    return plain


def bracket(low: float | None, value: float | None, high: float | None, what: str) -> None:
    """Check that an interval holds its value.

    Args:
        low: Lower end, or None.
        value: The estimate, or None.
        high: Upper end, or None.
        what: What the value is, for the message of the error.

    Raises:
        ValueError: If one end is missing, or low <= value <= high does not hold.
    """
    if (low is None) != (high is None):
        raise EngramError(
            f"{what} has one end of an interval ({low}, {high}); give both or neither"
        )
    if low is None or high is None:
        return
    if value is None or not low <= value <= high:
        raise EngramError(f"{what} is {value}, outside its interval [{low}, {high}]")


@dataclass(frozen=True)
class Series:
    """Values along one axis.

    Args:
        name: What was measured; unique within a report.
        index: Positions on the axis, (n): numbers, category names, or ISO dates on axis "date".
        values: Finite numbers, (n); None marks a gap. Arrays become tuples.
        axis: What the index counts: "step", "T", "N", "date", "depth", "pulse", "lambda", ...
        unit: Unit of the values; empty when they have none.
        index_unit: Unit of the index; empty when it has none.
        low: Lower ends of an interval about each value, (n), with None at gaps.
        high: Upper ends of it, (n).
        volatile: Whether a rerun with the same seed may differ, as timings do; kept out of
            the fingerprint of a report.

    Raises:
        ValueError: If lengths differ, a number is not finite, a date is not ISO, index kinds
            mix, or a value lies outside its interval.
    """

    name: str
    index: Sequence[float | str] | np.ndarray
    values: Numbers
    axis: str = "step"
    unit: str = ""
    index_unit: str = ""
    low: Numbers | None = None
    high: Numbers | None = None
    volatile: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise EngramError("a series has no name; say what was measured")
        self._freeze("index", tuple(self._position(position) for position in self.index))
        if len({isinstance(position, str) for position in self.index}) > 1:
            raise EngramError(f"index of {self.name!r} mixes numbers and names; give one kind")
        for field in ("values", "low", "high"):
            numbers = getattr(self, field)
            if numbers is None:
                continue
            what = f"{field} of {self.name!r}"
            self._freeze(field, tuple(finite(number, what) for number in numbers))
            if len(getattr(self, field)) != len(self.index):
                raise EngramError(
                    f"{what} has {len(numbers)} entries for {len(self.index)} of the index; "
                    "give one each"
                )
        if (self.low is None) != (self.high is None):
            raise EngramError(f"{self.name!r} has one end of its interval; give low and high")
        if self.low is not None and self.high is not None:
            for low, value, high in zip(self.low, self.values, self.high, strict=True):
                bracket(low, value, high, f"a value of {self.name!r}")

    def _freeze(self, field: str, value: tuple[Any, ...]) -> None:
        object.__setattr__(self, field, value)

    def _position(self, position: Any) -> int | float | str:
        if self.axis == "date":
            try:
                return date.fromisoformat(str(position)).isoformat()
            except ValueError:
                raise EngramError(
                    f"index of {self.name!r} holds {position!r}; give ISO dates such as 2024-05-31"
                ) from None
        if isinstance(position, str):
            return str(position)
        number = finite(position, f"index of {self.name!r}")
        if number is None:
            raise EngramError(f"index of {self.name!r} holds None; drop that entry")
        return number

    def __len__(self) -> int:
        return len(self.index)

    def to_dict(self) -> dict[str, Any]:
        """Return the series as a dictionary that JSON can hold."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Self:
        """Return the series that `to_dict` wrote, validated again."""
        return cls(**entries)
