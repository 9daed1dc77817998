"""The documents on a page of a list that is in order over all segments."""

from typing import NamedTuple

import numpy as np

from engram.policy.engine import Page
from engram.policy.query.spans import Integers


class Rows(NamedTuple):
    """Documents of a list, in its order but for those of equal rank.

    Args:
        rank: Rank of each, (n); documents of equal rank are ordered by their ids.
        weight: Number of entries of the list that it makes up, (n).
        segment: Index of its segment, (n).
        number: Its number in the segment, (n).
    """

    rank: Integers
    weight: Integers
    segment: Integers
    number: Integers


class Leading:
    """Keeps the documents that may be on a page, while segments are read one after another.

    Args:
        page: The page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self._total = 0
        self.rows = Rows(*np.empty((4, 0), dtype=np.int64))

    def add(self, rank: Integers, weight: Integers, segment: int, number: Integers) -> None:
        """Add the documents of a segment; those that cannot be on the page are dropped.

        Args:
            rank: Rank of each, (n).
            weight: Number of entries that it makes up, (n).
            segment: Index of the segment.
            number: Its number in the segment, (n).
        """
        if not self.page.limit:
            return
        self._total += int(weight.sum())
        added = Rows(rank, weight, np.full_like(number, segment), number)
        joined = Rows(*map(np.concatenate, zip(self.rows, added, strict=True)))
        order = np.argsort(joined.rank, kind="stable")
        until = np.cumsum(joined.weight[order])
        wanted = min(self.page.limit + self.page.offset, self._total)
        last = int(np.searchsorted(until, wanted))
        if last < len(order):
            ranks = joined.rank[order]
            order = order[: np.searchsorted(ranks, ranks[last], side="right")]
        self.rows = Rows(*(column[order] for column in joined))

    def shown(self) -> tuple[Rows, int]:
        """Return the documents from the first rank on the page, and the entries to skip in them."""
        until = np.cumsum(self.rows.weight)
        offset = min(self.page.offset, self._total)
        first = int(np.searchsorted(until, offset, side="right"))
        if first == len(until):
            return Rows(*np.empty((4, 0), dtype=np.int64)), 0
        start = int(np.searchsorted(self.rows.rank, self.rows.rank[first], side="left"))
        skipped = int(until[start] - self.rows.weight[start])
        return Rows(*(column[start:] for column in self.rows)), offset - skipped
