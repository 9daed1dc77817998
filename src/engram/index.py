"""`Searchable`, the protocol of an index, and `Hits`, the results of a search."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError

Query_contra = TypeVar("Query_contra", contravariant=True)


@dataclass(frozen=True, eq=False)
class Hits:
    """The hits of a search, best first.

    Args:
        ids: Ids of the hits, (n).
        scores: Score of each hit, (n), non-increasing; its meaning depends on the index.
        total: Total number of hits, of which these may be a page; None for the number of ids.

    Raises:
        ValueError: If lengths differ, scores increase or are not finite, or there are more hits
            than the total.
    """

    ids: Sequence[str]
    scores: Sequence[float] | NDArray[np.float64]
    total: int | None = None

    def __post_init__(self) -> None:
        ids, scores = tuple(self.ids), np.asarray(self.scores, dtype=np.float64)
        total = len(ids) if self.total is None else self.total
        if scores.shape != (len(ids),):
            raise EngramError(f"{len(ids)} ids have scores of shape {scores.shape}; give one each")
        if not np.isfinite(scores).all() or (np.diff(scores) > 0).any():
            raise EngramError("scores must be finite and non-increasing; sort the hits, best first")
        if total < len(ids):
            raise EngramError(f"{len(ids)} hits are more than the total of {total}; count them all")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "total", total)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return zip(self.ids, map(float, self.scores), strict=True)


class Searchable(Protocol[Query_contra]):
    """Finds items."""

    def search(self, query: Query_contra, limit: int = 10, offset: int = 0) -> Hits:
        """Find items.

        Args:
            query: The query.
            limit: Maximum number of hits.
            offset: Number of better hits to skip.

        Returns:
            The hits, best first.
        """
        ...
