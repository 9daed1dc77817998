"""The language of tax increases and decreases: its wordings, its counts, and its rates."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engram.policy.engine import Engine
from engram.policy.measure.interval import Dispersion, dispersion, quasi_poisson
from engram.policy.tally import Tally
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
    """A tally as JSON-compatible lists.

    Args:
        groups: Years, or Congresses.
        occurrences: Occurrences in each.
        matching: Documents that have an occurrence.
        documents: All documents.
        tokens: All terms of these documents.
        dispersion: Sums of k² / n over the documents.
    """

    groups: list[int]
    occurrences: list[int]
    matching: list[int]
    documents: list[int]
    tokens: list[int]
    dispersion: list[float]

    def spread(self, by: str) -> Dispersion | None:
        """Return the overdispersion of the counts; None if it cannot be estimated.

        Args:
            by: "year" or "congress".
        """
        columns = (self.matching, self.occurrences, self.documents, self.tokens)
        matching, occurrences, documents, tokens = (
            np.array(column, dtype=np.int64) for column in columns
        )
        squares = np.array(self.dispersion, dtype=np.float64)
        groups = tuple(self.groups)
        counted = Tally(by, groups, matching, occurrences, documents, tokens, squares)
        return dispersion(counted, along=True)


def count(engine: Engine, term: str, doc_type: str, by: str) -> dict[str, Any]:
    """Count a term in the documents of a type.

    Args:
        engine: Answers the query.
        term: One of `TERMS`.
        doc_type: The type of the documents.
        by: "year" or "congress".
    """
    return as_counts(engine.tally(f"type:{doc_type} ({TERMS[term]})", by=by))._asdict()


def as_counts(tally: Tally) -> Counts:
    """A tally as lists.

    Args:
        tally: By year or Congress.
    """
    return Counts(
        [int(label) for label in tally.groups if label is not None],
        *(
            column[: len(tally.groups) - (None in tally.groups)].tolist()
            for column in (
                tally.occurrences,
                tally.documents,
                tally.all_documents,
                tally.all_tokens,
                tally.dispersion,
            )
        ),
    )


def rates(name: str, counts: Counts, by: str) -> Series:
    """Occurrences per million words, with the 95% intervals of a quasi-Poisson count.

    Args:
        name: Name of the series.
        counts: Counts by group.
        by: "year" or "congress".
    """
    tokens = np.array(counts.tokens, dtype=np.float64)
    kept = tokens > 0
    k, scale = np.array(counts.occurrences, dtype=np.float64), MILLION / tokens[kept]
    spread = counts.spread(by)
    low, high = (None, None) if spread is None else quasi_poisson(k, spread)
    return Series(
        name,
        [group for group, words in zip(counts.groups, counts.tokens, strict=True) if words],
        k[kept] * scale,
        axis=by,
        unit="per million words",
        low=None if low is None else low[kept] * scale,
        high=None if high is None else high[kept] * scale,
    )
