"""The protocol of the engines that answer queries, and the passages that they return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from engram.index import Hits
from engram.policy.document import Document
from engram.policy.query.tree import Leaf, Node, written
from engram.policy.tally import DocumentCounts, Tally


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


def ranked_forms(counts: Mapping[Leaf, Mapping[str, int]]) -> tuple[WordForms, ...]:
    """Sort the counted forms of each word of a query by decreasing count.

    Args:
        counts: For each word of the query, in its order, the forms and their counts.
    """
    return tuple(
        WordForms(written(leaf), tuple(sorted(forms.items(), key=lambda x: (-x[1], x[0]))))
        for leaf, forms in counts.items()
    )
