"""The matcher, over the texts that Solr returns: what Solr cannot state exactly is counted here."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.policy import analyzer
from engram.policy.document import Document
from engram.policy.engine import searched
from engram.policy.query import functional, spans
from engram.policy.query.spans import Spans
from engram.policy.query.tree import Between, Node, OneOf, Prefix, Term, leaves


class Verified(NamedTuple):
    """What a query finds in some documents.

    Args:
        matched: Whether each document matches, (documents).
        occurrences: How often the query occurs in each, (documents).
        spans: Where, in all of them.
    """

    matched: NDArray[np.bool_]
    occurrences: NDArray[np.int64]
    spans: Spans

    def of(self, document: int) -> list[tuple[int, int]]:
        """The occurrences in one document: their first and last term, counted from 0.

        Args:
            document: Its place among the documents.
        """
        here = self.spans.document == document
        firsts, lasts = self.spans.first[here], self.spans.last[here]
        return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def verify(node: Node, documents: Sequence[Document]) -> Verified:
    """Count a query in documents by their texts and fields.

    Args:
        node: The query.
        documents: The documents.
    """
    texts = [analyzer.terms(searched(document)) for document in documents]
    placed: dict[Node, Spans] = {leaf: _place(leaf, texts) for leaf in set(leaves(node))}
    fields = [_fields(document) for document in documents]

    def admit(part: OneOf | Between) -> NDArray[np.bool_]:
        found = (functional.evaluate(part, (), values).matched for values in fields)
        return np.fromiter(found, dtype=np.bool_, count=len(fields))

    found = spans.evaluate(node, len(documents), lambda part: spans.compose(part, placed), admit)
    minimal = spans.minimal(found.spans)
    occurrences = np.bincount(minimal.document, minlength=len(documents)).astype(np.int64)
    return Verified(found.matched, occurrences, minimal)


def _place(leaf: Term | Prefix, texts: list[list[str]]) -> Spans:
    """Where a term or a prefix stands in the texts."""
    found = [_positions(leaf, terms) for terms in texts]
    document = np.repeat(np.arange(len(texts)), [len(places) for places in found])
    first = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=len(document))
    return spans.place(document, first)


def _positions(leaf: Term | Prefix, terms: list[str]) -> list[int]:
    if isinstance(leaf, Prefix):
        return [i for i, term in enumerate(terms) if term.startswith(leaf.text)]
    places, at = [], -1
    for _ in range(terms.count(leaf.text)):  # both count and index run at the speed of C
        at = terms.index(leaf.text, at + 1)
        places.append(at)
    return places


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
