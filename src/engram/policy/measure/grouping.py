"""Groupings of counts: the engines' own, decades, and presidents' terms of office."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np

from engram.errors import EngramError
from engram.policy.engine import Engine
from engram.policy.presidents import presidents
from engram.policy.query import And, Node, parse
from engram.policy.query.tree import Between
from engram.policy.tally import (
    GROUPINGS,
    DocumentCounts,
    Label,
    Tally,
    check_grouping,
    merge,
    ordered,
)

PERIODS = ("year", "month", "congress", "decade")
"""Groupings by time, in which a period without documents is a gap."""

GROUPS = (*GROUPINGS, "decade", "president")
"""All groupings; the president is the one in office on the document's date."""

ALONG = (*PERIODS, "president")
"""Groupings whose groups are consecutive in time."""

BEFORE = "before 30 April 1789"
"""The group of documents from before the first president."""


def check_group(by: str | None) -> None:
    """Raise if a grouping is unknown.

    Args:
        by: One of `GROUPS`, or None.

    Raises:
        ValueError: If it is neither.
    """
    if by not in GROUPS:
        try:
            check_grouping(by)
        except ValueError as error:
            raise EngramError(
                f"cannot group by {by!r}; choose one of {', '.join(GROUPS)}"
            ) from error


def tally(engine: Engine, query: str | Node, by: str | None) -> Tally:
    """Count documents and occurrences by any of `GROUPS`.

    Args:
        engine: The engine that counts.
        query: The query.
        by: One of `GROUPS`; None for one group of all.

    Raises:
        ValueError: If the query does not parse, or the grouping is unknown.
    """
    check_group(by)
    if by == "decade":
        return _decades(engine.tally(query, "year"))
    if by == "president":
        parts = [(name, engine.tally(part, None)) for name, part in _terms(engine, query)]
        kept = [(name, one) for name, one in parts if one.all_documents.sum()]
        columns = ("documents", "occurrences", "all_documents", "all_tokens", "dispersion")
        return Tally(
            by,
            tuple(name for name, _ in kept),
            *(_joined([getattr(one, column) for _, one in kept]) for column in columns),
        )
    return engine.tally(query, by)


def per_document(engine: Engine, query: str | Node, by: str | None) -> DocumentCounts:
    """Count occurrences in every document that the filters admit, by any of `GROUPS`.

    Args:
        engine: The engine that counts.
        query: The query.
        by: One of `GROUPS`; None for one group of all.

    Raises:
        ValueError: If the query does not parse, or the grouping is unknown.
    """
    check_group(by)
    if by == "decade":
        counts = engine.per_document(query, "year")
        labels = [_decade(label) for label in counts.groups]
        groups = ordered(set(labels))
        place = np.array([groups.index(label) for label in labels], dtype=np.int64)
        return DocumentCounts(
            by, groups, place[counts.group], counts.matched, counts.occurrences, counts.tokens
        )
    if by == "president":
        parts = [(name, engine.per_document(part, None)) for name, part in _terms(engine, query)]
        kept = [(name, one) for name, one in parts if len(one.tokens)]
        groups = [np.full(len(one.tokens), g, dtype=np.int64) for g, (_, one) in enumerate(kept)]
        return DocumentCounts(
            by,
            tuple(name for name, _ in kept),
            _joined(groups).astype(np.int64),
            _joined([one.matched for _, one in kept]).astype(bool),
            *(_joined([getattr(one, c) for _, one in kept]) for c in ("occurrences", "tokens")),
        )
    return engine.per_document(query, by)


def group_text(group: int | str, by: str | None) -> str:
    """The label of a group: decade 1980 is "1980s".

    Args:
        group: The group.
        by: The grouping.
    """
    return f"{group}s" if by == "decade" and isinstance(group, int) else str(group)


def within(query: str | Node, first: date | None, last: date | None) -> Node:
    """Restrict a query to documents of a range of days.

    Args:
        query: The query.
        first: The first day; None for no limit.
        last: The last day; None for no limit.
    """
    return And((parse(query), Between("date", first, last)))


def _terms(engine: Engine, query: str | Node) -> Iterator[tuple[str, Node]]:
    """The query restricted to each presidency that the record covers."""
    years = [int(label) for label in engine.tally(query, "year").groups if label is not None]
    if not years:
        return
    stays = presidents()
    if years[0] <= stays[0][0].start.year:
        yield BEFORE, within(query, None, stays[0][0].start - timedelta(days=1))
    for stay, one in stays:
        last = None if stay.end is None else stay.end - timedelta(days=1)
        if years[-1] >= stay.start.year and (last is None or years[0] <= last.year):
            end = "" if stay.end is None else stay.end.year
            span = f"{stay.start.year}" if end == stay.start.year else f"{stay.start.year}–{end}"
            yield f"{one.name}, {span}", within(query, stay.start, last)


def _decades(years: Tally) -> Tally:
    single = (
        Tally(
            "decade",
            (_decade(label),),
            years.documents[g : g + 1],
            years.occurrences[g : g + 1],
            years.all_documents[g : g + 1],
            years.all_tokens[g : g + 1],
            years.dispersion[g : g + 1],
        )
        for g, label in enumerate(years.groups)
    )
    return merge(single, "decade")


def _decade(year: Label) -> Label:
    return None if year is None else int(year) // 10 * 10


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
