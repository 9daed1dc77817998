"""Coverage: how many documents of each type the record holds over time."""

from dataclasses import dataclass
from typing import NamedTuple

from engram.errors import EngramError
from engram.policy.document import DOC_TYPES
from engram.policy.engine import Engine
from engram.policy.measure.frequency import period_range
from engram.policy.measure.grouping import PERIODS
from engram.policy.query import And, AnyQuery, OneOf, parse, universe
from engram.policy.query.tree import EVERY
from engram.series import Series


class Part(NamedTuple):
    """The documents of one type in one period.

    Args:
        type: One of `DOC_TYPES`.
        period: The year, month ("1913-04") or Congress.
        documents: How many there are.
        tokens: Their terms.
        share_documents: Percentage of the period's documents; None where there are none.
        share_tokens: Percentage of its terms; None where there are none.
    """

    type: str
    period: int | str
    documents: int
    tokens: int
    share_documents: float | None
    share_tokens: float | None


@dataclass(frozen=True)
class Coverage:
    """The documents of a record over time.

    Args:
        by: One of `PERIODS`.
        periods: All periods from the first to the last.
        parts: Type after type, each in the order of the periods; types without documents are
            left out.
        notes: What a reader must know about the record.
    """

    by: str
    periods: tuple[int | str, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def types(self) -> list[str]:
        """The document types present, in the order of the schema."""
        return list(dict.fromkeys(part.type for part in self.parts))

    @property
    def gaps(self) -> list[int | str]:
        """Periods without documents."""
        filled = {part.period for part in self.parts if part.documents}
        return [period for period in self.periods if period not in filled]

    def of(self, doc_type: str) -> list[Part]:
        """Return the parts of a type.

        Args:
            doc_type: One of `types`.
        """
        return [part for part in self.parts if part.type == doc_type]

    def series(self) -> list[Series]:
        """The composition: each type's percentage of the terms, with None at gaps."""
        suffix = "-01" if self.by == "month" else ""
        index = [f"{period}{suffix}" if suffix else period for period in self.periods]
        axis = {"month": "date", "congress": "Congress"}.get(self.by, self.by)
        return [
            Series(name, index, [part.share_tokens for part in self.of(name)], axis, "% of tokens")
            for name in self.types
        ]


def coverage(engine: Engine, query: AnyQuery = EVERY, by: str = "year") -> Coverage:
    """Count the documents of each type by period.

    Args:
        engine: The engine that counts.
        query: Its filters select the documents; its words are ignored.
        by: One of `PERIODS`.

    Raises:
        ValueError: If the grouping is not a period, or the query does not parse.
    """
    if by not in PERIODS:
        raise EngramError(f"coverage is by period, not {by!r}; choose one of {', '.join(PERIODS)}")
    filters = universe(parse(query))
    whole = engine.tally(filters, by)
    periods = tuple(period_range(whole.groups, by))
    documents = dict(zip(whole.groups, whole.all_documents.tolist(), strict=True))
    tokens = dict(zip(whole.groups, whole.all_tokens.tolist(), strict=True))
    parts: list[Part] = []
    for name in DOC_TYPES:
        part = engine.tally(And((filters, OneOf("type", (name,)))), by)
        pairs = zip(part.all_documents.tolist(), part.all_tokens.tolist(), strict=True)
        found = dict(zip(part.groups, pairs, strict=True))
        if not found:
            continue
        for period in periods:
            some, terms = found.get(period, (0, 0))
            shares = (
                _percent(some, documents.get(period, 0)),
                _percent(terms, tokens.get(period, 0)),
            )
            parts.append(Part(name, period, some, terms, *shares))
    return Coverage(by, periods, tuple(parts), engine.notes)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
