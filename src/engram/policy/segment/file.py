"""A segment: documents and their full-text index in one write-once SQLite file.

    documents   a row each: the fields, and how many terms it has
    texts       the text, compressed, and how many terms come before each of its blocks
    terms       FTS5 over the analysed terms, contentless: positions only
    columns     the fields that queries filter and group by, each as one array
    forms, stems, codes     the forms of words, and which one stands where (`vocabulary`)

FTS5 receives terms that are already analysed, joined by spaces, and a tokenizer that only splits
at spaces, so that only the analyzer decides what a term is.
"""

import json
import os
import re
import string
import zlib
from array import array
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import apsw

from engram.errors import EngramError
from engram.policy.document import Document, searched
from engram.policy.segment import vocabulary

FORMAT = 2
"""Version of the layout of a segment."""

BLOCK = 8_192
"""Minimum characters per block of text, the unit that is re-analysed to show a passage."""

NAMES = ("type", "chamber", "party", "speaker", "state")
"""Columns that hold codes of names."""

FIELDS = (
    *("id", "doc_type", "date", "title", "congress", "session", "chamber"),
    *("speaker", "party", "state", "source", "url"),
)
"""Columns of the table of documents, in order."""

_CUT = re.compile(r"(?<=[^\s\-\u00ad\u2010\u2011]) ")
"""A space that is not inside a word hyphenated across the end of a line."""

EPOCH = date(1970, 1, 1).toordinal()
"""The epoch from which days are counted."""

MAGIC = 0x656E6772
"""SQLite application id of segments: "engr"."""

_QUOTED = string.punctuation.replace("'", "''").replace('"', '""')
_SCHEMA = f"""
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, doc_type TEXT NOT NULL,
    date TEXT NOT NULL, title TEXT NOT NULL, congress INTEGER, session INTEGER, chamber TEXT,
    speaker TEXT, party TEXT, state TEXT, source TEXT NOT NULL, url TEXT,
    tokens INTEGER NOT NULL);
CREATE TABLE texts (number INTEGER PRIMARY KEY, text BLOB NOT NULL, before BLOB NOT NULL);
CREATE TABLE columns (name TEXT PRIMARY KEY, data BLOB NOT NULL, labels TEXT);
CREATE VIRTUAL TABLE terms USING fts5(
    joined, content='', columnsize=0, tokenize="ascii tokenchars '{_QUOTED}'");
INSERT INTO terms(terms, rank) VALUES ('hashsize', {32 * 2**20});
{vocabulary.SCHEMA}"""


class SegmentCounts(NamedTuple):
    """What a segment holds.

    Args:
        documents: Number of documents.
        tokens: Number of their terms.
        text_bytes: Size of their texts in UTF-8, uncompressed.
    """

    documents: int
    tokens: int
    text_bytes: int


def write(path: str | Path, documents: Iterable[Document]) -> SegmentCounts:
    """Write documents and their index to a new file.

    The documents are streamed: memory holds one of them, an index of bounded size, and the
    vocabulary.

    Args:
        path: The file; it must not exist.
        documents: The documents, of distinct ids.

    Returns:
        What was written.

    Raises:
        ValueError: If the file exists, or two documents have the same id.
    """
    path = Path(path)
    if path.exists():
        raise EngramError(f"{path} exists; a segment is written once, so choose another name")
    connection = connect(path, readonly=False)
    try:
        for line in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384"):
            connection.execute(f"PRAGMA {line}").fetchall()
        connection.execute(f"PRAGMA application_id = {MAGIC}").fetchall()
        connection.execute(f"PRAGMA user_version = {FORMAT}").fetchall()
        connection.execute("BEGIN")
        for statement in filter(str.strip, _SCHEMA.split(";\n")):
            connection.execute(statement)
        counts = _fill(connection, documents)
        connection.execute("INSERT INTO terms(terms) VALUES ('optimize')")
        connection.execute("COMMIT")
        if connection.execute("PRAGMA freelist_count").fetchall()[0][0]:
            connection.execute("VACUUM")
    finally:
        connection.close()
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return counts


def connect(path: Path, readonly: bool = True) -> apsw.Connection:
    """Open a SQLite file that nothing else writes to.

    Args:
        path: The file.
        readonly: Whether the file exists and is opened read-only.
    """
    uri = path.absolute().as_uri() + ("?mode=ro&immutable=1" if readonly else "?mode=rwc")
    writing = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    flags = apsw.SQLITE_OPEN_READONLY if readonly else writing
    return apsw.Connection(uri, flags=flags | apsw.SQLITE_OPEN_URI)


def blocks(text: str) -> Iterator[tuple[int, int]]:
    """Divide a text into blocks at spaces, without cutting words.

    Args:
        text: Any text.

    Yields: Start and end of each block.
    """
    start = 0
    while start < len(text):
        end = block_end(text, start)
        yield start, end
        start = end


def block_end(text: str, start: int) -> int:
    """Return where a block ends: at a space, or where the text ends.

    Args:
        text: Any text.
        start: Where the block starts.
    """
    found = _CUT.search(text, start + BLOCK)
    return found.start() if found else len(text)


def unpack(text: bytes) -> str:
    """Decompress a text.

    Args:
        text: The compressed text.
    """
    return zlib.decompress(text).decode()


def _fill(connection: apsw.Connection, documents: Iterable[Document]) -> SegmentCounts:
    columns: dict[str, array[int]] = {
        name: array("i") for name in ("date", "congress", "tokens", *NAMES)
    }
    codes: dict[str, dict[str | None, int]] = {name: {} for name in NAMES}
    size = 0
    words = vocabulary.Writer(connection.executemany)
    for number, document in enumerate(documents):
        text = searched(document)
        joined, before = _analysed(text, words)
        tokens = joined.count(" ") + 1 if joined else 0
        encoded = document.text.encode()
        size += len(encoded)
        _insert(connection, number, document, tokens)
        connection.execute(
            "INSERT INTO texts VALUES (?, ?, ?)", (number, zlib.compress(encoded, 3), before)
        )
        connection.execute("INSERT INTO terms(rowid, joined) VALUES (?, ?)", (number, joined))
        columns["date"].append(document.date.toordinal() - EPOCH)
        columns["congress"].append(document.congress or 0)
        columns["tokens"].append(tokens)
        for name in NAMES:
            value = getattr(document, "doc_type" if name == "type" else name)
            columns[name].append(codes[name].setdefault(value, len(codes[name])))
    words.finish()
    for name, values in columns.items():
        labels = json.dumps(list(codes[name])) if name in codes else None
        connection.execute("INSERT INTO columns VALUES (?, ?, ?)", (name, values.tobytes(), labels))
    return SegmentCounts(len(columns["date"]), sum(columns["tokens"]), size)


def _analysed(text: str, words: vocabulary.Writer) -> tuple[str, bytes]:
    """The terms of a text, joined, and how many come before each block but the first."""
    if len(text) <= BLOCK:
        return words.add(text), b""
    parts = [words.add(text[start:end]) for start, end in blocks(text)]
    before, total = array("I"), 0
    for part in parts[:-1]:
        total += part.count(" ") + 1 if part else 0
        before.append(total)
    return " ".join(filter(None, parts)), before.tobytes()


def _insert(connection: apsw.Connection, number: int, document: Document, tokens: int) -> None:
    values = [getattr(document, field) for field in FIELDS]
    values[FIELDS.index("date")] = document.date.isoformat()
    marks = ", ".join("?" * (len(values) + 2))
    try:
        connection.execute(f"INSERT INTO documents VALUES ({marks})", (number, *values, tokens))
    except Exception as error:
        if "UNIQUE" in str(error):
            raise EngramError(
                f"two documents have the id {document.id!r}; leave the second one out"
            ) from error
        raise
