"""Build: one partition into one segment, its ids, and its quarantine."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path

from engram.policy.document import Document, Rejected, Rejection, check_day, unit_of
from engram.policy.ingestion.partition import Partition, materials
from engram.policy.ingestion.records import RecordWriter, state_of, updated_of
from engram.policy.loader import LOADERS, Material
from engram.policy.segment import SegmentCounts
from engram.policy.store import PartitionEntry, SegmentEntry, Shelf, explained

Write = Callable[[Path, Iterable[Document]], SegmentCounts]
"""Writes documents into a new segment at a path."""


@dataclass(frozen=True, slots=True)
class Built:
    """The result of building a partition.

    Args:
        key: Identifies the partition's content; empty if it has none, such as a range inside one
            line.
        entry: The manifest entry; None if the store already holds the partition.
    """

    key: str
    entry: PartitionEntry | None


def build(
    partition: Partition, shelf: Shelf, write: Write, limit: int, known: frozenset[str]
) -> Built:
    """Read one partition and write its segment, its records and its quarantine to the shelf.

    Args:
        partition: What to read.
        shelf: Where to write them.
        write: Writes the segment.
        limit: The longest record, in bytes.
        known: The keys of the partitions that the store holds already.

    Raises:
        StoreError: If the shelf cannot be written.
    """
    key, found, rejected = materials(partition, limit)
    if key in known:
        return Built(key, None)
    inside = all(piece.cut for piece in partition.pieces)  # ranges in which no line begins
    if inside and not rejected and not any(material.data for material in found):
        return Built("", None)
    with explained(shelf.location):
        gate, segment = _write_segment(partition.loader, limit, found, rejected, shelf, write)
        records = gate.records.to_bytes()
        shelf.write(f"ids/{key}.ids", records)
        if gate.lines:
            shelf.write(f"quarantine/{key}.jsonl", "\n".join(gate.lines).encode())
    size = sum(len(material.data) for material in found)
    entry = PartitionEntry(
        key,
        partition.loader,
        size,
        segment,
        dict(sorted(gate.doc_types.items())),
        dict(sorted(gate.reasons.items())),
        repeated=gate.repeated,
        records=hashlib.sha256(records).hexdigest(),
    )
    return Built(key, entry)


def _write_segment(
    loader: str,
    limit: int,
    found: list[Material],
    rejected: list[Rejected],
    shelf: Shelf,
    write: Write,
) -> tuple["_Gate", SegmentEntry | None]:
    """Write the documents; repeat if a later version of one turns out to be the one to keep."""
    gate, segment = _written(_Gate(loader, limit), found, rejected, shelf, write)
    older = gate.older()
    if older and segment:
        shelf.remove(f"segments/{segment.sha256}.sqlite")
        gate, segment = _written(_Gate(loader, limit, older), found, rejected, shelf, write)
    return gate, segment


def _written(
    gate: "_Gate", found: list[Material], rejected: list[Rejected], shelf: Shelf, write: Write
) -> tuple["_Gate", SegmentEntry | None]:
    for rejection in rejected:
        gate.reject(rejection)
    documents = gate.documents(found)
    first = next(documents, None)
    if first is None:
        return gate, None
    with shelf.draft() as draft:
        counts = write(draft, chain((first,), documents))
        with draft.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = draft.stat().st_size
        shelf.put(draft, f"segments/{sha256}.sqlite")
    return gate, SegmentEntry(sha256, size, counts.documents, counts.tokens, gate.text_bytes)


@dataclass
class _Gate:
    """Passes documents on to the segment; counts them and the rejected records by reason.

    A unit of the source that is read twice has two instances, of which one is accepted.

    Args:
        loader: The loader that reads.
        limit: The longest text, in bytes.
        leave: The instances to leave out, known from an earlier pass; None in the first pass, in
            which the first instance of each unit is accepted.
    """

    loader: str
    limit: int
    leave: frozenset[int] | None = None
    records: RecordWriter = field(default_factory=RecordWriter)
    lines: list[str] = field(default_factory=list)
    doc_types: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    text_bytes: int = 0
    repeated: int = 0
    _ranks: list[tuple[int, int, int]] = field(default_factory=list)
    _readings: dict[int, int | list[int]] = field(default_factory=dict)

    def documents(self, found: list[Material]) -> Iterator[Document]:
        """Yield the accepted documents."""
        read = LOADERS[self.loader].read
        for material in found:
            here: dict[int, int] = {}
            seen: set[int] = set()
            for item in read(material):
                if isinstance(item, Rejected):
                    self.reject(item)
                    continue
                try:
                    check_day(item.date)
                    size = _size(item, self.limit)
                except Rejection as bad:
                    self.reject(_turned_away(bad, item, material))
                    continue
                unit, state = hash(unit_of(item.id)), state_of(item)
                instance = self._instance(unit, hash(item.id), here, seen)
                if not self._kept(item, unit, instance, state):
                    self.repeated += 1
                    continue
                self.records.add(item, instance, state)
                self.text_bytes += size
                self.doc_types[item.doc_type] += 1
                yield item

    def older(self) -> frozenset[int]:
        """The instances to leave out, if one of them was accepted; empty if none was."""
        contests = [several for several in self._readings.values() if isinstance(several, list)]
        best = [max(several, key=self._ranks.__getitem__) for several in contests]
        if all(winner == several[0] for winner, several in zip(best, contests, strict=True)):
            return frozenset()
        return frozenset(chain.from_iterable(contests)) - frozenset(best)

    def _instance(self, unit: int, own: int, here: dict[int, int], seen: set[int]) -> int:
        """Return which reading of its unit a document belongs to; a repeated id starts a new one.

        Args:
            unit: The hash of the document's unit.
            own: The hash of its id.
            here: The readings that the current material has started, by unit.
            seen: The ids that it has already used.
        """
        if unit not in here or own in seen:
            here[unit] = len(self._ranks)
            self._ranks.append((-1, 0, 0))
            before = self._readings.get(unit)
            if before is None:
                self._readings[unit] = here[unit]
            elif isinstance(before, list):
                before.append(here[unit])
            else:
                self._readings[unit] = [before, here[unit]]
        seen.add(own)
        return here[unit]

    def _kept(self, item: Document, unit: int, instance: int, state: int) -> bool:
        """Whether a document is accepted; records what decides between instances."""
        if self.leave is not None:
            return instance not in self.leave
        updated, length, mixed = self._ranks[instance]
        self._ranks[instance] = (
            max(updated, updated_of(item)),
            length + len(item.text),
            mixed ^ state,
        )
        readings = self._readings[unit]
        return not isinstance(readings, list) or readings[0] == instance

    def reject(self, rejected: Rejected) -> None:
        self.reasons[rejected.reason] += 1
        self.lines.append(json.dumps(asdict(rejected)))


def _size(document: Document, limit: int) -> int:
    """Number of UTF-8 bytes of the text.

    Raises:
        Rejection: If that exceeds the limit, or a field cannot be stored.
    """
    text = document.text
    short = (document.id, document.title, document.speaker, document.party, document.state)
    try:
        size = len(text) if text.isascii() else len(text.encode())
        for value in short:
            if value and not value.isascii():
                value.encode()
    except UnicodeEncodeError as error:
        raise Rejection("malformed-bytes", f"a lone surrogate: {error.reason}") from error
    if "\0" in text or any(value and "\0" in value for value in short):
        raise Rejection("malformed-bytes", "a field holds a NUL character")
    if size > limit:
        raise Rejection("too-large", f"the text has {size:,} bytes; the limit is {limit:,}")
    return size


def _turned_away(bad: Rejection, document: Document, material: Material) -> Rejected:
    excerpt = document.text[:200] or document.title[:200]
    detail = f"{bad.detail} ({document.id})" if document.id not in bad.detail else bad.detail
    return Rejected(bad.reason, detail, material.origin, excerpt, document.source)
