"""A view: a SQLite file with the counted documents of a segment and their resolved names.

Segments are written once. Which documents are older versions or duplicates, and who their speakers
are, is known only when the whole record has been read, and is kept in a view: it names its
segment, replaces columns of it, and changes fields of documents.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.policy.document import Document
from engram.policy.segment.file import connect

SUFFIX = ".view"
"""The suffix that distinguishes a view from a segment."""

LIVE = "live"
"""The column that holds 1 for counted documents and 0 for others."""

_SCHEMA = """
CREATE TABLE base (name TEXT NOT NULL);
CREATE TABLE columns (name TEXT PRIMARY KEY, data BLOB NOT NULL, labels TEXT);
CREATE TABLE changes (number INTEGER, field TEXT, value TEXT, PRIMARY KEY (number, field))
    WITHOUT ROWID;
"""

Changes = Mapping[tuple[int, str], str | int | None]
"""New values of fields, by the document's number in the segment and the field."""


def write_view(
    path: Path,
    base: str,
    live: NDArray[np.bool_] | None,
    names: Mapping[str, Sequence[str | None]],
    changes: Changes,
) -> None:
    """Write a view.

    Args:
        path: The file; it must not exist.
        base: Name of the segment's file, in the same folder as the view.
        live: Which documents are counted, (documents); None for all.
        names: By field, the value of each document, for the fields that are filtered and grouped.
        changes: Values that differ from those in the segment.
    """
    connection = connect(path, readonly=False)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN")
        for statement in filter(str.strip, _SCHEMA.split(";\n")):
            connection.execute(statement)
        connection.execute("INSERT INTO base VALUES (?)", (base,))
        columns = {} if live is None else {LIVE: (live.astype(np.int32), None)}
        columns |= {name: _coded(values) for name, values in names.items()}
        rows = [(name, data.tobytes(), labels) for name, (data, labels) in columns.items()]
        connection.executemany("INSERT INTO columns VALUES (?, ?, ?)", rows)
        connection.executemany(
            "INSERT INTO changes VALUES (?, ?, ?)",
            [(*place, json.dumps(value)) for place, value in sorted(changes.items())],
        )
        connection.execute("COMMIT")
    finally:
        connection.close()


def base_of(path: Path) -> Path:
    """Return the segment of a view; a segment is returned unchanged.

    Args:
        path: A view or a segment.

    Raises:
        ValueError: If the view cannot be read.
    """
    if path.suffix != SUFFIX:
        return path
    try:
        connection = connect(path)
        try:
            [(name,)] = connection.execute("SELECT name FROM base").fetchall()
            return path.with_name(str(name))
        finally:
            connection.close()
    except (apsw.Error, ValueError) as error:
        raise EngramError(
            f"{path} is not a view of a segment ({error}); run engram policy verify --repair"
        ) from error


def attach(connection: apsw.Connection, path: Path) -> None:
    """Attach a view to a connection to a segment; its columns become the table `shown`."""
    if path.suffix != SUFFIX:
        connection.execute("CREATE TEMP VIEW shown AS SELECT * FROM main.columns")
        return
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection.execute("ATTACH ? AS above", (uri,))
    connection.execute(
        "CREATE TEMP VIEW shown AS SELECT * FROM above.columns UNION ALL "
        "SELECT * FROM main.columns WHERE name NOT IN (SELECT name FROM above.columns)"
    )


def amended(
    connection: apsw.Connection, path: Path, documents: Sequence[tuple[int, Document]]
) -> list[Document]:
    """Apply the changes of a view to documents.

    Args:
        connection: A connection to which the view is attached.
        path: The view, or the segment itself.
        documents: The documents of the segment, with their numbers.
    """
    if path.suffix != SUFFIX or not documents:
        return [document for _, document in documents]
    rows: list[Any] = connection.execute(
        "SELECT number, field, value FROM above.changes "
        "WHERE number IN (SELECT value FROM json_each(?))",
        (json.dumps([number for number, _ in documents]),),
    ).fetchall()
    changes: dict[int, dict[str, Any]] = {}
    for number, field, value in rows:
        changes.setdefault(number, {})[field] = json.loads(value)
    return [replace(document, **changes.get(number, {})) for number, document in documents]


def _coded(values: Iterable[str | None]) -> tuple[NDArray[np.int32], str]:
    codes: dict[str | None, int] = {}
    data = [codes.setdefault(value, len(codes)) for value in values]
    return np.array(data, dtype=np.int32), json.dumps(list(codes))
