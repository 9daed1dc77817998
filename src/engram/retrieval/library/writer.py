"""`Writer`: adds vectors to an index, a segment at a time."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from engram.retrieval.library.library import open_segments, segment_paths, segment_stem
from engram.retrieval.library.segment import Rows, Segment, write_segment
from engram.retrieval.picture import Facts

FEW = 512
"""Pictures after which a segment is written: what a kill costs at most."""
MANY = 16384
"""Pictures of a segment that is not merged with others."""


@final
class Writer:
    """Writes the segments of a model.

    Args:
        store: Folder of the index.
        model: Its identity.

    Raises:
        ValueError: If a segment is damaged.
    """

    def __init__(self, store: Path, model: str) -> None:
        self.store, self._model = store, model
        self._segments = open_segments(store, model)
        self._keys: dict[Path, Sequence[str]] = {
            segment.path: segment.facts()[0] for segment in self._segments
        }
        self.known = {key for keys in self._keys.values() for key in keys}
        self._clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.commit()  # what an interrupt leaves is kept

    def add(
        self,
        keys: Sequence[str],
        facts: Sequence[Facts],
        features: NDArray[np.float32],
        vectors: NDArray[np.float32],
    ) -> None:
        """Add pictures that are not known.

        Args:
            keys: Key of each.
            facts: What is known of each.
            features: Features, (pictures, features).
            vectors: Unit vectors, (pictures, dimensions).
        """
        self.known.update(keys)
        self._new[0].extend(keys)
        self._new[1].extend(facts)
        largest = np.finfo(np.float16).max
        self._features.append(np.clip(features, -largest, largest).astype(np.float16))
        self._vectors.append(vectors)
        if len(self._new[0]) >= FEW:
            self.commit()

    def commit(self) -> None:
        """Write what was added."""
        if self._new[0]:
            features, vectors = np.concatenate(self._features), np.concatenate(self._vectors)
            keys, facts = self._new
            self._write(Rows(keys, facts, features, vectors))
            self._clear()

    def finish(self, live: set[str]) -> None:
        """Write what was added, merge small segments, and leave out pictures that are gone.

        Args:
            live: Keys of the pictures that stay.
        """
        self.commit()
        for group in self._groups(live):
            seen: set[str] = set()
            parts = [_kept(segment.read(), live, seen) for segment in group]
            if any(len(part.keys) for part in parts):
                self._write(_joined(parts))
            for segment in group:
                segment.path.unlink()

    def remove_others(self) -> None:
        """Remove the segments of other models, and what killed runs left."""
        own = set(segment_paths(self.store, self._model))
        for path in (*self.store.glob("*.segment"), *self.store.glob("*.part")):
            if path not in own:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()

    def _groups(self, live: set[str]) -> Iterator[list[Segment]]:
        """Segments to merge: small ones together, and those with many dead rows."""
        group: list[Segment] = []
        alive = 0
        for segment in self._segments:
            keys = self._keys[segment.path]
            stays = sum(key in live for key in keys)
            if segment.rows < MANY or 4 * stays < 3 * segment.rows:
                group.append(segment)
                alive += stays
            if alive >= MANY:
                yield group
                group, alive = [], 0
        whole = len(group) == 1 and alive == group[0].rows
        if group and not whole:
            yield group

    def _write(self, rows: Rows) -> None:
        last = [
            int(path.stem.rpartition("-")[2]) for path in segment_paths(self.store, self._model)
        ]
        number = max(last, default=0) + 1
        path = self.store / f"{segment_stem(self._model)}-{number:08d}.segment"
        write_segment(path, self._model, rows)
        self._segments.append(Segment(path, self._model))
        self._keys[path] = rows.keys

    def _clear(self) -> None:
        self._new: tuple[list[str], list[Facts]] = ([], [])
        self._features: list[NDArray[np.float16]] = []
        self._vectors: list[NDArray[np.float32]] = []


def _kept(rows: Rows, live: set[str], seen: set[str]) -> Rows:
    """The rows that stay, each key once."""
    kept: list[int] = []
    for row, key in enumerate(rows.keys):
        if key in live and key not in seen:
            seen.add(key)
            kept.append(row)
    return Rows(
        [rows.keys[row] for row in kept],
        [rows.facts[row] for row in kept],
        rows.features[kept],
        rows.vectors[kept],
    )


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(
        [key for part in parts for key in part.keys],
        [one for part in parts for one in part.facts],
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )
