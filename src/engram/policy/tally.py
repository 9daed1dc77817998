"""Counts of a query in groups of documents, and how counts are added up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.policy.presidents import presidencies

GROUPINGS = (
    *("year", "month", "congress", "type", "chamber", "party", "speaker", "state"),
    *("decade", "president"),
)
"""The groupings of a tally; the president is the one in office on the document's date."""

Label: TypeAlias = int | str | None
"""A group: a number for year and Congress, "1913-04" for a month, a name otherwise; None if the
documents have no value."""

Counts: TypeAlias = NDArray[np.int64]

_SUMS = ("documents", "occurrences", "all_documents", "all_tokens", "dispersion")


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of a query in each group of the documents that pass its filters.

    Args:
        by: One of `GROUPINGS`, or None for all documents together.
        groups: Labels of the groups that have documents, in order, None last, (g).
        documents: Documents that match, (g).
        occurrences: Occurrences in them, (g).
        all_documents: Documents that pass the filters, matching or not, (g).
        all_tokens: Their terms: the denominator of a rate, (g).
        dispersion: Sum over the admitted documents of k²/n, with k occurrences among n terms,
            documents of no terms left out, (g). With K and N the group's sums, the Pearson
            statistic of equal rates is N/K · dispersion − K.
    """

    by: str | None
    groups: tuple[Label, ...]
    documents: Counts
    occurrences: Counts
    all_documents: Counts
    all_tokens: Counts
    dispersion: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DocumentCounts:
    """Counts of a query in each document that passes its filters, in the engine's order.

    Args:
        by: The grouping, one of `GROUPINGS`, or None.
        groups: Labels of the groups, in order, (g).
        group: Index into them for each document, (n).
        matched: Whether each document matches, (n).
        occurrences: Occurrences in each, (n).
        tokens: Terms of each, (n).
    """

    by: str | None
    groups: tuple[Label, ...]
    group: Counts
    matched: NDArray[np.bool_]
    occurrences: Counts
    tokens: Counts


def check_grouping(by: str | None) -> None:
    """Raise if a grouping is unknown.

    Args:
        by: One of `GROUPINGS`, or None.

    Raises:
        ValueError: If it is neither.
    """
    if by is not None and by not in GROUPINGS:
        raise EngramError(f"cannot group by {by!r}; choose one of {', '.join(GROUPINGS)}")


def ordered(labels: set[Label], by: str | None) -> tuple[Label, ...]:
    """Sort labels in the order of a tally: presidencies by time, others ascending, None last.

    Args:
        labels: Numbers or names, and None.
        by: The grouping.
    """
    if by == "president":
        return tuple(name for _, name in presidencies() if name in labels)
    return tuple(sorted(labels, key=lambda label: (label is None, label)))


def summarise(counts: DocumentCounts) -> Tally:
    """Add up the counts of documents by group.

    Args:
        counts: Counts of every admitted document.
    """
    k, n = counts.occurrences.astype(np.float64), counts.tokens.astype(np.float64)
    shares = np.divide(k * k, n, out=np.zeros_like(k), where=n > 0)

    def total(weights: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(counts.group, weights, len(counts.groups)).astype(np.float64)

    return Tally(
        counts.by,
        counts.groups,
        documents=total(counts.matched).astype(np.int64),
        occurrences=total(k).astype(np.int64),
        all_documents=total(np.ones_like(k)).astype(np.int64),
        all_tokens=total(n).astype(np.int64),
        dispersion=total(shares),
    )


def join(parts: Sequence[DocumentCounts], by: str | None) -> DocumentCounts:
    """Put the counts of disjoint sets of documents one after another.

    Args:
        parts: The counts, of one grouping.
        by: The grouping.
    """
    groups = ordered({label for part in parts for label in part.groups}, by) if by else (None,)
    index = {label: i for i, label in enumerate(groups)}
    codes = [np.array([index[label] for label in part.groups], dtype=np.int64) for part in parts]

    def column(arrays: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([np.empty(0, dtype=np.int64), *arrays])

    return DocumentCounts(
        by,
        groups,
        group=column(code[part.group] for code, part in zip(codes, parts, strict=True)),
        matched=column(part.matched for part in parts).astype(np.bool_),
        occurrences=column(part.occurrences for part in parts),
        tokens=column(part.tokens for part in parts),
    )


def merge(tallies: Iterable[Tally], by: str | None) -> Tally:
    """Add up tallies of disjoint sets of documents.

    Args:
        tallies: The tallies, of one grouping.
        by: The grouping.
    """
    sums: dict[Label, NDArray[np.float64]] = {} if by else {None: np.zeros(len(_SUMS))}
    for tally in tallies:
        rows = np.stack([getattr(tally, name) for name in _SUMS], axis=1).astype(np.float64)
        for label, row in zip(tally.groups, rows, strict=True):
            sums[label] = sums[label] + row if label in sums else row
    groups = ordered(set(sums), by)
    total = np.array([sums[label] for label in groups]).reshape(len(groups), len(_SUMS))
    documents, occurrences, all_documents, all_tokens = total[:, :-1].T.astype(np.int64)
    return Tally(by, groups, documents, occurrences, all_documents, all_tokens, total[:, -1])
