"""Values of filters: names, and ranges of days or of numbers of Congresses."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date
from difflib import get_close_matches
from typing import Any

from engram.policy.document import CHAMBERS, DOC_TYPES
from engram.policy.query import doubts
from engram.policy.query.query import QueryError
from engram.policy.query.tree import Between, key

KNOWN = {"type": DOC_TYPES, "chamber": CHAMBERS}
"""Fields with a fixed set of names."""

_DAY = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?$")
_NUMBER = re.compile(r"[0-9]{1,4}$")
_EXAMPLES = {"date": "1900..1950", "congress": "100..105"}


def read_name(field: str, text: str, start: int) -> str:
    """Read a name in a filter, normalised by `key`.

    Args:
        field: One of `CHOICES`.
        text: The name as written.
        start: Its position in the query.

    Raises:
        QueryError: If it is empty, or the field has a fixed set of names without it.
    """
    name = key(text)
    if not name:
        problem = f'{field}: lacks a name; write {field}:name or {field}:"a name"'
        raise QueryError(start, problem)
    known = KNOWN.get(field)
    if known and name not in known:
        near = get_close_matches(name, known, n=1) or [", ".join(known)]
        raise QueryError(start, f"no {field} is called {name!r}; write {near[0]}")
    return name


def read_range(field: str, text: str, start: int) -> Between:
    """Read the value of a range filter, such as 1900..1950.

    Args:
        field: "date" or "congress".
        text: The value.
        start: Its position in the query.

    Raises:
        QueryError: If it is not a range.
    """
    low, dots, high = text.partition("..")
    read: Callable[[str, int], tuple[Any, Any]] = _days if field == "date" else _numbers
    if meant := doubts.of_range(field, text):
        raise QueryError(start, f"{text!r} is not a value of {field}:; write {meant}")
    ends = [read(end, start) if end else (None, None) for end in (low, high)]
    if not low and not high:
        raise QueryError(start, f"{field}: lacks a value; write {field}:{_EXAMPLES[field]}")
    first: Any = ends[0][0]
    last: Any = ends[1][1] if dots else ends[0][1]
    if first is not None and last is not None and first > last:
        raise QueryError(start, f"the range ends at {last}, before {first}; swap its ends")
    return Between(field, first, last)


def _days(text: str, start: int) -> tuple[date, date]:
    """The first and the last day of a year, a month or a day."""
    problem = f"{text!r} is not a date; write 1913, 1913-04, 1913-04-01, or a range, 1900..1950"
    found = _DAY.match(text)
    if not found:
        raise QueryError(start, problem)
    year, month, day = (int(part) if part else 0 for part in found.groups())
    last_month = month or 12
    try:
        last_day = day or monthrange(year, last_month)[1]
        return date(year, month or 1, day or 1), date(year, last_month, last_day)
    except ValueError:
        raise QueryError(start, problem) from None


def _numbers(text: str, start: int) -> tuple[int, int]:
    if not _NUMBER.match(text):
        problem = f"{text!r} is not the number of a Congress; write 105, or a range, 100..105"
        raise QueryError(start, problem)
    return int(text), int(text)
