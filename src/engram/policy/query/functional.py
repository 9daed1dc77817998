"""The semantics of a query, defined by brute force on one document.

A document is a list of words and a mapping of fields. A document *matches* a query or not, and the
query's words *occur* in it a number of times. Spans `(start, end)` of word positions say where:

    Term            each position whose word has the stem
    Exact           each position whose word has the form
    Prefix          each position whose folded form has the prefix
    Phrase          every chain of spans of its parts, each starting where the previous one ends
    Near            every pair of spans of left and right that do not overlap and are at most
                    `within` - 1 words apart, from the start of the first to the end of the second
    Or              the spans of the parts that match
    And             the spans of all parts, if all match
    Not, filters    none: they only match or not

The *occurrences* are the minimal spans: one that contains another is not counted. So "raise or
increase taxes" is one occurrence of `{raise, increase} NEAR/3 tax`, not two; "tax cut" is one of
`tax OR "tax cut"`, and no word is counted twice because it matches in two ways. The occurrences in
a set of documents are the sum over its documents.

References:
    Clarke, Cormack and Burkowski, "An algebra for structured text search and a framework for its
    implementation", The Computer Journal 38 (1995): minimal spans.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engram.policy.analyzer import Word
from engram.policy.query.tree import (
    And,
    Between,
    Exact,
    Leaf,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Phrase,
    Prefix,
    Term,
    key,
    leaves,
)

Span = tuple[int, int]


class Match(NamedTuple):
    """The matches of a query in a document.

    Args:
        matched: Whether the document matches the query.
        spans: All spans of the query's words; empty if the document does not match.
    """

    matched: bool
    spans: frozenset[Span]

    @property
    def occurrences(self) -> list[Span]:
        """The minimal spans, from left to right."""
        return minimal(self.spans)


def evaluate(node: Node, words: Sequence[Word], fields: Mapping[str, Any]) -> Match:
    """The matches of a query in a document.

    Args:
        node: The query.
        words: The words of the document, in order.
        fields: The values of the fields `tree.CHOICES` and `tree.RANGES`; None where unknown.

    Returns:
        Whether it matches, and the spans.
    """
    match node:
        case OneOf() | Between():
            return Match(admits(node, fields), frozenset())
        case Not(part):
            return Match(not evaluate(part, words, fields).matched, frozenset())
        case And(parts):
            found = [evaluate(part, words, fields) for part in parts]
            if not all(part.matched for part in found):
                return Match(False, frozenset())
            return Match(True, frozenset().union(*(part.spans for part in found)))
        case Or(parts):
            found = [evaluate(part, words, fields) for part in parts]
            spans = frozenset().union(*(part.spans for part in found))
            return Match(any(part.matched for part in found), spans)
        case _:
            spans = frozenset(_spans(node, words, fields))
            return Match(bool(spans), spans)


def finds(leaf: Leaf, word: Word) -> bool:
    """Whether a leaf of a query matches a word.

    Args:
        leaf: A term, an exact word or a prefix.
        word: A word of the text.
    """
    match leaf:
        case Term(text):
            return word.stem == text
        case Exact(text):
            return word.form == text
        case Prefix(text):
            return word.folded.startswith(text)


def forms(node: Node, words: Sequence[Word], fields: Mapping[str, Any]) -> dict[Leaf, Counter[str]]:
    """Count the word forms in the occurrences of a query in a document.

    Args:
        node: The query.
        words: The words of the document, in order.
        fields: The values of its fields.

    Returns:
        For each word of the query that is not under NOT: the forms that it matches in each
            occurrence, with counts.
    """
    found = evaluate(node, words, fields)
    counts: dict[Leaf, Counter[str]] = {leaf: Counter() for leaf in leaves(node, negated=False)}
    for start, end in found.occurrences:
        for leaf, counter in counts.items():
            counter.update(word.form for word in words[start:end] if finds(leaf, word))
    return counts


def admits(node: OneOf | Between, fields: Mapping[str, Any]) -> bool:
    """Whether a document passes a filter; it does not if its field is unknown.

    Args:
        node: The filter.
        fields: The values of the document's fields.
    """
    value = fields[node.field]
    if value is None:
        return False
    if isinstance(node, OneOf):
        return key(value) in node.values
    return (node.low is None or node.low <= value) and (node.high is None or value <= node.high)


def minimal(spans: Iterable[Span]) -> list[Span]:
    """Return the spans that contain no other, from left to right.

    Args:
        spans: Distinct spans.
    """
    spans = sorted(spans)
    return [
        (start, end)
        for start, end in spans
        if not any(
            start <= other[0] and other[1] <= end for other in spans if other != (start, end)
        )
    ]


def _spans(node: Node, words: Sequence[Word], fields: Mapping[str, Any]) -> Iterable[Span]:
    match node:
        case Term() | Exact() | Prefix():
            return [(i, i + 1) for i, word in enumerate(words) if finds(node, word)]
        case Phrase(parts):
            found = [evaluate(part, words, fields).spans for part in parts]
            chains = found[0]
            for spans in found[1:]:
                chains = {(a[0], b[1]) for a in chains for b in spans if a[1] == b[0]}
            return chains
        case Near(left, right, within, ordered):
            a = evaluate(left, words, fields).spans
            b = evaluate(right, words, fields).spans
            pairs = _ahead(a, b, within)
            return pairs if ordered else pairs | _ahead(b, a, within)
    raise AssertionError(node)


def _ahead(first: Iterable[Span], second: Iterable[Span], within: int) -> set[Span]:
    return {(a[0], b[1]) for a in first for b in second if 0 <= b[0] - a[1] < within}
