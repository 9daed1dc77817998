"""The nouns Searchable and Hits."""

from collections.abc import Iterable

import numpy as np
import pytest

from engram.index import Hits, Searchable


class Numbers:
    """Numbers, searched by nearness: as little as can be searched."""

    def __init__(self, items: Iterable[float]) -> None:
        self.items = list(items)

    def search(self, query: float, limit: int = 10, offset: int = 0) -> Hits:
        ranked = sorted(self.items, key=lambda item: abs(item - query))[offset : offset + limit]
        return Hits([str(x) for x in ranked], [-abs(x - query) for x in ranked], len(self.items))


def test_what_searches_is_searchable() -> None:
    numbers: Searchable[float] = Numbers([1.0, 5.0, 2.5])
    hits = numbers.search(2.0, limit=2)
    assert list(hits) == [("2.5", -0.5), ("1.0", -1.0)]
    assert (len(hits), hits.total) == (2, 3)


def test_hits_are_plain_ids_and_an_array() -> None:
    hits = Hits(["a", "b"], [2, 1])
    assert hits.ids == ("a", "b")
    assert isinstance(hits.scores, np.ndarray)
    assert hits.total == 2
    assert len(Hits((), ())) == 0


@pytest.mark.parametrize(
    ("ids", "scores", "total", "problem"),
    [
        (["a"], [1, 2], None, "1 ids have scores of shape"),
        (["a", "b"], [1, 2], None, "non-increasing"),
        (["a"], [float("nan")], None, "finite"),
        (["a", "b"], [2, 1], 1, "more than the total of 1"),
    ],
)
def test_mistakes_are_named(
    ids: list[str], scores: list[float], total: int | None, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Hits(ids, scores, total)
