"""The embedded engine: SQLite FTS5 finds positions, NumPy evaluates the query on them."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from engram.errors import EngramError
from engram.index import Hits
from engram.policy.document import Document
from engram.policy.embedded.leading import Leading, Rows
from engram.policy.engine import Answer, Context, Engine, Passage, Question, ranked_forms
from engram.policy.query import AnyQuery, Node, parse, universe
from engram.policy.query.spans import Found, Integers, Mask, Spans, minimal, restricted
from engram.policy.query.tree import leaves
from engram.policy.query.values import resolve
from engram.policy.segment import OpenSegment
from engram.policy.tally import DocumentCounts, Tally, join, merge, summarise

_OPEN = 256
"""Maximum number of segments open at once."""

_RANK = 32
"""Bits of the date in the rank of a hit, which is by decreasing occurrences and then by date."""


class EmbeddedEngine(Engine):
    """Answers queries from segments one after another, so that memory use does not grow.

    Args:
        segments: The files, such as `Store(path).segments()`; no document may be in two of them.
        notes: Notes for the reader of any answer, such as `Store(path).manifest.notes()`.

    Raises:
        ValueError: When queried, if a file is not a segment.
    """

    def __init__(self, segments: Iterable[str | Path], notes: Iterable[str] = ()) -> None:
        self.notes = tuple(notes)
        self.paths = tuple(map(Path, segments))
        self._names: dict[str, list[str]] = {}
        self._opened: OrderedDict[int, OpenSegment] = OrderedDict()

    def answer(self, query: AnyQuery, question: Question) -> Answer:
        """Evaluate a query once in each segment; see `Engine.answer`."""
        node = self._resolved(query)
        tallies: dict[str | None, list[Tally]] = {by: [] for by in question.by}
        counts: dict[str | None, list[DocumentCounts]] = {by: [] for by in question.each}
        forms = {leaf: Counter[str]() for leaf in leaves(node, negated=False)}
        hits, passages = Leading(question.hits), Leading(question.passages)
        spans: dict[int, Spans] = {}  # of the occurrences that may be shown
        matching = total = 0
        for index in range(len(self.paths)):
            segment = self._segment(index)
            found = segment.evaluate(node)
            found = Found(found.matched, minimal(found.spans))
            occurrences = np.bincount(found.spans.document, minlength=segment.size)
            for part in _counts(segment, universe(node), found.matched, occurrences, question):
                if part.by in tallies:
                    tallies[part.by].append(summarise(part))
                if part.by in counts:
                    counts[part.by].append(part)
            matching += int(np.count_nonzero(found.matched))
            total += len(found.spans.start)
            if question.hits.limit or question.passages.limit:
                number = np.flatnonzero(found.matched)
                day, k = segment.column("date")[number], occurrences[number]
                hits.add((-k << _RANK) + day, np.ones_like(number), index, number)
                passages.add(day, k, index, number)
                spans[index] = _restricted(found.spans, passages.rows, index, segment.size)
                spans = {i: spans[i] for i in np.unique(passages.rows.segment).tolist()}
            if question.forms:
                for leaf, some in segment.forms(node, found.spans).items():
                    forms[leaf].update(some)
        shown = tuple(self._passages(passages, spans, question.width))
        return Answer(
            {by: merge(parts, by) for by, parts in tallies.items()},
            {by: join(parts, by) for by, parts in counts.items()},
            Hits(*self._hits(hits), matching),
            Context(shown, total),
            ranked_forms(forms) if question.forms else (),
        )

    def fetch(self, ids: Sequence[str]) -> list[Document]:
        """Return documents with their text; see `Engine.fetch`."""
        found: dict[str, Document] = {}
        for index in range(len(self.paths)):
            missing = [id_ for id_ in ids if id_ not in found]
            if not missing:
                break
            found |= {document.id: document for document in self._segment(index).fetch(missing)}
        for id_ in ids:
            if id_ not in found:
                raise EngramError(f"there is no document {id_!r}; search gives the ids that are")
        return [found[id_] for id_ in ids]

    def close(self) -> None:
        """Close the files; the next query opens them again."""
        while self._opened:
            self._opened.popitem()[1].close()

    def _resolved(self, query: AnyQuery) -> Node:
        """Parse a query, with names in filters spelled as in the segments."""
        node = parse(query)
        return resolve(node, self._held) if self.paths else node

    def _held(self, field: str) -> list[str]:
        """The distinct names in a field of the segments."""
        if field not in self._names:
            held = (self._segment(index).labels(field) for index in range(len(self.paths)))
            names = {label for labels in held for label in labels if label is not None}
            self._names[field] = sorted(names)
        return self._names[field]

    def _segment(self, index: int) -> OpenSegment:
        segment = self._opened.pop(index, None) or OpenSegment(self.paths[index])
        self._opened[index] = segment
        if len(self._opened) > _OPEN:
            self._opened.popitem(last=False)[1].close()
        return segment

    def _ordered(self, leading: Leading) -> tuple[list[tuple[int, str, int]], Rows, int]:
        """Rank, id and row of the documents on a page, in order, and the entries to skip."""
        rows, skip = leading.shown()
        ids: dict[int, str] = {}
        for index in np.unique(rows.segment):
            chosen = np.flatnonzero(rows.segment == index)
            names = self._segment(int(index)).ids(rows.number[chosen])
            ids |= dict(zip(chosen.tolist(), names, strict=True))
        order = sorted((int(rank), ids[i], i) for i, rank in enumerate(rows.rank))
        return order, rows, skip

    def _hits(self, leading: Leading) -> tuple[list[str], list[int]]:
        """Ids and occurrences of the documents on a page."""
        order, _, skip = self._ordered(leading)
        page = order[skip : skip + leading.page.limit]
        scores = [-round(rank / (1 << _RANK)) for rank, _, _ in page]
        return [name for _, name, _ in page], scores

    def _passages(self, leading: Leading, spans: dict[int, Spans], width: int) -> Iterator[Passage]:
        """The occurrences on a page."""
        order, rows, skip = self._ordered(leading)
        left = leading.page.limit
        for _, _, i in order:
            count = int(rows.weight[i])
            size = min(left, count - skip)
            if size <= 0:
                skip -= count
                continue
            index, number = int(rows.segment[i]), int(rows.number[i])
            low = int(np.searchsorted(spans[index].document, number)) + skip
            firsts, lasts = (
                column[low : low + size].tolist()
                for column in (spans[index].first, spans[index].last)
            )
            pairs = list(zip(firsts, lasts, strict=True))
            yield from self._segment(index).passages(number, pairs, width)
            skip, left = 0, left - size
            if not left:
                return


def _counts(
    segment: OpenSegment, filters: Node, matched: Mask, occurrences: Integers, question: Question
) -> Iterator[DocumentCounts]:
    """The counts of the admitted documents of a segment, by each grouping."""
    if not question.groupings:
        return
    admitted = segment.evaluate(filters).matched
    columns = matched[admitted], occurrences[admitted], segment.column("tokens")[admitted]
    for by in question.groupings:
        yield DocumentCounts(by, *segment.grouped(by, admitted), *columns)


def _restricted(spans: Spans, rows: Rows, index: int, size: int) -> Spans:
    """The spans of a segment in the documents that are kept."""
    kept = np.zeros(size, dtype=np.bool_)
    kept[rows.number[rows.segment == index]] = True
    return restricted(spans, kept)
