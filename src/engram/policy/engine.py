"""The interface of the engines that answer queries: what can be asked, and the answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from engram.errors import EngramError
from engram.index import Hits
from engram.policy.document import Document, searched
from engram.policy.query import AnyQuery
from engram.policy.query.tree import Leaf, written
from engram.policy.tally import DocumentCounts, Tally, check_grouping


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


class Page(NamedTuple):
    """A part of a list.

    Args:
        limit: Maximum number of entries.
        offset: Number of earlier entries to skip.
    """

    limit: int = 0
    offset: int = 0


_NOTHING = Page()


@dataclass(frozen=True)
class Question:
    """What is asked of a query, all of which one evaluation of the query answers.

    Args:
        by: Groupings of the tallies, each one of `GROUPINGS` or None for one group of all.
        each: Groupings of the counts of every document.
        hits: Which hits to return.
        passages: Which occurrences to show in context.
        width: Characters of text to the left and to the right of an occurrence.
        forms: Whether to count the forms of words.

    Raises:
        ValueError: If a grouping is unknown, or a limit or offset is negative.
    """

    by: tuple[str | None, ...] = ()
    each: tuple[str | None, ...] = ()
    hits: Page = _NOTHING
    passages: Page = _NOTHING
    width: int = 80
    forms: bool = False

    def __post_init__(self) -> None:
        for by in self.groupings:
            check_grouping(by)
        for page in (self.hits, self.passages):
            for name, value in page._asdict().items():
                if value < 0:
                    raise EngramError(f"{name} is {value}; it must not be negative")

    @property
    def groupings(self) -> tuple[str | None, ...]:
        """All groupings, each once."""
        return tuple(dict.fromkeys((*self.by, *self.each)))


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a question.

    Args:
        tallies: The tally by each grouping of `Question.by`.
        counts: The counts of every document by each grouping of `Question.each`.
        hits: A page of documents: most occurrences first, then by date, then by id; their scores
            are the occurrences, their total the matching documents.
        context: A page of occurrences, and their total.
        forms: The forms of each word, if they were asked for.
    """

    tallies: dict[str | None, Tally]
    counts: dict[str | None, DocumentCounts]
    hits: Hits
    context: Context
    forms: tuple[WordForms, ...] = ()


class Engine(ABC):
    """Answers queries over a set of documents; all engines give equal counts.

    A query is text in the language of `query.parse`, its tree, or a parsed `Query`. The text of a
    document is searched, or its title if it has no text.

    Args:
        notes: Notes about the record for the reader of any answer: duplicates, unfinished
            ingestions.
    """

    notes: tuple[str, ...] = ()

    @abstractmethod
    def answer(self, query: AnyQuery, question: Question) -> Answer:
        """Evaluate a query once, and answer all that is asked of it.

        Args:
            query: The query.
            question: What is asked.

        Raises:
            ValueError: If the query does not parse.
        """

    @abstractmethod
    def fetch(self, ids: Sequence[str]) -> list[Document]:
        """Return documents with their text.

        Args:
            ids: Their ids.

        Returns:
            The documents, in the order of the ids.

        Raises:
            ValueError: If there is no document with an id.
        """

    def tally(self, query: AnyQuery, by: str | None = "year") -> Tally:
        """Count documents and occurrences, with their denominators.

        Args:
            query: The query.
            by: One of `GROUPINGS`; None for one group of all, labelled None.
        """
        return self.answer(query, Question(by=(by,))).tallies[by]

    def per_document(self, query: AnyQuery, by: str | None = "year") -> DocumentCounts:
        """Count occurrences in every document that passes the filters.

        Args:
            query: The query.
            by: One of `GROUPINGS`; None for one group of all.
        """
        return self.answer(query, Question(each=(by,))).counts[by]

    def search(self, query: AnyQuery, limit: int = 10, offset: int = 0) -> Hits:
        """Find documents: most occurrences first, then by date, then by id.

        Args:
            query: The query.
            limit: Maximum number of hits.
            offset: Number of better hits to skip.
        """
        return self.answer(query, Question(hits=Page(limit, offset))).hits

    def context(
        self, query: AnyQuery, limit: int = 20, offset: int = 0, width: int = 80
    ) -> Context:
        """Show occurrences in the original text: keyword in context.

        Args:
            query: The query.
            limit: Maximum number of passages.
            offset: Number of earlier passages to skip.
            width: Characters of text to the left and to the right.
        """
        question = Question(passages=Page(limit, offset), width=width)
        return self.answer(query, question).context

    def forms(self, query: AnyQuery) -> tuple[WordForms, ...]:
        """Count the word forms that matched each word of the query that is not under NOT.

        A form is counted once for each occurrence that it is part of, so that the forms of a
        one-word query add up to its occurrences.

        Args:
            query: The query.
        """
        return self.answer(query, Question(forms=True)).forms


def passage(document: Document, start: int, end: int, width: int) -> Passage:
    """Cut an occurrence and its context out of a document.

    Args:
        document: The document.
        start: Where the occurrence starts in the searched text, in characters.
        end: Where it ends.
        width: Characters of text to the left and to the right.
    """
    text = searched(document)
    around = (text[max(0, start - width) : start], text[start:end], text[end : end + width])
    return Passage(document.id, document.date, document.title, document.url, *around, start, end)


def ranked_forms(counts: Mapping[Leaf, Mapping[str, int]]) -> tuple[WordForms, ...]:
    """Sort the counted forms of each word of a query by decreasing count.

    Args:
        counts: For each word of the query, in its order, the forms and their counts.
    """
    return tuple(
        WordForms(written(leaf), tuple(sorted(forms.items(), key=lambda x: (-x[1], x[0]))))
        for leaf, forms in counts.items()
    )
