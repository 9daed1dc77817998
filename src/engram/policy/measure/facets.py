"""Facets: a query broken down by fields, and the groups with the most occurrences."""

from collections.abc import Sequence
from dataclasses import replace

from engram.errors import EngramError
from engram.policy.engine import Answer, Engine
from engram.policy.measure.frequency import Frequency, frequency_of
from engram.policy.measure.measurement import Measurement
from engram.policy.query import Query, read


def facets(
    engine: Engine,
    query: str | Query,
    fields: Sequence[str] = ("type", "chamber", "party"),
    measure: str = "per-million",
    limit: int = 10,
) -> dict[str, Frequency]:
    """Break a query down by fields, the groups with the most occurrences first.

    Args:
        engine: The engine that counts.
        query: The query.
        fields: Some of `GROUPINGS`.
        measure: A key of `UNITS`.
        limit: Maximum number of groups per field.

    Returns:
        One frequency per field, without groups in which the query does not match.

    Raises:
        ValueError: If a setting is unknown, or the query does not parse.
    """
    if limit < 1:
        raise EngramError(f"limit is {limit}; give at least 1 group per field")
    how, query = Measurement(measure), read(query)
    return facets_of(engine, query, engine.answer(query, how.question(*fields)), fields, how, limit)


def facets_of(
    engine: Engine,
    query: Query,
    answer: Answer,
    fields: Sequence[str],
    how: Measurement,
    limit: int = 10,
) -> dict[str, Frequency]:
    """The same from an answer with a tally by each of the fields.

    Args:
        engine: The engine that counted.
        query: The query.
        answer: Its answer.
        fields: Some of the groupings of its tallies.
        how: What is measured.
        limit: Maximum number of groups per field.
    """
    named, answers = {query.text: query}, {query.text: answer}
    found = {field: frequency_of(engine, named, answers, field, how) for field in fields}
    return {field: _foremost(one, limit) for field, one in found.items()}


def foremost(answer: Frequency, limit: int | None) -> Frequency:
    """Keep the groups with the most occurrences, in their present order.

    Args:
        answer: What was measured.
        limit: Maximum number of groups; None keeps all.

    Returns:
        The answer with a note on how many groups are left out.

    Raises:
        ValueError: If the limit is below 1.
    """
    if limit is None:
        return answer
    if limit < 1:
        raise EngramError(f"limit is {limit}; give at least 1 group")
    totals: dict[int | str, int] = {}
    for row in answer.rows:
        totals[row.group] = totals.get(row.group, 0) + row.occurrences
    if len(totals) <= limit:
        return answer
    kept = set(sorted(totals, key=lambda group: -totals[group])[:limit])
    note = f"{limit} of {len(totals)} groups, those with the most occurrences."
    rows = tuple(row for row in answer.rows if row.group in kept)
    return replace(answer, rows=rows, notes=(*answer.notes, note))


def _foremost(one: Frequency, limit: int) -> Frequency:
    rows = sorted(
        (row for row in one.rows if row.documents),
        key=lambda row: (-row.occurrences, -row.documents),
    )
    notes = one.notes
    if len(rows) > limit:
        notes += (f"{len(rows) - limit} more groups have occurrences.",)
    return replace(one, rows=tuple(rows[:limit]), notes=notes)
