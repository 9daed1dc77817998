"""The exact index against a dictionary that is sorted anew for every search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.index import Searchable
from engram.retrieval.exact import ExactIndex

AXES = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)  # cosines −1, 0 and 1 exactly
STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcdefg"), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.sampled_from("abcdefg"), st.just(0)),
)


@given(
    st.lists(STEP, max_size=25),
    st.integers(0, 3),
    st.integers(1, 9),
    st.integers(0, 4),
    st.none() | st.sets(st.sampled_from("abcdefgxyz")),
)
def test_any_history_is_searched_as_a_sorted_dictionary(steps, axis, limit, offset, among) -> None:
    index, plain = ExactIndex(2), {}
    for action, item, which in steps:
        if action == "put":
            index.put([item], 3 * AXES[[which]])
            plain[item] = which
        elif item in plain:
            index.remove([item])
            del plain[item]
        else:
            with pytest.raises(ValueError, match="there is no vector"):
                index.remove([item])
    allowed = [item for item in plain if among is None or item in among]
    ranked = sorted((-float(AXES[plain[i]] @ AXES[axis]), i) for i in allowed)
    hits = index.search(AXES[axis], limit, offset, among)
    assert list(hits) == [(item, -score) for score, item in ranked[offset : offset + limit]]
    assert hits.total == len(allowed)
    assert len(index) == len(plain)


def test_cosines_of_many_vectors_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    vectors, query = rng.normal(size=(500, 16)), rng.normal(size=16)
    index: Searchable = ExactIndex(16)
    assert isinstance(index, ExactIndex)
    index.put([f"{i:03}" for i in range(500)], vectors)
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    best = np.argsort(-cosines)[:20]
    hits = index.search(query, 20)
    assert list(hits.ids) == [f"{i:03}" for i in best]
    np.testing.assert_allclose(hits.scores, cosines[best], atol=1e-6)
    assert "007" in index
    assert "7" not in index


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda index: index.put(["b"], np.ones((1, 3))), r"shape \(1, 3\); the index needs"),
        (lambda index: index.put(["b", "b"], np.ones((2, 2))), "id 'b' is given twice"),
        (lambda index: index.put(["b", "c"], np.eye(2) * [1, 0]), "vector 1 is zero"),
        (lambda index: index.put(["b"], np.array([[np.nan, 1]])), "vector 0 is zero or not finite"),
        (lambda index: index.remove(["a", "z"]), "'z'; 1 ids are unknown"),
        (lambda index: index.search(np.zeros(2)), "no direction"),
        (lambda index: index.search(np.ones(2), 0), "limit 0"),
        (lambda index: index.search(np.ones(2), 1, -1), "offset -1"),
        (lambda index: ExactIndex(0), "dimensions is 0"),
    ],
)
def test_what_cannot_be_done_changes_nothing(call, message: str) -> None:
    index = ExactIndex(2)
    index.put(["a"], np.ones((1, 2)))
    with pytest.raises(ValueError, match=message):
        call(index)
    assert index.search(np.ones(2)).ids == ("a",)
    assert len(index) == 1
