"""`ExactIndex`: exact search among vectors in memory, which can be filtered before ranking."""

from collections.abc import Collection, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.index import Hits


@final
class ExactIndex:
    """Vectors by id, searched by cosine; every vector is compared.

    Hits with equal scores are in the order of their ids.

    Args:
        dimensions: Dimensions of the vectors.

    Raises:
        ValueError: If there are no dimensions.
    """

    def __init__(self, dimensions: int) -> None:
        if dimensions < 1:
            raise EngramError(f"dimensions is {dimensions}; give 1 or more")
        self._rows = np.empty((0, dimensions), np.float32)
        self._ids: list[str] = []
        self._at: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, item: object) -> bool:
        return item in self._at

    def put(self, ids: Sequence[str], vectors: NDArray[np.floating]) -> None:
        """Add vectors; a vector whose id is there already is replaced.

        Args:
            ids: Ids, each once.
            vectors: Their vectors, of any length but 0, (ids, dimensions).

        Raises:
            ValueError: If shapes differ, an id is there twice, or a vector has no direction; the
                index is then unchanged.
        """
        unit = self._directions(vectors, len(ids))
        if len(set(ids)) != len(ids):
            twice = next(item for number, item in enumerate(ids) if item in ids[:number])
            raise EngramError(f"id {twice!r} is given twice; give each once")
        new = sum(item not in self._at for item in ids)
        self._grow(len(self) + new)
        for item, row in zip(ids, unit, strict=True):
            if item not in self._at:
                self._at[item] = len(self._ids)
                self._ids.append(item)
            self._rows[self._at[item]] = row

    def remove(self, ids: Sequence[str]) -> None:
        """Remove vectors.

        Args:
            ids: Their ids.

        Raises:
            ValueError: If an id is not there; the index is then unchanged.
        """
        unknown = [item for item in ids if item not in self._at]
        if unknown:
            raise EngramError(f"there is no vector {unknown[0]!r}; {len(unknown)} ids are unknown")
        for item in dict.fromkeys(ids):
            at, last = self._at.pop(item), self._ids.pop()
            if last != item:  # the last row fills the gap
                self._rows[at] = self._rows[len(self._ids)]
                self._ids[at], self._at[last] = last, at

    def search(
        self,
        query: NDArray[np.floating],
        limit: int = 10,
        offset: int = 0,
        among: Collection[str] | None = None,
    ) -> Hits:
        """Find the nearest vectors.

        Args:
            query: A vector, (dimensions).
            limit: Maximum number of hits.
            offset: Number of better hits to skip.
            among: Ids that may be found; others are left out before the ranking, and ids that
                are not in the index are never hits. None for all.

        Returns:
            The hits with their cosines; the total is the number of vectors that were compared.

        Raises:
            ValueError: If the query has no direction, or a number is out of range.
        """
        if limit < 1 or offset < 0:
            raise EngramError(f"limit {limit}, offset {offset}; give 1 or more, and 0 or more")
        unit = self._directions(np.asarray(query)[None], 1)[0]
        held = self._rows[: len(self)]
        if among is None:
            rows, scores = np.arange(len(self)), held @ unit
        else:
            rows = np.array(sorted(self._at[i] for i in set(among) if i in self._at), np.int64)
            scores = held[rows] @ unit
        wanted = min(offset + limit, len(rows))
        if wanted == 0:
            return Hits([], [], len(rows))
        # all that are level with the last one wanted, so that ids decide between them
        least = np.partition(scores, len(rows) - wanted)[len(rows) - wanted]
        near = np.flatnonzero(scores >= least)
        near = sorted(near, key=lambda i: (-scores[i], self._ids[rows[i]]))[offset:wanted]
        return Hits([self._ids[rows[i]] for i in near], scores[near], len(rows))

    def _directions(self, vectors: NDArray[np.floating], count: int) -> NDArray[np.float32]:
        matrix = np.asarray(vectors, np.float32)
        expected = (count, self._rows.shape[1])
        if matrix.shape != expected:
            raise EngramError(f"vectors have shape {matrix.shape}; the index needs {expected}")
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        wrong = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
        if wrong.size:
            raise EngramError(f"vector {wrong[0]} is zero or not finite; it has no direction")
        return matrix / lengths

    def _grow(self, count: int) -> None:
        if count > len(self._rows):
            rows = np.empty((max(count, 2 * len(self._rows)), self._rows.shape[1]), np.float32)
            rows[: len(self)] = self._rows[: len(self)]
            self._rows = rows
