"""Records of identity: kept for each document to detect versions and duplicates.

A partition has one file, `ids/KEY.ids`: a line of JSON with the distinct speakers and their fields,
then a record of fixed size for each document of its segment, in order.
"""

import hashlib
import json
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.policy.document import Document, unit_of
from engram.policy.fingerprint import SKETCH, digest, letters, sketches

Records = NDArray[np.void]
"""Records of documents, of the type `RECORD`."""

RECORD = np.dtype(
    [
        ("unit", "<u8"),  # the unit of the source, in two hashes
        ("unit2", "<u8"),
        ("id", "<u8"),
        ("state", "<u8"),  # the whole content of the document
        ("content", "<u8"),  # its letters
        ("updated", "<i8"),  # seconds since 1970; -1 if unknown
        ("day", "<i4"),  # proleptic ordinal
        ("letters", "<u4"),
        ("instance", "<u4"),  # which reading of a unit in the partition
        ("source", "<u4"),
        ("who", "<u4"),  # position among the partition's speakers
        ("kind", "<u4"),
        ("sketch", "<u4", (SKETCH,)),
    ]
)

OTHER, SPEECH, MESSAGE = 0, 1, 2
"""Kinds: numbered in its source, speech, and message."""

_FORM = struct.Struct("<5QqiIIIII")
_KINDS = {"speech": SPEECH, "message": MESSAGE}

_BATCH = 1 << 20
"""Number of letters of texts sketched at once."""

Who = tuple[str | None, str | None, str | None, str | None, int | None]
"""Speaker, party, state, chamber and Congress, as given by the source."""


def state_of(document: Document) -> int:
    """Return a hash of the whole content of a document.

    Args:
        document: The document.
    """
    one = document
    fields = (
        f"{one.id}\0{one.doc_type}\0{one.date}\0{one.title}\0{one.congress}\0{one.session}\0"
        f"{one.chamber}\0{one.speaker}\0{one.party}\0{one.state}\0{one.source}\0{one.url}\0"
    )
    return digest((fields + one.text).encode("utf-8", "surrogatepass"))


def updated_of(document: Document) -> int:
    """Return when the source last changed a document, in seconds since 1970; -1 if unknown.

    Args:
        document: The document.
    """
    return int(document.updated.timestamp()) if document.updated else -1


class RecordWriter:
    """Collects the records of a partition while its documents are read."""

    def __init__(self) -> None:
        self._speakers: dict[Who, int] = {}
        self._rows: list[bytes] = []
        self._waiting: list[bytes] = []
        self._size = 0
        self._sketches: list[NDArray[np.uint32]] = []

    def add(self, document: Document, instance: int, state: int) -> None:
        """Add a document.

        Args:
            document: The document.
            instance: Which reading of a unit in the partition it belongs to.
            state: The result of `state_of` for it.
        """
        kind = _KINDS.get(document.doc_type, OTHER)
        text = document.text or document.title
        reduced = letters(text) if kind else b""
        unit = hashlib.blake2b(unit_of(document.id).encode(), digest_size=16).digest()
        who = (
            *(document.speaker, document.party, document.state),
            *(document.chamber, document.congress),
        )
        self._rows.append(
            _FORM.pack(
                int.from_bytes(unit[:8], "little"),
                int.from_bytes(unit[8:], "little"),
                digest(document.id.encode()),
                state,
                digest(reduced) if kind else 0,
                updated_of(document),
                document.date.toordinal(),
                len(reduced) if kind else len(text),
                instance,
                _source(document.id.partition(":")[0]),
                self._speakers.setdefault(who, len(self._speakers)),
                kind,
            )
        )
        self._waiting.append(reduced)
        self._size += len(reduced)
        if self._size > _BATCH:
            self._flush()

    def to_bytes(self) -> bytes:
        """The file of the partition."""
        self._flush()
        records = np.zeros(len(self._rows), dtype=RECORD)
        plain = np.dtype([(name, RECORD[name]) for name in RECORD.names or () if name != "sketch"])
        fields = np.frombuffer(b"".join(self._rows), dtype=plain)
        for name in plain.names or ():
            records[name] = fields[name]
        records["sketch"] = np.concatenate(self._sketches)
        return json.dumps(list(self._speakers)).encode() + b"\n" + records.tobytes()

    def _flush(self) -> None:
        self._sketches.append(sketches(self._waiting))
        self._waiting, self._size = [], 0


@lru_cache(maxsize=256)
def _source(name: str) -> int:
    return digest(name.encode()) & 0xFFFFFFFF


def read_records(content: bytes) -> tuple[list[Who], Records]:
    """Decode the speakers and the records of a partition.

    Args:
        content: The result of `RecordWriter.to_bytes`.
    """
    head, _, rest = content.partition(b"\n")
    found: list[Any] = json.loads(head)
    return [tuple(who) for who in found], np.frombuffer(rest, dtype=RECORD)
