"""Read single columns, fields and texts of a store's segments during reconciliation."""

from collections import Counter
from contextlib import ExitStack
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engram.policy.segment.file import connect, unpack
from engram.policy.store import Store

_FIELDS = ("id", "doc_type", "date", "title", "session", "chamber", "url", "source")


class SegmentReader:
    """The segments of a store by the key of their partition, opened on demand.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def tokens(self, key: str) -> NDArray[np.int32]:
        """Return the number of terms of each document."""
        data = self._rows(key, "SELECT data FROM columns WHERE name = 'tokens'")[0][0]
        return np.frombuffer(data, dtype=np.int32)

    def types(self, key: str, kept: NDArray[np.bool_]) -> dict[str, int]:
        """Return the number of documents of each type among some."""
        rows = self._rows(key, "SELECT doc_type FROM documents ORDER BY number")
        found = Counter(row[0] for row, keep in zip(rows, kept, strict=True) if keep)
        return dict(sorted(found.items()))

    def fields(self, key: str, number: int) -> dict[str, Any]:
        """Return fields of a document."""
        statement = f"SELECT {', '.join(_FIELDS)} FROM documents WHERE number = ?"
        return dict(zip(_FIELDS, self._rows(key, statement, number)[0], strict=True))

    def text(self, key: str, number: int) -> str:
        """Return the searched text of a document."""
        [(text, title)] = self._rows(
            key,
            "SELECT text, title FROM texts JOIN documents USING (number) WHERE number = ?",
            number,
        )
        return unpack(text) or title

    def _rows(self, key: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        if key not in self._open:
            segment = self._store.manifest.partitions[key].segment
            assert segment is not None, "a document is in a segment"
            path = self._store.file(f"segments/{segment.sha256}.sqlite", segment.sha256)
            connection = connect(path)
            self._stack.callback(connection.close)
            self._open[key] = connection
        return self._open[key].execute(statement, values).fetchall()
