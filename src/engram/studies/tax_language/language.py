"""The language of tax increases and decreases: its wordings, its counts, and its rates."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from engram.policy.engine import Engine
from engram.policy.measure import Measurement, Row, dispersion
from engram.policy.measure.frequency import frequency_of
from engram.policy.query import read
from engram.series import Series

MILLION = 1_000_000
_TAXES = "{tax, taxes, taxation, duty, duties, tariff, excise}"

TERMS: dict[str, str] = {
    "INCREASE": f"{{raise, increase, new, higher, impose, hike}} NEAR/3 {_TAXES} "
    'OR "tax {increase, hike}"',
    "DECREASE": f"{{cut, reduce, lower, repeal, relieve, remit}} NEAR/3 {_TAXES} "
    'OR "tax {cut, reduction, relief}"',
}
"""Queries by term: a verb within three words of a tax, or a fixed phrase."""

WORDINGS: dict[str, Sequence[str]] = {
    "INCREASE": ("raise the {}", "higher {}", "impose a new {}", "increase of {}"),
    "DECREASE": ("cut the {}", "reduce {}", "repeal of the {}", "lower {}"),
}
"""Phrases of each term for a generated record."""


class Counts(NamedTuple):
    """How often a term occurs.

    Args:
        year: Its occurrences by year, with 95% intervals of a quasi-Poisson count.
        congress: The same by Congress.
        dispersion: Variance over mean among the documents of a Congress; None if it cannot be
            estimated.
    """

    year: list[Row]
    congress: list[Row]
    dispersion: float | None

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Self:
        """Restore the counts from their JSON-compatible form.

        Args:
            stored: What `count` returned.
        """
        year, congress = ([Row(*row) for row in stored[by]] for by in ("year", "congress"))
        return cls(year, congress, stored["dispersion"])


def count(engine: Engine, term: str, doc_type: str) -> dict[str, Any]:
    """Count a term in the documents of a type.

    Args:
        engine: Answers the query.
        term: One of `TERMS`.
        doc_type: The type of the documents.

    Returns:
        The `Counts`, in JSON-compatible form.
    """
    how, query = Measurement("count"), read(f"type:{doc_type} ({TERMS[term]})")
    answer = engine.answer(query, how.question("year", "congress"))
    year, congress = (
        list(frequency_of(engine, {term: query}, {term: answer}, by, how).rows)
        for by in ("year", "congress")
    )
    spread = dispersion(answer.tallies["congress"], along=True)
    return Counts(year, congress, None if spread is None else spread.common)._asdict()


def rates(name: str, rows: Sequence[Row], by: str) -> Series:
    """Occurrences per million words, with their intervals, where there are words.

    Args:
        name: Name of the series.
        rows: Counts by group.
        by: "year" or "congress".
    """
    kept = [row for row in rows if row.all_tokens]
    scales = [MILLION / row.all_tokens for row in kept]
    values, low, high = (
        [None if end is None else end * scale for end, scale in zip(ends, scales, strict=True)]
        for ends in ([getattr(row, column) for row in kept] for column in ("value", "low", "high"))
    )
    known = any(end is not None for end in low)
    return Series(
        name,
        [row.group for row in kept],
        values,
        axis=by,
        unit="per million words",
        low=low if known else None,
        high=high if known else None,
    )
