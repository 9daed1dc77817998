"""Records of identity: what is kept of each document to tell what it is a version or double of.

A partition has one file, `ids/KEY.ids`: a line of JSON with the distinct speakers and their fields,
then a record of fixed size for each document of its segment, in order.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.policy.document import Document, unit_of
from engram.policy.fingerprint import SKETCH, digest, letters, sketch

Records = NDArray[np.void]
"""Records of documents, of the type `RECORD`."""

RECORD = np.dtype(
    [
        ("unit", "<u8"),  # the unit of the source, in two hashes
        ("unit2", "<u8"),
        ("id", "<u8"),
        ("state", "<u8"),  # all that the document says
        ("content", "<u8"),  # its letters
        ("updated", "<i8"),  # seconds since 1970; -1 if the source does not tell
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
"""Kinds: what has a number of its own in its source, a speech, and a message."""

_FORM = struct.Struct(f"<5QqiIIIII{SKETCH}I")
_KINDS = {"speech": SPEECH, "message": MESSAGE}
_STATE = (
    *("id", "doc_type", "date", "title", "congress", "session", "chamber"),
    *("speaker", "party", "state", "source", "url"),
)

Who = tuple[str | None, str | None, str | None, str | None, int | None]
"""Speaker, party, state, chamber and Congress, as the source gives them."""


@dataclass
class RecordWriter:
    """The records of a partition, as its documents come."""

    data: bytearray = field(default_factory=bytearray)
    speakers: dict[Who, int] = field(default_factory=dict)

    def add(self, document: Document, instance: int) -> None:
        """Add a document.

        Args:
            document: the document.
            instance: which reading of a unit in the partition it belongs to.
        """
        self.data += self._packed(document, instance)

    def _packed(self, document: Document, instance: int) -> bytes:
        text = document.text or document.title
        reduced = letters(text)
        who = (
            *(document.speaker, document.party, document.state),
            *(document.chamber, document.congress),
        )
        unit = unit_of(document.id).encode()
        fields = "\0".join(str(getattr(document, name)) for name in _STATE)
        return _FORM.pack(
            digest(unit),
            digest(b"\0" + unit),
            digest(document.id.encode()),
            digest(f"{fields}\0{document.text}".encode()),
            digest(reduced),
            int(document.updated.timestamp()) if document.updated else -1,
            document.date.toordinal(),
            len(reduced),
            instance,
            digest(document.id.partition(":")[0].encode()) & 0xFFFFFFFF,
            self.speakers.setdefault(who, len(self.speakers)),
            _KINDS.get(document.doc_type, OTHER),
            *sketch(reduced).tolist(),
        )

    def to_bytes(self) -> bytes:
        """The file of the partition."""
        return json.dumps(list(self.speakers)).encode() + b"\n" + bytes(self.data)


def read_records(content: bytes) -> tuple[list[Who], Records]:
    """The speakers and the records of a partition.

    Args:
        content: what `RecordWriter.to_bytes` made.
    """
    head, _, rest = content.partition(b"\n")
    found: list[Any] = json.loads(head)
    return [tuple(who) for who in found], np.frombuffer(rest, dtype=RECORD)
