"""The tree of a query, returned by the parser and translated by both engines.

`Term`, `Exact`, `Prefix`, `Phrase`, `Near`, and `Or` over these, are *wordings*: they have
positions in the text. `OneOf` and `Between` are *filters*: they test a document's fields and have
no positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

CHOICES = ("type", "chamber", "party", "speaker", "state")
"""Fields that a filter compares with names."""

RANGES = ("date", "congress")
"""Fields that a filter compares with the ends of a range."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word in any inflection: equal to the stem of a word of the text.

    Args:
        text: The stem, as returned by `analyzer.terms` for one word.
        shown: The word as written in the query; it is ignored when trees are compared.
    """

    text: str
    shown: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Exact:
    """An exact word, except for case: equal to the form of a word of the text.

    Args:
        text: The form, as returned by `analyzer.words` for one word.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a word: `tax*` matches each word that begins with "tax".

    Args:
        text: The beginning in folded form: lower case and without diacritics.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Directly consecutive wordings; an `Or` among them is a group of alternatives.

    Args:
        parts: Two or more of `Term`, `Exact`, `Prefix`, `Phrase`, or `Or` of these.
    """

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Near:
    """Two wordings at most `within` terms apart, where 1 is adjacent; they never overlap.

    Args:
        left: A wording.
        right: A wording.
        within: One more than the maximum number of terms between the end of one and the start of
            the other.
        ordered: Whether left must come first.
    """

    left: "Node"
    right: "Node"
    within: int
    ordered: bool


@dataclass(frozen=True, slots=True)
class And:
    """Documents that match all of the parts; with no parts, every document.

    Args:
        parts: Any nodes.
    """

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Documents that match at least one of the parts; with no parts, no document.

    Args:
        parts: Any nodes.
    """

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Documents that do not match the part.

    Args:
        part: Any node.
    """

    part: "Node"


@dataclass(frozen=True, slots=True)
class OneOf:
    """Documents in which a field has one of these names.

    Args:
        field: One of `CHOICES`.
        values: The names, each normalised by `key`.
    """

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Documents in which a field lies in a range, ends included.

    Args:
        field: One of `RANGES`; "date" has days as its ends, "congress" numbers.
        low: The lower end; None for no limit.
        high: The upper end; None for no limit.
    """

    field: str
    low: date | int | None
    high: date | int | None


Leaf: TypeAlias = Term | Exact | Prefix
"""A part of a query that matches single words."""

Node: TypeAlias = Term | Exact | Prefix | Phrase | Near | And | Or | Not | OneOf | Between
"""Any part of a query."""


def key(name: str) -> str:
    """Normalise a name for comparison, without case and repeated spaces.

    Args:
        name: The value of a field, in a document or a query.
    """
    return " ".join(name.casefold().split())


def is_wording(node: Node) -> bool:
    """Whether a node has positions in the text, as the parts of proximity and phrases must.

    Args:
        node: Any node.
    """
    match node:
        case Term() | Exact() | Prefix() | Phrase() | Near():
            return True
        case Or(parts):
            return bool(parts) and all(map(is_wording, parts))
        case _:
            return False


def leaves(node: Node, negated: bool = True) -> Iterator[Leaf]:
    """Return the words of a query from left to right.

    Args:
        node: Any node.
        negated: Whether to include those under NOT.
    """
    match node:
        case Term() | Exact() | Prefix():
            yield node
        case Phrase(parts) | And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part, negated)
        case Near(left, right):
            yield from leaves(left, negated)
            yield from leaves(right, negated)
        case Not(part) if negated:
            yield from leaves(part)


def written(leaf: Leaf) -> str:
    """Format a leaf as in a query.

    Args:
        leaf: A term, an exact word or a prefix.
    """
    match leaf:
        case Term(text, shown):
            return shown or text
        case Exact(text):
            return f"={text}"
        case Prefix(text):
            return f"{text}*"


def universe(node: Node) -> Node:
    """Return the filters of a query without its words, the universe of its frequencies.

    A document belongs to the universe if its fields alone do not rule out that the query matches,
    whatever its words. `tax date:1900..1950` gives the documents of those years; `tax NOT
    type:vote` all but votes; `tax OR date:1900` every document.

    Args:
        node: Any node.

    Returns:
        A tree of `OneOf`, `Between`, `And`, `Or` and `Not`; `And(())` if nothing is filtered.
    """
    return _bound(node, possible=True)


EVERY, NONE = And(()), Or(())


def _bound(node: Node, possible: bool) -> Node:
    """Where a query can match, or where it must, given only the fields."""
    match node:
        case Not(part):
            inner = _bound(part, not possible)
            return {EVERY: NONE, NONE: EVERY}.get(inner, Not(inner))
        case And(parts):
            return _joined(And, [_bound(part, possible) for part in parts], EVERY, NONE)
        case Or(parts):
            return _joined(Or, [_bound(part, possible) for part in parts], NONE, EVERY)
        case OneOf() | Between():
            return node
        case _:
            return EVERY if possible else NONE


def _joined(kind: type[And] | type[Or], parts: list[Node], neutral: Node, ruling: Node) -> Node:
    if ruling in parts:
        return ruling
    kept = tuple(dict.fromkeys(part for part in parts if part != neutral))
    return kept[0] if len(kept) == 1 else kind(kept)
