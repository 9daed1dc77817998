"""The protocol of the engines that answer queries, and the counts that they return."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.index import Hits
from engram.policy.document import Document
from engram.policy.query.tree import Leaf, Node, written

GROUPINGS = ("year", "month", "congress", "type", "chamber", "party", "speaker", "state")
"""The groupings of a tally."""

Label: TypeAlias = int | str | None
"""A group: a number for year and Congress, "1913-04" for a month, a name otherwise; None if the
documents have no value."""

Counts: TypeAlias = NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class Passage:
    """An occurrence in its context.

    Args:
        id: Id of the document.
        date: Its date.
        title: Its title.
        url: Where a reader can open it.
        left: The text before the match, as it was written.
        match: The match, as it was written.
        right: The text after it.
        start: Where the match starts in the searched text, in characters.
        end: Where it ends.
    """

    id: str
    date: date
    title: str
    url: str | None
    left: str
    match: str
    right: str
    start: int
    end: int


@dataclass(frozen=True)
class Context:
    """A page of passages.

    Args:
        passages: By date, id, and place in the text.
        total: Total number of occurrences.
    """

    passages: tuple[Passage, ...]
    total: int


@dataclass(frozen=True)
class WordForms:
    """The word forms counted for a word of a query.

    Args:
        word: The word as written in the query: taxes, =taxes or tax*.
        forms: Each form in lower case with its count in the occurrences, by decreasing count, then
            alphabetically.
    """

    word: str
    forms: tuple[tuple[str, int], ...]

    def describe(self, most: int = 8) -> str:
        """Format the forms on one line, such as "tax: tax 2,900 · taxes 1,100".

        Args:
            most: Number of forms named; the others are summed.
        """
        parts = [f"{form} {count:,}" for form, count in self.forms[:most]]
        if rest := self.forms[most:]:
            parts.append(f"{len(rest):,} more forms {sum(count for _, count in rest):,}")
        return f"{self.word}: {' · '.join(parts) or 'none'}"


class Engine(Protocol):
    """Answers queries over a set of documents; all engines give equal counts.

    A query is text in the language of `query.parse`, or its tree. The text of a document is
    searched, or its title if it has no text.

    Args:
        notes: Notes about the record for the reader of any answer: duplicates, unfinished
            ingestions.
    """

    notes: tuple[str, ...]

    def tally(self, query: str | Node, by: str | None = "year") -> Tally:
        """Count documents and occurrences, with their denominators.

        Args:
            query: The query.
            by: One of `GROUPINGS`; None for one group of all, labelled None.

        Raises:
            ValueError: If the query does not parse, or the grouping is unknown.
        """
        ...

    def per_document(self, query: str | Node, by: str | None = "year") -> DocumentCounts:
        """Count occurrences in every document that passes the filters, for the bootstrap.

        Args:
            query: The query.
            by: One of `GROUPINGS`; None for one group of all.
        """
        ...

    def search(self, query: str | Node, limit: int = 10, offset: int = 0) -> Hits:
        """Find documents: most occurrences first, then by date, then by id.

        Args:
            query: The query.
            limit: Maximum number of hits.
            offset: Number of better hits to skip.

        Returns:
            The hits; their scores are the occurrences, their total the matching documents.
        """
        ...

    def context(
        self, query: str | Node, limit: int = 20, offset: int = 0, width: int = 80
    ) -> Context:
        """Show occurrences in the original text: keyword in context.

        Args:
            query: The query.
            limit: Maximum number of passages.
            offset: Number of earlier passages to skip.
            width: Characters of text to the left and to the right.
        """
        ...

    def forms(self, query: str | Node) -> tuple[WordForms, ...]:
        """Count the word forms that matched each word of the query that is not under NOT.

        A form is counted once for each occurrence that it is part of, so that the forms of a
        one-word query add up to its occurrences.

        Args:
            query: The query.
        """
        ...

    def fetch(self, ids: Sequence[str]) -> list[Document]:
        """Return documents with their text.

        Args:
            ids: Their ids.

        Returns:
            The documents, in the order of the ids.

        Raises:
            ValueError: If there is no document with an id.
        """
        ...


def searched(document: Document) -> str:
    """Return the searched text of a document: its title if it has no text.

    Args:
        document: The document.
    """
    return document.text or document.title


def ranked_forms(counts: Mapping[Leaf, Mapping[str, int]]) -> tuple[WordForms, ...]:
    """Sort the counted forms of each word of a query by decreasing count.

    Args:
        counts: For each word of the query, in its order, the forms and their counts.
    """
    return tuple(
        WordForms(written(leaf), tuple(sorted(forms.items(), key=lambda x: (-x[1], x[0]))))
        for leaf, forms in counts.items()
    )


def check_grouping(by: str | None) -> None:
    """Raise if a grouping is unknown.

    Args:
        by: One of `GROUPINGS`, or None.

    Raises:
        ValueError: If it is neither.
    """
    if by is not None and by not in GROUPINGS:
        raise EngramError(f"cannot group by {by!r}; choose one of {', '.join(GROUPINGS)}")


def ordered(labels: set[Label]) -> tuple[Label, ...]:
    """Sort labels in the order of a tally: ascending, None last.

    Args:
        labels: Numbers or names, and None.
    """
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
    groups = ordered(set(sums))
    total = np.array([sums[label] for label in groups]).reshape(len(groups), len(_SUMS))
    documents, occurrences, all_documents, all_tokens = total[:, :-1].T.astype(np.int64)
    return Tally(by, groups, documents, occurrences, all_documents, all_tokens, total[:, -1])


_SUMS = ("documents", "occurrences", "all_documents", "all_tokens", "dispersion")
