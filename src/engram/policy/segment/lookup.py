"""Positions of wordings in a segment.

FTS5 looks up phrases and intersects documents, an auxiliary function returns the positions, and
NumPy composes them. Exact words and prefixes are positions of stems; the segment's own vocabulary
knows the form at each.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from math import prod
from typing import Any, TypeAlias

import numpy as np

from engram.policy.query.spans import Spans, compose, place, union
from engram.policy.query.tree import Exact, Leaf, Near, Node, Or, Phrase, Prefix, Term, leaves
from engram.policy.segment.vocabulary import Rows, Vocabulary

Words: TypeAlias = tuple[Term | Prefix, ...]
"""Consecutive words, of which only the last may be a prefix: what FTS5 looks up."""

_AT_ONCE = 100
"""Maximum number of phrases looked up by one statement."""

_NO_TERM = "="
"""A string that is never a term."""


@dataclass(frozen=True, slots=True)
class Selected:
    """Some forms of a stem, which match where one of them occurs.

    Args:
        stem: The stem.
        codes: The codes of the forms.
    """

    stem: str
    codes: tuple[int, ...]


class Lookup:
    """Finds the positions of words in a segment.

    Args:
        rows: Runs a statement on the segment, in which `places` is the function `counted_places`.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.words = Vocabulary(rows)

    def locate(self, node: Node) -> Spans:
        """Positions of a wording."""
        selected: set[Selected] = set()
        if not all(isinstance(leaf, Term) for leaf in leaves(node)):
            node = self._planned(node, selected)
        return self._by_phrases(node, self._select(selected))

    def _planned(self, node: Any, selected: set[Selected]) -> Any:
        """Rewrite a wording in stems, with exact words and prefixes as found in the segment.

        Args:
            node: The wording.
            selected: Filled with the leaves that are some but not all forms of a stem.
        """
        match node:
            case Exact():
                parts = [self._some(*pair) for pair in self.forms_of(node).items()]
            case Prefix(text):
                parts = self._beginning(text)
            case Phrase(parts) | Or(parts):
                return type(node)(tuple(self._planned(part, selected) for part in parts))
            case Near(left, right, within, ordered):
                first, second = (self._planned(part, selected) for part in (left, right))
                return Near(first, second, within, ordered)
            case _:
                return node
        parts = parts or [Selected(_NO_TERM, ())]
        selected.update(part for part in parts if isinstance(part, Selected))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))  # pyright: ignore

    def _some(self, stem: str, forms: Sequence[str]) -> Term | Selected:
        held = self.words.forms_of(stem)
        if len(forms) == len(held):
            return Term(stem)
        return Selected(stem, tuple(held.index(form) for form in forms))

    def _beginning(self, prefix: str) -> list[Term | Prefix | Selected]:
        """Resolve a prefix: a prefix of stems if all their forms match; otherwise each stem."""
        found = self.words.beginning(prefix)
        held = self.words.stems_beginning(prefix)
        if any(len(forms) != len(found.get(stem, ())) for stem, forms in held.items()):
            return [self._some(stem, forms) for stem, forms in found.items()]
        others = [pair for pair in found.items() if not pair[0].startswith(prefix)]
        whole = [Prefix(prefix)] if len(found) > len(others) else []
        return [*whole, *(self._some(stem, forms) for stem, forms in others)]

    def forms_of(self, leaf: Leaf) -> dict[str, list[str]]:
        """The forms in the segment that match a leaf, by stem."""
        match leaf:
            case Term(stem):
                return {stem: self.words.forms_of(stem)}
            case Exact(form):
                stem = self.words.stem_of(form)
                return {} if stem is None else {stem: [form]}
            case Prefix(text):
                return self.words.beginning(text)

    def _select(self, selected: set[Selected]) -> dict[Node, Spans]:
        """Positions of forms of stems."""
        if not selected:
            return {}
        places = dict(self.whole(list({leaf.stem for leaf in selected})))
        placed: dict[Any, Spans] = {}
        for leaf in selected:
            start, end = places[leaf.stem]
            kept = np.isin(self.words.codes(leaf.stem, len(start)), leaf.codes)
            placed[leaf] = Spans(start[kept], end[kept])
        return placed

    def whole(self, stems: Sequence[str]) -> Iterator[tuple[str, Spans]]:
        """Positions of some stems in the whole segment."""
        for i in range(0, len(stems), _AT_ONCE):
            once = stems[i : i + _AT_ONCE]
            asked: list[Words] = [(Term(stem),) for stem in once]
            yield from zip(once, self._lookup(_any(asked), asked), strict=True)

    def _by_phrases(self, node: Node, selected: dict[Node, Spans]) -> Spans:
        """Positions of a planned wording, by looking up phrases in FTS5."""
        needles: dict[Node, list[Words]] = {}
        asked: list[Words] = []
        expression = _expression(node, needles, asked)
        placed: dict[Words, list[Spans]] = {words: [] for words in asked}
        if len(asked) <= _AT_ONCE:
            lookups = [(expression, asked)]
        else:
            once = list(placed)
            pieces = [once[i : i + _AT_ONCE] for i in range(0, len(once), _AT_ONCE)]
            lookups = [(_any(piece), piece) for piece in pieces]
        for text, wanted in lookups:
            for words, spans in zip(wanted, self._lookup(text, wanted), strict=True):
                placed[words].append(spans)
        return compose(
            node,
            selected
            | {
                part: union([x for words in found for x in placed[words]])
                for part, found in needles.items()
            },
        )

    def _lookup(self, expression: str, wanted: Sequence[Words]) -> Iterator[Spans]:
        """Positions of the phrases of an FTS5 expression in the documents that it matches."""
        rows = self._rows(
            "SELECT rowid, places(terms) FROM terms WHERE terms MATCH ? ORDER BY rowid", expression
        )
        phrases = len(wanted)
        data = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.int32)
        sizes = np.array([len(row[1]) // 4 for row in rows], dtype=np.int64)
        heads = (np.cumsum(sizes) - sizes)[:, None] + np.arange(phrases)
        counts = data[heads].astype(np.int64)
        position = np.delete(data, heads.ravel()).astype(np.int64)
        document = np.repeat(np.array([row[0] for row in rows], dtype=np.int64), counts.sum(axis=1))
        phrase = np.repeat(np.tile(np.arange(phrases), len(rows)), counts.ravel())
        order = np.argsort(phrase, kind="stable")
        ends = np.cumsum(counts.sum(axis=0))[:-1]
        for words, chosen in zip(wanted, np.split(order, ends), strict=True):
            yield place(document[chosen], position[chosen], len(words))


def counted_places(api: Any, *values: Any) -> bytes:
    """FTS5 auxiliary function: counts and positions of each phrase, as 32-bit integers."""
    found = [api.phrase_locations(phrase)[0] for phrase in range(api.phrase_count)]
    counts = array("i", map(len, found))
    counts.extend(chain.from_iterable(found))
    return counts.tobytes()


def _sequences(node: Any) -> list[Words] | None:
    """The FTS5 phrases equivalent to a wording, if there are any."""
    match node:
        case Term() | Prefix():
            return [(node,)]
        case Or(parts):
            found = [_sequences(part) for part in parts]
            return None if None in found else [words for some in found for words in some or ()]
        case Phrase(parts):
            found = [_sequences(part) for part in parts]
            if None in found or prod(len(some or ()) for some in found) > _AT_ONCE:
                return None
            chains = [
                tuple(chain.from_iterable(some)) for some in product(*(x or () for x in found))
            ]
            whole = all(isinstance(word, Term) for words in chains for word in words[:-1])
            return chains if whole else None
        case _:
            return None


def _expression(node: Any, needles: dict[Node, list[Words]], asked: list[Words]) -> str:
    """An FTS5 expression for the documents that may contain a wording.

    Args:
        node: The wording.
        needles: Filled with the parts that are looked up, and the phrases that each represents.
        asked: Filled with the phrases of the expression, in its order.
    """
    sequences = _sequences(node)
    if sequences is not None:
        needles[node] = sequences
        asked += sequences
        return _any(sequences)
    match node:
        case Phrase(parts):
            joint = " AND "
        case Or(parts):
            joint = " OR "
        case Near(left, right):
            joint, parts = " AND ", (left, right)
        case Selected(stem):
            asked.append((Term(stem),))
            return _any(asked[-1:])
        case _:
            raise AssertionError(node)
    return "(" + joint.join(_expression(part, needles, asked) for part in parts) + ")"


def _any(sequences: Sequence[Words]) -> str:
    return "(" + " OR ".join(map(_quoted, sequences)) + ")"


def _quoted(words: Words) -> str:
    """Words as an FTS5 phrase; nowhere else does text become part of an expression."""
    text = " ".join(word.text for word in words).replace('"', '""')
    return f'"{text}"' + (" *" if isinstance(words[-1], Prefix) else "")
