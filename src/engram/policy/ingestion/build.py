"""Build: one partition into one segment, its ids, and its quarantine."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

from engram.policy.document import Document, Rejected, Rejection, check_day
from engram.policy.ingestion.partition import Partition, materials
from engram.policy.loader import LOADERS, Material
from engram.policy.store import PartitionEntry, SegmentEntry, Shelf

ID_BYTES = 16
"""How long the hash of an id is."""


class Counts(Protocol):
    """What a writer of segments says about one."""

    @property
    def documents(self) -> int:
        """How many documents it holds."""
        ...

    @property
    def tokens(self) -> int:
        """How many tokens they have."""
        ...


Write = Callable[[Path, Iterable[Document]], Counts]
"""Writes documents into a new segment at a path."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a process made of a partition.

    Args:
        key: names the partition's content; empty if it has none, as a range inside one line.
        entry: what the manifest will say; None if the store already holds the partition.
        ids: the hashes of the accepted documents' ids, one after the other.
    """

    key: str
    entry: PartitionEntry | None
    ids: bytes


def build(
    partition: Partition,
    shelf: Shelf,
    write: Write,
    limit: int,
    known: frozenset[str],
    exclude: frozenset[bytes] = frozenset(),
) -> Built:
    """Read one partition and put its segment, its ids and its quarantine on the shelf.

    Args:
        partition: what to read.
        shelf: where to put them.
        write: writes the segment.
        limit: the longest record, in bytes.
        known: the keys of the partitions that the store holds already.
        exclude: the hashes of ids that earlier partitions hold.
    """
    key, found, rejected = materials(partition, limit)
    if key in known:
        return Built(key, None, b"")
    inside = all(piece.cut for piece in partition.pieces)  # ranges in which no line begins
    if inside and not rejected and not any(material.data for material in found):
        return Built("", None, b"")
    gate = _Gate(partition.loader, limit, exclude)
    for rejection in rejected:
        gate.reject(rejection)
    segment = _write_segment(gate, found, shelf, write)
    shelf.write(f"ids/{key}.ids", bytes(gate.ids))
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
    )
    return Built(key, entry, bytes(gate.ids))


def _write_segment(
    gate: "_Gate", found: list[Material], shelf: Shelf, write: Write
) -> SegmentEntry | None:
    documents = gate.documents(found)
    first = next(documents, None)
    if first is None:
        return None
    with shelf.draft() as draft:
        counts = write(draft, chain((first,), documents))
        with draft.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = draft.stat().st_size
        shelf.put(draft, f"segments/{sha256}.sqlite")
    return SegmentEntry(sha256, size, counts.documents, counts.tokens, gate.text_bytes)


@dataclass
class _Gate:
    """Lets documents through to the segment; counts them, and what is turned away and why."""

    loader: str
    limit: int
    exclude: frozenset[bytes]
    ids: bytearray = field(default_factory=bytearray)
    lines: list[str] = field(default_factory=list)
    doc_types: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    text_bytes: int = 0

    def documents(self, found: list[Material]) -> Iterator[Document]:
        read, seen = LOADERS[self.loader].read, set()
        for material in found:
            for item in read(material):
                if isinstance(item, Rejected):
                    self.reject(item)
                    continue
                try:
                    check_day(item.date)
                    size = _size(item, self.limit)
                    digest = id_hash(item.id)
                    if digest in seen or digest in self.exclude:
                        raise Rejection("duplicate-id", item.id)
                except Rejection as bad:
                    self.reject(_turned_away(bad, item, material))
                    continue
                seen.add(digest)
                self.ids += digest
                self.text_bytes += size
                self.doc_types[item.doc_type] += 1
                yield item

    def reject(self, rejected: Rejected) -> None:
        self.reasons[rejected.reason] += 1
        self.lines.append(json.dumps(asdict(rejected)))


def id_hash(native: str) -> bytes:
    """Sixteen bytes that stand for an id."""
    return hashlib.blake2b(native.encode(), digest_size=ID_BYTES).digest()


def _size(document: Document, limit: int) -> int:
    """How many bytes of UTF-8 the text has.

    Raises:
        Rejection: if that is over the limit, or a field cannot be stored.
    """
    text = document.text
    short = (document.id, document.title, document.speaker, document.party, document.state)
    try:
        size = len(text) if text.isascii() else len(text.encode())
        for value in short:
            if value and not value.isascii():
                value.encode()
    except UnicodeEncodeError as error:
        raise Rejection("malformed-bytes", f"half a surrogate pair: {error.reason}") from error
    if "\0" in text or any(value and "\0" in value for value in short):
        raise Rejection("malformed-bytes", "a field holds a NUL character")
    if size > limit:
        raise Rejection("too-large", f"the text has {size:,} bytes; the limit is {limit:,}")
    return size


def _turned_away(bad: Rejection, document: Document, material: Material) -> Rejected:
    excerpt = document.text[:200] or document.title[:200]
    detail = f"{bad.detail} ({document.id})" if document.id not in bad.detail else bad.detail
    return Rejected(bad.reason, detail, material.origin, excerpt, document.source)
