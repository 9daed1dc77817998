"""`Library`: an index of pictures on disk, searched by vectors and filtered before the ranking."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.index import Hits
from engram.retrieval.library.catalogue import Catalogue, load_catalogue
from engram.retrieval.library.segment import Segment
from engram.retrieval.picture import Facts, content_key


class Entry(NamedTuple):
    """A picture of the index.

    Attributes:
        key: Key of its content.
        paths: Its files: more than one if there are copies.
        facts: What is known of it.
    """

    key: str
    paths: list[str]
    facts: Facts

    @property
    def day(self) -> date | None:
        """The day when it was taken, by its EXIF data."""
        return datetime.fromisoformat(self.facts.taken).date() if self.facts.taken else None


@final
class Library:
    """An index of pictures, opened for reading.

    Segments are read one after the other, so that memory holds the vectors of one at a time.

    Args:
        store: Folder of the index.

    Raises:
        ValueError: If there is no index, a file of it is damaged, or a picture has no vector.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self.catalogue: Catalogue = load_catalogue(store)
        self._segments = open_segments(store, self.catalogue.model)
        pictures = self.catalogue.pictures
        self.entries: list[Entry] = []
        self._places: list[NDArray[np.int64]] = []
        seen: set[str] = set()
        for segment in self._segments:
            kept = []
            for row, (key, facts) in enumerate(zip(*segment.facts(), strict=True)):
                if key in pictures and key not in seen:
                    seen.add(key)
                    kept.append(row)
                    self.entries.append(Entry(key, pictures[key], facts))
            self._places.append(np.array(kept, np.int64))
        self._numbers = {entry.key: number for number, entry in enumerate(self.entries)}
        missing = len(pictures) - len(self.entries)
        if missing:
            raise EngramError(
                f"the index in {store} has no vectors for {missing} of {len(pictures)} pictures; "
                "index the folder again"
            )

    def __len__(self) -> int:
        return len(self.entries)

    def entry(self, key: str) -> Entry:
        """The picture with a key."""
        return self.entries[self._numbers[key]]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Unit vectors in the order of `entries`, a block for each segment."""
        for segment, kept in zip(self._segments, self._places, strict=True):
            vectors = segment.vectors()
            yield vectors if len(kept) == len(vectors) else vectors[kept]

    def scores(self, queries: NDArray[np.floating]) -> NDArray[np.float32]:
        """The cosine of each picture with each query.

        Args:
            queries: Unit vectors, (queries, dimensions).

        Returns:
            Cosines, (queries, pictures).

        Raises:
            ValueError: If the queries have another number of dimensions.
        """
        parts = [np.empty((len(queries), 0), np.float32)]
        for block in self.blocks():
            if block.shape[1] != queries.shape[1]:
                raise EngramError(
                    f"the query has {queries.shape[1]} dimensions and the index "
                    f"{block.shape[1]}; it is of another model: index the folder again"
                )
            parts.append(np.asarray(queries, np.float32) @ block.T)
        return np.concatenate(parts, axis=1)

    def search(
        self,
        query: NDArray[np.floating],
        limit: int = 10,
        offset: int = 0,
        keep: Callable[[Entry], bool] | None = None,
    ) -> Hits:
        """Find the nearest pictures. Copies of a picture are one hit.

        Args:
            query: A unit vector, (dimensions).
            limit: Maximum number of hits.
            offset: Number of better hits to skip.
            keep: Which pictures may be found: others are left out before the ranking.

        Returns:
            The keys of the pictures and their cosines; the total counts the pictures compared.

        Raises:
            ValueError: If a number is out of range, or the query does not fit.
        """
        if limit < 1 or offset < 0:
            raise EngramError(f"limit {limit}, offset {offset}; give 1 or more, and 0 or more")
        every = range(len(self))
        chosen = np.array([i for i in every if keep is None or keep(self.entries[i])], np.int64)
        scores = self.scores(query[None])[0][chosen]
        order = sorted(
            _nearest(scores, offset + limit),
            key=lambda i: (-scores[i], self.entries[chosen[i]].paths[0]),
        )[offset : offset + limit]
        keys = [self.entries[chosen[i]].key for i in order]
        return Hits(keys, scores[order].astype(np.float64), len(chosen))


def open_segments(store: Path, model: str) -> list[Segment]:
    """The segments of a model.

    Args:
        store: Folder of the index.
        model: Its identity.

    Raises:
        ValueError: If one is damaged.
    """
    return [Segment(path, model) for path in segment_paths(store, model)]


def segment_paths(store: Path, model: str) -> list[Path]:
    """The files of the segments of a model, in their order; those of other models differ in name.

    Args:
        store: Folder of the index.
        model: Its identity.
    """
    return sorted(store.glob(f"{segment_stem(model)}-*.segment"))


def segment_stem(model: str) -> str:
    """The start of the names of a model's segments.

    Args:
        model: Its identity.
    """
    return content_key(model.encode())[:12]


def _nearest(scores: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    """Rows of the best scores, and of those level with the last of them."""
    if len(scores) <= wanted:
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
    return np.flatnonzero(scores >= least)
