"""The matcher over texts that Solr returns, for queries that Solr cannot count exactly."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.policy import analyzer
from engram.policy.analyzer import Word
from engram.policy.document import Document, searched
from engram.policy.query import functional, spans
from engram.policy.query.spans import Spans
from engram.policy.query.tree import Between, Leaf, Node, OneOf, Term, leaves


class Verified(NamedTuple):
    """The matches of a query in some documents.

    Args:
        matched: Whether each document matches, (documents).
        occurrences: How often the query occurs in each, (documents).
        spans: Their positions, in all documents.
    """

    matched: NDArray[np.bool_]
    occurrences: NDArray[np.int64]
    spans: Spans

    def of(self, document: int) -> list[tuple[int, int]]:
        """Return the occurrences in one document: their first and last term, counted from 0."""
        here = self.spans.document == document
        firsts, lasts = self.spans.first[here], self.spans.last[here]
        return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def verify(node: Node, documents: Sequence[Document]) -> Verified:
    """Count a query in documents by their texts and fields."""
    placed = _placed(set(leaves(node)), documents)
    fields = [_fields(document) for document in documents]

    def admit(part: OneOf | Between) -> NDArray[np.bool_]:
        found = (functional.evaluate(part, (), values).matched for values in fields)
        return np.fromiter(found, dtype=np.bool_, count=len(fields))

    found = spans.evaluate(node, len(documents), lambda part: spans.compose(part, placed), admit)
    minimal = spans.minimal(found.spans)
    occurrences = np.bincount(minimal.document, minlength=len(documents)).astype(np.int64)
    return Verified(found.matched, occurrences, minimal)


def _placed(wanted: set[Leaf], documents: Sequence[Document]) -> dict[Node, Spans]:
    """Positions of each leaf of a query in some documents, in one pass over their words."""
    stems = {leaf.text: leaf for leaf in wanted if isinstance(leaf, Term)}
    others = wanted - set(stems.values())
    found: dict[Leaf, tuple[list[int], list[int]]] = {leaf: ([], []) for leaf in wanted}
    for number, document in enumerate(documents):
        text = searched(document)
        for place_, stem in enumerate(analyzer.terms(text) if stems else ()):
            if stem in stems:
                numbers, places = found[stems[stem]]
                numbers.append(number)
                places.append(place_)
        if others:
            for leaf, places in _positions(others, analyzer.words(text)):
                found[leaf][0].extend([number] * len(places))
                found[leaf][1].extend(places)
    return {
        leaf: spans.place(np.array(numbers, dtype=np.int64), np.array(places, dtype=np.int64))
        for leaf, (numbers, places) in found.items()
    }


def _positions(leaves: set[Leaf], words: Sequence[Word]) -> Iterator[tuple[Leaf, list[int]]]:
    """Positions of exact words and prefixes; each form is compared once."""
    places: dict[Word, list[int]] = {}
    for i, word in enumerate(words):
        places.setdefault(word, []).append(i)
    for leaf in leaves:
        found = (at for word, at in places.items() if functional.finds(leaf, word))
        yield leaf, sorted(chain.from_iterable(found))


def _fields(document: Document) -> dict[str, object]:
    return {
        "type": document.doc_type,
        "chamber": document.chamber,
        "party": document.party,
        "speaker": document.speaker,
        "state": document.state,
        "date": document.date,
        "congress": document.congress,
    }
