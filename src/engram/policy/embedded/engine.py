"""The embedded engine: SQLite FTS5 finds positions, NumPy evaluates the query on them."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.index import Hits
from engram.policy.document import Document
from engram.policy.engine import Context, Passage, WordForms, ranked_forms
from engram.policy.query import Node, parse, universe
from engram.policy.query.spans import Integers, Mask, Spans, minimal
from engram.policy.query.tree import leaves
from engram.policy.query.values import resolve
from engram.policy.segment import OpenSegment
from engram.policy.tally import (
    DocumentCounts,
    Label,
    Tally,
    check_grouping,
    merge,
    ordered,
    summarise,
)

_OPEN = 256
"""Maximum number of segments open at once."""


class _Counted(NamedTuple):
    """Counts in the matching documents of all segments.

    Args:
        segment: Index of the segment of each document.
        number: Its number in the segment.
        day: Its date, in days since 1970.
        occurrences: Occurrences in it.
    """

    segment: Integers
    number: Integers
    day: Integers
    occurrences: Integers


class EmbeddedEngine:
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

    def tally(self, query: str | Node, by: str | None = "year") -> Tally:
        """Count documents and occurrences, with their denominators; see `Engine.tally`."""
        return merge(map(summarise, self._counts(query, by)), by)

    def per_document(self, query: str | Node, by: str | None = "year") -> DocumentCounts:
        """Count occurrences in every admitted document; see `Engine.per_document`."""
        parts = list(self._counts(query, by))
        groups = ordered({label for part in parts for label in part.groups}) if by else (None,)
        index = {label: i for i, label in enumerate(groups)}
        codes = [np.array([index[label] for label in part.groups], dtype=int) for part in parts]
        columns = [
            (code[part.group], part.matched, part.occurrences, part.tokens)
            for code, part in zip(codes, parts, strict=True)
        ]
        empty = np.empty(0, dtype=np.int64)
        group, matched, occurrences, tokens = (
            np.concatenate([empty, *column]).astype(np.int64)
            for column in (zip(*columns, strict=True) if columns else [()] * 4)
        )
        return DocumentCounts(by, groups, group, matched.astype(np.bool_), occurrences, tokens)

    def search(self, query: str | Node, limit: int = 10, offset: int = 0) -> Hits:
        """Find documents, most occurrences first; see `Engine.search`."""
        _check_page(limit, offset)
        found = self._counted(self._resolved(query))
        order = np.lexsort((found.day, -found.occurrences))[: offset + limit]
        if not limit or len(order) <= offset:
            return Hits((), (), len(found.number))
        last = order[-1]
        # Ids break ties, also at the edges of a page.
        at_edge = (found.occurrences == found.occurrences[last]) & (found.day == found.day[last])
        among = np.union1d(order, np.flatnonzero(at_edge))
        ids = self._ids(found, among)
        ranked = sorted((-int(found.occurrences[i]), int(found.day[i]), ids[i]) for i in among)
        page = ranked[offset : offset + limit]
        return Hits([row[2] for row in page], [-row[0] for row in page], len(found.number))

    def context(
        self, query: str | Node, limit: int = 20, offset: int = 0, width: int = 80
    ) -> Context:
        """Show occurrences as they stand in the text; see `Engine.context`."""
        _check_page(limit, offset)
        node = self._resolved(query)
        found = self._counted(node)
        order = np.argsort(found.day, kind="stable")
        before = np.cumsum(found.occurrences[order]) - found.occurrences[order]
        total = int(found.occurrences.sum())
        if not limit or offset >= total:
            return Context((), total)
        onto = np.flatnonzero(
            (before < offset + limit) & (before + found.occurrences[order] > offset)
        )
        days = found.day[order[onto[[0, -1]]]]
        # Ids break ties within a day, so all documents of the page's days are examined.
        first = int(np.searchsorted(found.day[order], days[0], side="left"))
        among = order[first : np.searchsorted(found.day[order], days[1], side="right")]
        ids = self._ids(found, among)
        among = sorted(among, key=lambda i: (found.day[i], ids[i]))
        passages = self._passages(node, found, among, offset - int(before[first]), limit, width)
        return Context(tuple(passages), total)

    def forms(self, query: str | Node) -> tuple[WordForms, ...]:
        """Which forms of words were counted; see `Engine.forms`."""
        node = self._resolved(query)
        totals = {leaf: Counter[str]() for leaf in leaves(node, negated=False)}
        for index in range(len(self.paths)):
            for leaf, counts in self._segment(index).forms(node).items():
                totals[leaf].update(counts)
        return ranked_forms(totals)

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

    def _resolved(self, query: str | Node) -> Node:
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

    def _counts(self, query: str | Node, by: str | None) -> Iterator[DocumentCounts]:
        """The counts of each segment."""
        check_grouping(by)
        node = self._resolved(query)
        filters = universe(node)
        for index in range(len(self.paths)):
            segment = self._segment(index)
            admitted = segment.evaluate(filters).matched
            found = segment.evaluate(node)
            occurrences = _per_document(found.spans, segment.size)
            groups, group = _grouped(segment, by, admitted)
            yield DocumentCounts(
                by,
                groups,
                group,
                found.matched[admitted],
                occurrences[admitted],
                segment.column("tokens")[admitted],
            )

    def _counted(self, node: Node) -> _Counted:
        parts: list[tuple[Integers, ...]] = [(np.empty(0, dtype=np.int64),) * 4]
        for index in range(len(self.paths)):
            segment = self._segment(index)
            found = segment.evaluate(node)
            number = np.flatnonzero(found.matched)
            occurrences = _per_document(found.spans, segment.size)[number]
            day = segment.column("date")[number]
            parts.append((np.full_like(number, index), number, day, occurrences))
        return _Counted(*map(np.concatenate, zip(*parts, strict=True)))

    def _ids(self, found: _Counted, among: Integers) -> dict[int, str]:
        """The ids of some of the documents that were counted."""
        ids: dict[int, str] = {}
        for index in np.unique(found.segment[among]):
            chosen = among[found.segment[among] == index]
            names = self._segment(int(index)).ids(found.number[chosen])
            ids |= dict(zip(chosen.tolist(), names, strict=True))
        return ids

    def _passages(
        self,
        node: Node,
        found: _Counted,
        among: Sequence[int],
        skip: int,
        limit: int,
        width: int,
    ) -> Iterator[Passage]:
        """The occurrences in some documents, in their order, after the first `skip` ones."""
        spans: dict[int, Spans] = {}
        for i in among:
            count = int(found.occurrences[i])
            if skip >= count:
                skip -= count
                continue
            index, number = int(found.segment[i]), int(found.number[i])
            segment = self._segment(index)
            if index not in spans:
                spans[index] = minimal(segment.evaluate(node).spans)
            low = int(np.searchsorted(spans[index].document, number)) + skip
            size = min(limit, count - skip)
            firsts, lasts = spans[index].first, spans[index].last
            pairs = zip(firsts[low : low + size], lasts[low : low + size], strict=True)
            yield from segment.passages(number, [(int(a), int(b)) for a, b in pairs], width)
            skip, limit = 0, limit - size
            if not limit:
                return


def _check_page(limit: int, offset: int) -> None:
    for name, value in (("limit", limit), ("offset", offset)):
        if value < 0:
            raise EngramError(f"{name} is {value}; it must not be negative")


def _per_document(spans: Spans, size: int) -> Integers:
    """Occurrences in each of `size` documents."""
    return np.bincount(minimal(spans).document, minlength=size).astype(np.int64)


def _grouped(
    segment: OpenSegment, by: str | None, admitted: Mask
) -> tuple[tuple[Label, ...], Integers]:
    """The groups of the admitted documents of a segment, and the group of each."""
    if by is None:
        return (None,), np.zeros(int(admitted.sum()), dtype=np.int64)
    column = "date" if by in ("year", "month") else by
    values = segment.column(column)[admitted]
    if column == "date":
        unit = "Y" if by == "year" else "M"
        values = values.astype("datetime64[D]").astype(f"datetime64[{unit}]").astype(np.int64)
    distinct, group = np.unique(values, return_inverse=True)
    match by:
        case "year":
            labels: list[Label] = [1970 + int(year) for year in distinct]
        case "month":
            labels = [str(month) for month in distinct.astype("datetime64[M]")]
        case "congress":
            labels = [int(number) or None for number in distinct]
        case _:
            names = segment.labels(column)
            labels = [names[code] for code in distinct]
    return tuple(labels), group
