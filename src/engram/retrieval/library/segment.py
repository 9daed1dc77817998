"""Segments: files of vectors, features and facts of pictures, checked before they are used."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.retrieval.picture import Facts

MAGIC = b"ENGRAMP1"
LONGEST_HEADER = 1 << 16
MOST_ROWS = 1 << 24
PARTS = ("vectors", "facts", "features")


@dataclass(frozen=True, eq=False)
class Rows:
    """Pictures that were embedded.

    Args:
        keys: Key of each by its content.
        facts: What is known of each.
        features: Features by the encoder, (pictures, features).
        vectors: Unit vectors by the head, (pictures, dimensions).
    """

    keys: Sequence[str]
    facts: Sequence[Facts]
    features: NDArray[np.float16]
    vectors: NDArray[np.float32]


class Segment:
    """A file of rows. Opening it checks its header; each part is checked when it is read.

    Args:
        path: The file.
        model: The model that its vectors must be of.

    Raises:
        ValueError: If the file is not a segment, is damaged, or is of another model.
    """

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        with path.open("rb") as file:
            start = file.read(len(MAGIC) + 36)
            length = int.from_bytes(start[-4:], "little")
            if start[: len(MAGIC)] != MAGIC or len(start) < 44 or length > LONGEST_HEADER:
                raise self._wrong("it does not begin as one")
            head = file.read(length)
        if hashlib.sha256(head).digest() != start[len(MAGIC) : -4]:
            raise self._wrong("its header has another SHA-256")
        header = self._checked(json.loads(head))
        if header["model"] != model:
            raise self._wrong(f"it is of the model {header['model']!r} and not of {model!r}")
        self.rows: int = header["rows"]
        self.dimensions: int = header["dimensions"]
        self.width: int = header["features"]
        self._sizes: list[int] = header["sizes"]
        self._hashes: list[str] = header["sha256"]
        self._start = 44 + length
        if path.stat().st_size != self._start + sum(self._sizes):
            raise self._wrong("its length is not what its header says")

    def vectors(self) -> NDArray[np.float32]:
        """Unit vectors, (rows, dimensions)."""
        found = np.frombuffer(self._part("vectors"), np.dtype("<f4"))
        return self._finite(found.reshape(self.rows, self.dimensions))

    def features(self) -> NDArray[np.float16]:
        """Features, (rows, features)."""
        found = np.frombuffer(self._part("features"), np.dtype("<f2"))
        return self._finite(found.reshape(self.rows, self.width))

    def facts(self) -> tuple[list[str], list[Facts]]:
        """The key and the facts of each row."""
        try:
            lines = json.loads(self._part("facts"))
            keys = [str(key) for key, *_ in lines]
            facts = [_facts(rest) for _, *rest in lines]
        except (ValueError, TypeError) as error:
            raise self._wrong("its facts are not of the expected form") from error
        if len(keys) != self.rows:
            raise self._wrong(f"it has facts of {len(keys)} pictures and {self.rows} rows")
        return keys, facts

    def read(self) -> Rows:
        """All rows."""
        keys, facts = self.facts()
        return Rows(keys, facts, self.features(), self.vectors())

    def _part(self, name: str) -> bytes:
        number = PARTS.index(name)
        with self.path.open("rb") as file:
            file.seek(self._start + sum(self._sizes[:number]))
            content = file.read(self._sizes[number])
        if hashlib.sha256(content).hexdigest() != self._hashes[number]:
            raise self._wrong(f"its {name} have another SHA-256")
        return content

    def _finite(self, matrix: NDArray[Any]) -> NDArray[Any]:
        if not np.isfinite(matrix).all():
            raise self._wrong("it has numbers that are not finite")
        return matrix

    def _checked(self, header: Any) -> dict[str, Any]:
        try:
            rows, dimensions, features = (header[k] for k in ("rows", "dimensions", "features"))
            sizes = [rows * dimensions * 4, header["sizes"][1], rows * features * 2]
            right = (
                all(type(n) is int and 0 < n <= MOST_ROWS for n in (rows, dimensions, features))
                and type(sizes[1]) is int
                and sizes[1] > 0
                and header["sizes"] == sizes
                and len(header["sha256"]) == len(PARTS)
                and isinstance(header["model"], str)
            )
        except (KeyError, TypeError, IndexError):
            right = False
        if not right:
            raise self._wrong("its header is not of the expected form")
        return header

    def _wrong(self, why: str) -> EngramError:
        return EngramError(
            f"{self.path} is not a segment of an index: {why}; delete this file, and index the "
            "folder again to embed its pictures"
        )


def write_segment(path: Path, model: str, rows: Rows) -> None:
    """Write a segment; after a kill there is the whole file or none.

    Args:
        path: The file.
        model: The model that the vectors are of.
        rows: At least one row.
    """
    facts = [[key, *one] for key, one in zip(rows.keys, rows.facts, strict=True)]
    parts = (
        np.ascontiguousarray(rows.vectors, np.dtype("<f4")).tobytes(),
        json.dumps(facts, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        np.ascontiguousarray(rows.features, np.dtype("<f2")).tobytes(),
    )
    header = json.dumps(
        {
            "model": model,
            "rows": len(rows.keys),
            "dimensions": rows.vectors.shape[1],
            "features": rows.features.shape[1],
            "sizes": [len(part) for part in parts],
            "sha256": [hashlib.sha256(part).hexdigest() for part in parts],
        }
    ).encode()
    start = MAGIC + hashlib.sha256(header).digest() + len(header).to_bytes(4, "little")
    replace_file(path, start, header, *parts)


def replace_file(path: Path, *parts: bytes) -> None:
    """Replace the content of a file at once; after a kill it is the old or the new one.

    Args:
        path: The file.
        parts: The content.
    """
    made = path.with_name(path.name + ".part")
    with made.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)


def _facts(values: Sequence[Any]) -> Facts:
    width, height, taken, look, exif = values
    right = (
        isinstance(width, int)
        and isinstance(height, int)
        and isinstance(taken, str)
        and len(bytes.fromhex(look)) == 8
        and all(isinstance(text, str) for item in exif.items() for text in item)
    )
    if not right:
        raise TypeError("facts of another type")
    return Facts(width, height, taken, look, exif)
