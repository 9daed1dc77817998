"""An open segment: matching documents, their groups, and passages of their texts."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from engram.errors import EngramError
from engram.policy.document import Document
from engram.policy.engine import Passage, passage
from engram.policy.presidents import presidencies
from engram.policy.query.spans import Found, Integers, Mask, Spans, coverage, evaluate, restricted
from engram.policy.query.tree import Between, Leaf, Node, OneOf, key, leaves
from engram.policy.segment.excerpt import Excerpt
from engram.policy.segment.file import EPOCH, FIELDS, FORMAT, MAGIC, connect, unpack
from engram.policy.segment.lookup import Lookup, counted_places
from engram.policy.segment.view import LIVE, SUFFIX, amended, attach, base_of
from engram.policy.tally import Label


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
        self._connection.register_fts5_function("places", counted_places)
        attach(self._connection, path)
        self.size = len(self.column("date"))
        self._live = self.column(LIVE) > 0 if path.suffix == SUFFIX and self._has(LIVE) else None
        self._lookup = Lookup(self._rows)

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
        found = evaluate(node, self.size, self._lookup.locate, self._admit)
        if self._live is None:
            return found
        return Found(found.matched & self._live, restricted(found.spans, self._live))

    def forms(self, node: Node, occurrences: Spans) -> dict[Leaf, Counter[str]]:
        """Count the word forms in the occurrences of a query; see `functional.forms`.

        Args:
            node: The query.
            occurrences: Its occurrences in the segment.
        """
        counts: dict[Leaf, Counter[str]] = {}
        for leaf in dict.fromkeys(leaves(node, negated=False)):
            counts[leaf] = counter = Counter[str]()
            if not len(occurrences.start):
                continue
            wanted = self._lookup.forms_of(leaf)
            for stem, places in self._lookup.whole(list(wanted)):
                forms = self._lookup.words.forms_of(stem)
                codes = self._lookup.words.codes(stem, len(places.start))
                weights = coverage(occurrences, places.start)
                found = np.bincount(codes, weights, minlength=len(forms))
                chosen = {form: int(n) for form, n in zip(forms, found, strict=True) if n}
                counter.update({form: n for form, n in chosen.items() if form in wanted[stem]})
        return counts

    def grouped(self, by: str | None, admitted: Mask) -> tuple[tuple[Label, ...], Integers]:
        """Return the groups of some documents, and the group of each.

        Args:
            by: One of `GROUPINGS`; None for one group.
            admitted: Which documents.
        """
        if by is None:
            return (None,), np.zeros(int(admitted.sum()), dtype=np.int64)
        in_time = by in ("year", "month", "decade", "president")
        values = self.column("date" if in_time else by)[admitted]
        if by == "president":
            first_days = [day.toordinal() - EPOCH for day, _ in presidencies()]
            values = np.searchsorted(first_days, values, side="right") - 1
        elif in_time:
            unit = "M" if by == "month" else "Y"
            values = values.astype("datetime64[D]").astype(f"datetime64[{unit}]").astype(np.int64)
            values = (values + 1970) // 10 if by == "decade" else values
        distinct, group = np.unique(values, return_inverse=True)
        match by:
            case "year":
                labels: list[Label] = [1970 + int(year) for year in distinct]
            case "decade":
                labels = [10 * int(decade) for decade in distinct]
            case "month":
                labels = [str(month) for month in distinct.astype("datetime64[M]")]
            case "president":
                labels = [presidencies()[i][1] for i in distinct]
            case "congress":
                labels = [int(number) or None for number in distinct]
            case _:
                names = self.labels(by)
                labels = [names[code] for code in distinct]
        return tuple(labels), group

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
            (number, _document(unpack(text), fields))
            for number, text, *fields in rows
            if self._live is None or self._live[number]
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
        before, data, *fields = self._rows(
            f"SELECT before, text, {', '.join(FIELDS)} FROM documents JOIN texts USING (number) "
            "WHERE number = ?",
            number,
        )[0]
        excerpt = Excerpt(data, before, fields[FIELDS.index("title")])
        places = excerpt.places(spans)
        text = excerpt.read(max(end for _, end in places) + width)
        [document] = amended(self._connection, self.path, [(number, _document(text, fields))])
        return [passage(document, start, end, width) for start, end in places]

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


def _document(text: str, values: Sequence[Any]) -> Document:
    """A document from its text and its fields."""
    fields = dict(zip(FIELDS, values, strict=True))
    fields["date"] = date.fromisoformat(fields["date"])
    return Document(text=text, **fields)
