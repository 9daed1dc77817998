"""An open segment: matching documents, positions of words, and texts.

FTS5 looks up phrases and intersects documents, an auxiliary function returns the positions, and
NumPy evaluates the query on them. Exact words and prefixes are positions of stems; the segment's
own vocabulary knows the form at each.
"""

import json
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, product
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from engram.errors import EngramError
from engram.policy import analyzer
from engram.policy.document import Document, searched
from engram.policy.engine import Passage
from engram.policy.query.spans import (
    Found,
    Integers,
    Mask,
    Spans,
    compose,
    coverage,
    evaluate,
    minimal,
    place,
    union,
)
from engram.policy.query.tree import (
    Between,
    Exact,
    Leaf,
    Near,
    Node,
    OneOf,
    Or,
    Phrase,
    Prefix,
    Term,
    key,
    leaves,
)
from engram.policy.segment.file import (
    EPOCH,
    FIELDS,
    FORMAT,
    MAGIC,
    blocks,
    connect,
    unpack,
)
from engram.policy.segment.view import LIVE, SUFFIX, amended, attach, base_of
from engram.policy.segment.vocabulary import Vocabulary

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


class OpenSegment:
    """A segment that is open for reading.

    Args:
        path: The file.

    Raises:
        ValueError: If the file is not a segment, or a segment of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = connect(base_of(path))
        try:
            self._check()
        except Exception:
            self.close()
            raise
        self._connection.register_fts5_function("places", _places)
        attach(self._connection, path)
        self.size = len(self.column("date"))
        self._live = self.column(LIVE) > 0 if path.suffix == SUFFIX and self._has(LIVE) else None
        self._words = Vocabulary(self._rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def column(self, name: str) -> Integers:
        """One number for each document: "date" in days since 1970, "congress", "tokens", or a code.

        Args:
            name: "date", "congress", "tokens", or one of `segment.NAMES`.
        """
        data = self._rows("SELECT data FROM shown WHERE name = ?", name)[0][0]
        return np.frombuffer(data, dtype=np.int32).astype(np.int64)

    def labels(self, name: str) -> list[str | None]:
        """Return the labels of the codes of a column.

        Args:
            name: One of `segment.NAMES`.
        """
        return json.loads(self._rows("SELECT labels FROM shown WHERE name = ?", name)[0][0])

    def evaluate(self, node: Node) -> Found:
        """Return the matches of a query in the segment.

        Args:
            node: The query.
        """
        found = evaluate(node, self.size, self._locate, self._admit)
        if self._live is None:
            return found
        return Found(found.matched & self._live, _within(found.spans, self._live))

    def forms(self, node: Node) -> dict[Leaf, Counter[str]]:
        """Count the word forms in the occurrences of a query; see `functional.forms`.

        Args:
            node: The query.
        """
        occurrences = minimal(self.evaluate(node).spans)
        counts: dict[Leaf, Counter[str]] = {}
        for leaf in dict.fromkeys(leaves(node, negated=False)):
            counts[leaf] = counter = Counter[str]()
            if not len(occurrences.start):
                continue
            wanted = self._forms_of(leaf)
            for stem, places in self._whole(list(wanted)):
                forms = self._words.forms_of(stem)
                codes = self._words.codes(stem, len(places.start))
                weights = coverage(occurrences, places.start)
                found = np.bincount(codes, weights, minlength=len(forms))
                chosen = {form: int(n) for form, n in zip(forms, found, strict=True) if n}
                counter.update({form: n for form, n in chosen.items() if form in wanted[stem]})
        return counts

    def ids(self, numbers: Sequence[int] | Integers) -> list[str]:
        """Return the ids of documents.

        Args:
            numbers: Their numbers in the segment.
        """
        wanted = json.dumps([int(number) for number in numbers])
        rows = self._rows(
            "SELECT number, id FROM documents WHERE number IN (SELECT value FROM json_each(?))",
            wanted,
        )
        found = dict(rows)
        return [found[int(number)] for number in numbers]

    def fetch(self, ids: Sequence[str]) -> list[Document]:
        """Return the documents of the segment with these ids, in any order.

        Args:
            ids: Ids of documents, which need not be in the segment.
        """
        rows = self._rows(
            f"SELECT number, text, {', '.join(FIELDS)} FROM documents JOIN texts USING (number) "
            "WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(list(ids)),
        )
        found = [
            (row[0], _document(row[1:])) for row in rows if self._live is None or self._live[row[0]]
        ]
        return amended(self._connection, self.path, found)

    def numbers(self) -> Integers:
        """The numbers of the counted documents."""
        return np.arange(self.size) if self._live is None else np.flatnonzero(self._live)

    def passages(self, number: int, spans: Sequence[tuple[int, int]], width: int) -> list[Passage]:
        """Return occurrences in one document with their context in the text.

        Args:
            number: The document's number in the segment.
            spans: First and last term of each occurrence.
            width: Characters of text to the left and to the right.
        """
        row = self._rows(
            f"SELECT before, text, {', '.join(FIELDS)} FROM documents JOIN texts USING (number) "
            "WHERE number = ?",
            number,
        )[0]
        [document] = amended(self._connection, self.path, [(number, _document(row[1:]))])
        text = searched(document)
        words = _Words(text, row[0])
        found = []
        for first, last in spans:
            start, end = words[first][0], words[last][1]
            found.append(
                Passage(
                    document.id,
                    document.date,
                    document.title,
                    document.url,
                    text[max(0, start - width) : start],
                    text[start:end],
                    text[end : end + width],
                    start,
                    end,
                )
            )
        return found

    def _check(self) -> None:
        remedy = "give the segments of a store, or ingest again"
        try:
            magic = self._rows("PRAGMA application_id")[0][0]
            version = self._rows("PRAGMA user_version")[0][0]
        except Exception as error:
            raise EngramError(f"{self.path} is not a segment ({error}); {remedy}") from error
        if magic != MAGIC:
            raise EngramError(f"{self.path} is not a segment; {remedy}")
        if version != FORMAT:
            raise EngramError(
                f"{self.path} is a segment of format {version}, and this version reads format "
                f"{FORMAT}; ingest its sources again into a new store"
            )

    def _has(self, column: str) -> bool:
        return bool(self._rows("SELECT 1 FROM shown WHERE name = ?", column))

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def _admit(self, node: OneOf | Between) -> Mask:
        values = self.column(node.field)
        if isinstance(node, OneOf):
            labels = self.labels(node.field)
            admitted = [label is not None and key(label) in node.values for label in labels]
            return np.array(admitted, dtype=bool)[values]
        low, high = (
            end.toordinal() - EPOCH if isinstance(end, date) else end
            for end in (node.low, node.high)
        )
        known = values > 0 if node.field == "congress" else np.ones(self.size, dtype=bool)
        return (
            known
            & (values >= low if low is not None else True)
            & (values <= high if high is not None else True)
        )

    def _locate(self, node: Node) -> Spans:
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
                parts = [self._some(*pair) for pair in self._forms_of(node).items()]
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
        held = self._words.forms_of(stem)
        if len(forms) == len(held):
            return Term(stem)
        return Selected(stem, tuple(held.index(form) for form in forms))

    def _beginning(self, prefix: str) -> list[Term | Prefix | Selected]:
        """Resolve a prefix: a prefix of stems if all their forms match; otherwise each stem."""
        found = self._words.beginning(prefix)
        held = self._words.stems_beginning(prefix)
        if any(len(forms) != len(found.get(stem, ())) for stem, forms in held.items()):
            return [self._some(stem, forms) for stem, forms in found.items()]
        others = [pair for pair in found.items() if not pair[0].startswith(prefix)]
        whole = [Prefix(prefix)] if len(found) > len(others) else []
        return [*whole, *(self._some(stem, forms) for stem, forms in others)]

    def _forms_of(self, leaf: Leaf) -> dict[str, list[str]]:
        """The forms in the segment that match a leaf, by stem."""
        match leaf:
            case Term(stem):
                return {stem: self._words.forms_of(stem)}
            case Exact(form):
                stem = self._words.stem_of(form)
                return {} if stem is None else {stem: [form]}
            case Prefix(text):
                return self._words.beginning(text)

    def _select(self, selected: set[Selected]) -> dict[Node, Spans]:
        """Positions of forms of stems."""
        if not selected:
            return {}
        places = dict(self._whole(list({leaf.stem for leaf in selected})))
        placed: dict[Any, Spans] = {}
        for leaf in selected:
            start, end = places[leaf.stem]
            kept = np.isin(self._words.codes(leaf.stem, len(start)), leaf.codes)
            placed[leaf] = Spans(start[kept], end[kept])
        return placed

    def _whole(self, stems: Sequence[str]) -> Iterator[tuple[str, Spans]]:
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


def _within(spans: Spans, live: Mask) -> Spans:
    """The spans in counted documents."""
    kept = live[spans.document]
    return Spans(*(column[kept] for column in spans))


class _Words:
    """Positions of the words of a text; only the requested blocks are analysed."""

    def __init__(self, text: str, before: bytes) -> None:
        self.text = text
        self.blocks = list(blocks(text)) if before else [(0, len(text))]
        self.before = [0, *array("I", before)]
        self.known: dict[int, list[tuple[int, int]]] = {}

    def __getitem__(self, term: int) -> tuple[int, int]:
        block = bisect_right(self.before, term) - 1
        start, end = self.blocks[block]
        if block not in self.known:
            self.known[block] = analyzer.spans(self.text[start:end])
        a, b = self.known[block][term - self.before[block]]
        return start + a, start + b


def _places(api: Any, *values: Any) -> bytes:
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


def _document(row: Sequence[Any]) -> Document:
    """A document from its compressed text and its fields."""
    fields = dict(zip(FIELDS, row[1:], strict=True))
    fields["date"] = date.fromisoformat(fields["date"])
    return Document(text=unpack(row[0]), **fields)
