"""The semantics of `functional` over all documents at once, in NumPy.

A position is one integer: its high bits are the document, its low bits the term in it, so that
relations between neighbours in a document need no loop over documents.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.policy.query.tree import (
    And,
    Between,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Phrase,
    is_wording,
)

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

_BITS = 32
"""Number of bits for the term's index in a document."""


class Spans(NamedTuple):
    """Spans of terms in documents, distinct, sorted by start and then by end.

    Args:
        start: Position of the first term, (n).
        end: Position after the last term, in the same document, (n).
    """

    start: Integers
    end: Integers

    @property
    def document(self) -> Integers:
        """The document of each span, (n)."""
        return self.start >> _BITS

    @property
    def first(self) -> Integers:
        """The first term of each, counted in its document, (n)."""
        return self.start & (1 << _BITS) - 1

    @property
    def last(self) -> Integers:
        """The last term of each, counted in its document, (n)."""
        return (self.end & (1 << _BITS) - 1) - 1


class Found(NamedTuple):
    """The matches of a query in some documents.

    Args:
        matched: Whether each document matches, (documents).
        spans: All spans of the query's words in matching documents.
    """

    matched: Mask
    spans: Spans


def place(document: Integers, first: Integers, length: int = 1) -> Spans:
    """Spans of one length.

    Args:
        document: The document of each, ascending, (n).
        first: The first term of each, ascending in a document, (n).
        length: How many terms each has.
    """
    start = (document.astype(np.int64) << _BITS) | first
    return Spans(start, start + length)


def evaluate(
    node: Node,
    size: int,
    locate: Callable[[Node], Spans],
    admit: Callable[[OneOf | Between], Mask],
) -> Found:
    """Evaluate a query in documents 0 to size - 1.

    Args:
        node: The query.
        size: Number of documents.
        locate: Returns the spans of a wording.
        admit: Returns which documents pass a filter, (size).
    """
    none = union([])
    if is_wording(node):
        spans = locate(node)
        matched = np.zeros(size, dtype=bool)
        matched[spans.document] = True
        return Found(matched, spans)
    match node:
        case OneOf() | Between():
            return Found(admit(node), none)
        case Not(part):
            return Found(~evaluate(part, size, locate, admit).matched, none)
        case And(parts):
            found = [evaluate(part, size, locate, admit) for part in parts]
            matched = reduce(np.logical_and, (x.matched for x in found), np.ones(size, dtype=bool))
            return Found(matched, restricted(union([x.spans for x in found]), matched))
        case Or(parts):
            found = [evaluate(part, size, locate, admit) for part in parts]
            matched = reduce(np.logical_or, (x.matched for x in found), np.zeros(size, dtype=bool))
            return Found(matched, union([x.spans for x in found]))
    raise AssertionError(node)


def compose(node: Node, placed: Mapping[Node, Spans]) -> Spans:
    """The spans of a wording from those of its parts.

    Args:
        node: The wording.
        placed: The spans of its terms and prefixes, or of larger parts.
    """
    if node in placed:
        return placed[node]
    match node:
        case Phrase(parts):
            return reduce(lambda a, b: ahead(a, b, 1), (compose(part, placed) for part in parts))
        case Near(left, right, distance, ordered):
            a, b = compose(left, placed), compose(right, placed)
            pairs = ahead(a, b, distance)
            return pairs if ordered else union([pairs, ahead(b, a, distance)])
        case Or(parts):
            return union([compose(part, placed) for part in parts])
    raise AssertionError(node)


def ahead(first: Spans, second: Spans, distance: int) -> Spans:
    """Join each of the first spans to each second one that starts within a distance of its end.

    Args:
        first: Spans.
        second: Spans.
        distance: One more than the maximum number of terms in between; 1 makes phrases.
    """
    low = np.searchsorted(second.start, first.end, side="left")
    high = np.searchsorted(second.start, first.end + (distance - 1), side="right")
    count = high - low
    i = np.repeat(np.arange(len(count)), count)
    j = np.arange(len(i)) + np.repeat(low - (np.cumsum(count) - count), count)
    return _distinct(first.start[i], second.end[j])


def union(parts: list[Spans]) -> Spans:
    """The distinct spans of all parts.

    Args:
        parts: Spans.
    """
    if len(parts) == 1:
        return parts[0]
    empty = np.empty(0, dtype=np.int64)
    return _distinct(
        np.concatenate([empty, *(part.start for part in parts)]),
        np.concatenate([empty, *(part.end for part in parts)]),
    )


def restricted(spans: Spans, documents: Mask) -> Spans:
    """Select the spans that lie in some documents.

    Args:
        spans: Spans.
        documents: Whether each document is one of them.
    """
    kept = documents[spans.document]
    return Spans(spans.start[kept], spans.end[kept])


def minimal(spans: Spans) -> Spans:
    """The occurrences: the spans that contain no other.

    Args:
        spans: Spans.
    """
    if not len(spans.start):
        return spans
    # A span contains one that starts later, or together with it and before it in this order,
    # if that one ends no later.
    later = np.minimum.accumulate(spans.end[::-1])[::-1]
    kept = np.append(later[1:] > spans.end[:-1], True)
    kept[1:] &= spans.start[1:] != spans.start[:-1]
    return Spans(spans.start[kept], spans.end[kept])


def coverage(occurrences: Spans, positions: Integers) -> Integers:
    """Count the occurrences that contain each position.

    Args:
        occurrences: Minimal spans.
        positions: Positions of terms, (n).
    """
    begun = np.searchsorted(occurrences.start, positions, side="right")
    return begun - np.searchsorted(occurrences.end, positions, side="right")


def _distinct(start: Integers, end: Integers) -> Spans:
    order = np.lexsort((end, start))
    start, end = start[order], end[order]
    if len(start) > 1:
        new = np.append(True, (np.diff(start) != 0) | (np.diff(end) != 0))
        start, end = start[new], end[new]
    return Spans(start, end)
