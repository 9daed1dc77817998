"""Translate a query for Solr: which documents match, and how often it occurs in each.

No part of a query becomes syntax. Every word, name and day is sent as a request parameter of its
own (`w0`, `w1`, …), which the syntax refers to and Solr reads after parsing. Days and numbers are
formatted from dates and integers.

What Solr computes exactly, and where it only selects candidates:

    documents      terms, prefixes, phrases, filters, and AND, OR, NOT of these: exact
    occurrences    unions of terms, prefixes and phrases, `{groups}` in phrases included: exact,
                   as a sum over literal phrases none of which contains another
    NEAR, BEFORE   narrowed to the documents that have the words
    OR of ANDs     documents exact; occurrences counted by the matcher
    too much       more than `MOST` terms in its literal phrases or clauses, or more than
                   `WORDS_MOST` words with a prefix: narrowed down

A word in any inflection is the term of its stem, an exact word the term `stem=form` at the same
position. Where a query has both of one stem, the stem is replaced by its forms, so that no two
terms of its literal phrases stand at one position.

A phrase of m terms is counted by `payload_score`, which adds up 1 for each of its terms wherever
it stands; a term by `termfreq`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import product
from typing import NamedTuple

from engram.policy.analyzer import stem_of
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
    leaves,
    universe,
)
from engram.policy.solr.schema import TERMS, WORDS

MOST = 800
"""Maximum number of terms in literal phrases and clauses of a query; Solr's limit is 1024."""

WORDS_MOST = 20_000
"""Maximum number of single terms that are counted, which are no clauses."""

FORMS_MOST = 300
"""Maximum number of forms in phrases that are counted."""

EVERY = "*:*"

FIELD = {
    "type": "doc_type",
    "chamber": "chamber",
    "party": "party_key",
    "speaker": "speaker_key",
    "state": "state_key",
    "date": "date",
    "congress": "congress",
}
"""The Solr field of each filter."""

_LARGEST = 2**31 - 1

Literal = tuple[str, ...]
Expand = Callable[[Leaf, int], list[str]]
"""Looks up the index terms `stem=form` that match a word or prefix, up to a limit."""


class Matching(NamedTuple):
    """The documents of a node.

    Args:
        query: A query in Solr's syntax that finds them all.
        exact: Whether it finds no others.
    """

    query: str
    exact: bool


class Translation:
    """A query translated for Solr.

    Args:
        node: The query.
        expand: Looks up the forms of a stem and of a prefix.
    """

    def __init__(self, node: Node, expand: Expand) -> None:
        self.params: dict[str, str] = {}
        """Parameters that the syntax refers to."""
        self._expand, self._terms = expand, 0
        self._expanded: dict[Leaf, list[str]] = {}
        self.universe = self._documents(universe(node)).query
        """The documents that pass the filters."""
        self.documents, exact = self._documents(node)
        """The documents that match, or might if the translation is not exact."""
        found = literals(node, self._forms)
        self.literals = found or []
        """The literal phrases whose positions are the occurrences, if the translation is exact."""
        self.exact = exact and found is not None
        """Whether Solr counts alone; otherwise the matcher has to read each document's text."""
        self.occurrences = self._sum(found) if self.exact and found else None
        """A function query: occurrences of the query in a document; None if not expressible."""

    def name(self, text: str) -> str:
        """Add a parameter and return a reference to it.

        Args:
            text: What it holds.
        """
        name = f"w{len(self.params)}"
        self.params[name] = text
        return f"${name}"

    def _forms(self, leaf: Leaf) -> list[str] | None:
        if leaf not in self._expanded:
            self._expanded[leaf] = self._expand(leaf, WORDS_MOST + 1)
        found = self._expanded[leaf]
        return found if len(found) <= WORDS_MOST else None

    def count(self, literal: Literal) -> str:
        """A function query: occurrences of a literal phrase in a document.

        Args:
            literal: One of `literals`, or one made of them.
        """
        words = self.name(" ".join(literal))
        if len(literal) == 1:
            return f"termfreq({TERMS},{words})"
        scored = f"{{!payload_score f={TERMS} func=sum operator=phrase v={words}}}"
        return f"div(def(query({self.name(scored)}),0),{len(literal)})"

    def form_phrases(self) -> list[tuple[str, Literal]] | None:
        """Each form that can stand in an occurrence, and a phrase in whose place it does.

        Each occurrence of a phrase has one form at each of its words, so the forms of a word are
        counted by replacing it in the phrase by each of them.

        Returns:
            Forms as terms `stem=form`, with phrases; None if there are too many for one request.
        """
        found: list[tuple[str, Literal]] = []
        for literal in self.literals:
            for i, token in enumerate(literal):
                forms = [token] if "=" in token else self._forms(Term(token))
                if forms is None:
                    return None
                found += [(form, (*literal[:i], form, *literal[i + 1 :])) for form in forms]
        phrases = sum(len(phrase) > 1 for _, phrase in found)
        return found if phrases <= FORMS_MOST and len(found) <= WORDS_MOST else None

    def _documents(self, node: Node) -> Matching:  # noqa: PLR0911  one for each kind of node
        match node:
            case Term() | Exact():
                return self._leaf("term", TERMS, term(node))
            case Prefix(text):
                return self._leaf("prefix", WORDS, text)
            case Phrase():
                return self._phrase(node)
            case Near():
                return Matching(self._all(_sides(node)).query, False)
            case And(parts):
                return self._all(_opened(And, parts))
            case Or(parts):
                return self._any(list(_opened(Or, parts)))
            case Not(part):
                return self._none(self._documents(part))
            case OneOf(field, values):
                return Matching(self._parsed("terms", FIELD[field], "\n".join(values)), True)
            case Between(field, low, high):
                span = f"[{_end(low)} TO {_end(high)}]"
                return Matching(f"{{!lucene df={FIELD[field]} v={self.name(span)}}}", True)

    def _parsed(self, parser: str, field: str, text: str) -> str:
        separator = " separator='\\n'" if parser == "terms" else ""
        return f"{{!{parser} f={field}{separator} v={self.name(text)}}}"

    def _leaf(self, parser: str, field: str, text: str, terms: int = 1) -> Matching:
        self._terms += terms
        if self._terms > MOST:
            return Matching(EVERY, False)
        return Matching(self._parsed(parser, field, text), True)

    def _phrase(self, node: Phrase) -> Matching:
        found = literals(node, self._forms)
        if found is None or self._terms + sum(map(len, found)) > MOST:
            return Matching(self._all(node.parts).query, False)
        return self._some(
            [self._leaf("field", TERMS, " ".join(phrase), len(phrase)) for phrase in found]
        )

    def _all(self, parts: Iterable[Node]) -> Matching:
        found = [self._documents(part) for part in dict.fromkeys(parts)]
        kept = dict.fromkeys(part.query for part in found if part.query != EVERY)
        clauses = "".join(f" must={self.name(query)}" for query in kept)
        exact = all(part.exact for part in found)
        return Matching(f"{{!bool{clauses}}}" if clauses else EVERY, exact)

    def _any(self, parts: list[Node]) -> Matching:
        words = [term(part) for part in parts if isinstance(part, Term | Exact)]
        found = [self._documents(part) for part in parts if not isinstance(part, Term | Exact)]
        if words:  # one clause, however many they are
            found.append(self._leaf("terms", TERMS, "\n".join(words)))
        return self._some(found)

    def _some(self, found: list[Matching]) -> Matching:
        exact = all(part.exact for part in found)
        if any(part.query == EVERY for part in found):
            return Matching(EVERY, exact)
        clauses = "".join(f" should={self.name(part.query)}" for part in found)
        return Matching(f"{{!bool{clauses or f' must_not={self.name(EVERY)}'}}}", exact)

    def _none(self, part: Matching) -> Matching:
        if not part.exact:
            return Matching(EVERY, False)
        return Matching(f"{{!bool must={self.name(EVERY)} must_not={self.name(part.query)}}}", True)

    def _sum(self, found: list[Literal]) -> str:
        each = [self.count(literal) for literal in found]
        if len(each) == 1:
            return each[0]
        whole = self.name(f"sum({','.join(each)})")  # which a request refers to several times
        return f"sum({whole})"


def term(leaf: Term | Exact) -> str:
    """The index term that matches a word.

    Args:
        leaf: A word in any inflection, or one as it stands.
    """
    return leaf.text if isinstance(leaf, Term) else f"{stem_of(leaf.text)}={leaf.text}"


def literals(node: Node, expand: Callable[[Leaf], list[str] | None]) -> list[Literal] | None:
    """The literal phrases whose positions are the occurrences of a query in a matching document.

    Args:
        node: The query.
        expand: Looks up the terms `stem=form` of a word or prefix; None if there are too many.

    Returns:
        Phrases none of which contains another, so that the occurrences are exactly all their
        positions. None if the query cannot be expressed in this way.
    """
    found = _parted(_wordings(node, expand, sure=True), expand)
    distinct = set(found or ())
    in_phrases = sum(len(phrase) for phrase in distinct if len(phrase) > 1)
    if found is None or in_phrases > MOST or len(distinct) > WORDS_MOST:
        return None
    return sorted(phrase for phrase in distinct if not _parts(phrase) & distinct)


def _parted(
    found: list[Literal] | None, expand: Callable[[Leaf], list[str] | None]
) -> list[Literal] | None:
    """The phrases with each stem replaced by its forms if one of these also is in a phrase."""
    if found is None:
        return None
    mixed = {word.partition("=")[0] for phrase in found for word in phrase if "=" in word}
    parted: list[Literal] = []
    for phrase in found:
        choices = [expand(Term(word)) if word in mixed else [word] for word in phrase]
        chains = _chained([None if some is None else [(x,) for x in some] for some in choices])
        if chains is None:
            return None
        parted += chains
    return parted


def _wordings(  # noqa: PLR0911  one for each kind of node
    node: Node, expand: Callable[[Leaf], list[str] | None], sure: bool
) -> list[Literal] | None:
    """Phrases of a node that must match, or of one that may match."""
    match node:
        case Term() | Exact():
            return [(term(node),)]
        case Prefix():
            terms = expand(node)
            return None if terms is None else [(term,) for term in terms]
        case Phrase(parts):
            return _chained([_wordings(part, expand, sure) for part in parts])
        case Near():
            return None
        case And(parts) if not sure and any(True for part in parts for _ in leaves(part)):
            return None  # occurrences of its parts are counted only where all match
        case And(parts):
            return _united([_wordings(part, expand, sure) for part in parts])
        case Or(parts):
            return _united([_wordings(part, expand, False) for part in parts])
        case _:
            return []


def _united(parts: list[list[Literal] | None]) -> list[Literal] | None:
    if any(part is None for part in parts):
        return None
    return [phrase for part in parts if part is not None for phrase in part]


def _chained(parts: list[list[Literal] | None]) -> list[Literal] | None:
    count = 1
    for part in parts:
        if part is None:
            return None
        count *= len(part)
    if count > MOST:
        return None
    return [
        tuple(term for piece in chain for term in piece)
        for chain in product(*(part for part in parts if part is not None))
    ]


def _parts(phrase: Literal) -> set[Literal]:
    """All proper sub-phrases of a phrase."""
    size = len(phrase)
    return {phrase[start:end] for start in range(size) for end in range(start + 1, size + 1)} - {
        phrase
    }


def _opened(kind: type[And] | type[Or], parts: Iterable[Node]) -> Iterator[Node]:
    """The parts, with nested ones of the same kind flattened: Solr limits nesting."""
    for part in parts:
        if isinstance(part, kind):
            yield from _opened(kind, part.parts)
        else:
            yield part


def _sides(node: Node) -> Iterator[Node]:
    """The operands of proximity, with nested proximity flattened."""
    if isinstance(node, Near):
        yield from _sides(node.left)
        yield from _sides(node.right)
    else:
        yield node


def _end(end: date | int | None) -> str:
    """The end of a range in Solr's syntax."""
    match end:
        case None:
            return "*"
        case date():
            return f"{end.isoformat()}T00:00:00Z"
        case int():
            return str(min(max(end, -_LARGEST), _LARGEST))
