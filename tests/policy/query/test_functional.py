"""What queries mean: small cases by hand, and laws."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.policy import analyzer
from engram.policy.analyzer import Word
from engram.policy.query import Near, Not, Or, Phrase, Term, parse, spans, universe
from engram.policy.query.functional import evaluate, minimal
from tests.policy.queries import queries

FIELDS = {
    "date": date(1913, 4, 8),
    "congress": 63,
    "type": "message",
    "chamber": "joint",
    "party": "Democrat",
    "speaker": "Woodrow  Wilson",
    "state": None,
}

CASES = {
    ("=taxes", "tax taxes Taxes taxed"): [(1, 2), (2, 3)],
    ('"=taxes cut"', "taxes cuts tax cut"): [(0, 2)],
    ('="tax cut"', "taxes cut Tax Cut"): [(2, 4)],
    ("={tax, cuts}", "taxes cut tax cuts"): [(2, 3), (3, 4)],
    ("tax NEAR/2 =cuts", "taxes the cuts the cut"): [(0, 3)],
    ("tax OR =taxes", "taxes tax"): [(0, 1), (1, 2)],
    ("industry*", "industry industry's industries industrial"): [(0, 1), (1, 2)],
    ('"industry* policy"', "industry policy industries policies"): [(0, 2)],
    ("import", "imports imported importing important importation"): [(0, 1), (1, 2), (2, 3)],
    ("don't", "don’t don't do not"): [(0, 1), (1, 2)],
    ("pena", "Peña Pen\u0303a pena"): [(0, 1), (1, 2), (2, 3)],
    ("=pena", "Peña Pen\u0303a pena"): [(2, 3)],
    ("=Peña", "Peña Pen\u0303a pena"): [(0, 1), (1, 2)],
    ("peñ*", "Peña pennant pen"): [(0, 1), (1, 2), (2, 3)],
    ("unemployment", "unemploy-\nment unemploy\u00adment"): [(0, 1), (1, 2)],
    ("tax", "tax cut taxes"): [(0, 1), (2, 3)],
    ("tax*", "taxation tax cut"): [(0, 1), (1, 2)],
    ('"tax cut"', "tax cut tax the cut"): [(0, 2)],
    ('"tax tax"', "tax tax tax"): [(0, 2), (1, 3)],
    ('"{new, new and old} tax"', "new tax new and old tax"): [(0, 2), (2, 6)],
    ("tax NEAR/1 cut", "cut tax the cut"): [(0, 2)],
    ("tax NEAR/2 cut", "cut tax the cut"): [(0, 2), (1, 4)],
    ("tax BEFORE/2 cut", "cut tax the cut"): [(1, 4)],
    ("{raise, increase} NEAR/3 tax", "raise or increase taxes"): [(2, 4)],
    ("raise NEAR/3 tax", "raise taxes and taxes"): [(0, 2)],
    ("tax NEAR/3 tax", "tax"): [],
    ("tax NEAR/3 tax", "tax a tax"): [(0, 3)],
    ('"tax cut" NEAR/2 "cut bill"', "tax cut bill"): [],
    ('tax OR "tax cut"', "tax cut tax"): [(0, 1), (2, 3)],
    ("tax cut", "tax a tax cut"): [(0, 1), (2, 3), (3, 4)],
    ("tax bill", "tax cut"): None,
    ("tax NOT cut", "tax cut"): None,
    ("tax NOT bill", "tax cut"): [(0, 1)],
    ("NOT bill", "tax cut"): [],
    ("tax OR bill", "tax cut"): [(0, 1)],
    ("type:message", "tax"): [],
    ('speaker:"woodrow wilson" tax', "tax"): [(0, 1)],
    ("state:NY", "tax"): None,
    ("NOT state:NY", "tax"): [],
    ("date:1913-04 congress:63", "tax"): [],
    ("date:1913-05..", "tax"): None,
    ("congress:..62", "tax"): None,
}


@pytest.mark.parametrize(("query", "text"), CASES)
def test_occurrences(query: str, text: str) -> None:
    found = evaluate(parse(query), analyzer.words(text), FIELDS)
    expected = CASES[query, text]
    assert found.matched == (expected is not None) or expected == []
    if expected is not None:
        assert found.occurrences == expected
    else:
        assert not found.matched
        assert not found.spans


pairs = st.tuples(st.integers(0, 12), st.integers(1, 4)).map(lambda x: (x[0], x[0] + x[1]))
sets = st.sets(pairs, max_size=15)


@given(sets)
def test_minimal_spans_contain_none_and_every_span_contains_one(some: set[tuple[int, int]]) -> None:
    kept = minimal(some)
    assert set(kept) <= some
    assert all(any(a <= c and d <= b for c, d in kept) for a, b in some)
    starts, ends = [a for a, _ in kept], [b for _, b in kept]
    assert starts == sorted(set(starts))
    assert ends == sorted(set(ends))


@given(sets)
def test_minimal_spans_in_numpy(some: set[tuple[int, int]]) -> None:
    ordered = sorted(some)
    start, end = (np.array([x[i] for x in ordered], dtype=np.int64) for i in (0, 1))
    found = spans.minimal(spans.Spans(start, end))
    assert list(zip(found.start.tolist(), found.end.tolist(), strict=True)) == minimal(some)


words = st.lists(st.sampled_from("abcd").map(lambda x: Word(x, x, x)), max_size=25)
A, B, C = map(Term, "abc")


@given(words, st.integers(1, 6))
def test_either_order_is_one_order_or_the_other(text: list[Word], within: int) -> None:
    free = evaluate(Near(A, B, within, False), text, {}).spans
    one, other = Near(A, B, within, True), Near(B, A, within, True)
    assert free == evaluate(Or((one, other)), text, {}).spans
    assert free == evaluate(Near(B, A, within, False), text, {}).spans


@given(words)
def test_a_phrase_is_the_nearest_order(text: list[Word]) -> None:
    assert evaluate(Phrase((A, B)), text, {}) == evaluate(Near(A, B, 1, True), text, {})


@given(words, st.integers(1, 6))
def test_an_alternative_more_loses_no_document(text: list[Word], within: int) -> None:
    narrow, wide = Near(A, B, within, False), Near(Or((A, Phrase((A, C)))), B, within, False)
    assert evaluate(narrow, text, {}).spans <= evaluate(wide, text, {}).spans


@given(words, words, st.integers(1, 3))
def test_a_document_does_not_look_into_the_next(
    one: list[Word], other: list[Word], within: int
) -> None:
    node = Near(A, B, within, False)
    apart = [*one, *[Word("z", "z", "z")] * 3, *other]
    found = [len(evaluate(node, text, {}).occurrences) for text in (one, other, apart)]
    assert found[0] + found[1] == found[2]


def test_what_matches_is_in_the_universe_and_not_is_the_rest() -> None:
    terms = analyzer.words("the tax cut raises the new duties of a nation")
    for query in queries(seed=5, count=500):
        matched = evaluate(query.tree, terms, FIELDS).matched
        assert matched != evaluate(Not(query.tree), terms, FIELDS).matched
        if matched:
            assert evaluate(universe(query.tree), [], FIELDS).matched, query.text
