import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.policy.analyzer import Word
from engram.policy.query import And, Exact, Near, Node, Not, OneOf, Or, Phrase, Prefix, Term
from engram.policy.query.functional import evaluate, finds
from engram.policy.query.tree import Leaf
from engram.policy.solr.schema import exact
from engram.policy.solr.translate import MOST, Translation, literals

VOCABULARY = [
    Word(*forms)
    for forms in (("a", "a", "a"), ("a", "ab", "ab"), ("b", "b", "b"), ("c", "b.", "b."))
]
"""Stems, forms and folded forms: one stem has two forms, and a form begins like another's."""
NAMES = ("type", "chamber", "party", "speaker", "state", "date", "congress")
FIELDS = dict.fromkeys(NAMES) | {"party": "Whig"}

words = (
    st.sampled_from("abc").map(Term)
    | st.sampled_from(("a", "ab", "b")).map(Exact)
    | st.sampled_from(("a", "ab", "b", "z")).map(Prefix)
)


def phrases(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.lists(parts, min_size=2, max_size=3).map(lambda found: Phrase(tuple(found)))


def groups(parts: st.SearchStrategy[Node], kind: Callable[..., Node]) -> st.SearchStrategy[Node]:
    return st.lists(parts, min_size=1, max_size=3).map(lambda found: kind(tuple(found)))


alternatives = groups(words | phrases(words), Or)
wordings = words | alternatives | phrases(words | alternatives)
filters = st.sampled_from([OneOf("party", ("whig",)), OneOf("party", ("tory",))])
queries = st.recursive(
    wordings | filters | st.builds(Near, words, words, st.integers(1, 3), st.booleans()),
    lambda parts: groups(parts, And) | groups(parts, Or) | st.builds(Not, parts),
    max_leaves=5,
)


def stem_of(form: str) -> str:
    return next(word.stem for word in VOCABULARY if word.form == form)


@pytest.fixture(autouse=True, scope="module")
def stems() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engram.policy.solr.translate.stem_of", stem_of)
        yield


def expand(leaf: Leaf, most: int = 99) -> list[str]:
    return [exact(word) for word in VOCABULARY if finds(leaf, word)]


def places(phrase: tuple[str, ...], found: list[Word]) -> int:
    size = len(phrase)
    return sum(
        all(
            token in (word.stem, exact(word))
            for token, word in zip(phrase, found[i : i + size], strict=True)
        )
        for i in range(len(found) - size + 1)
    )


@given(queries, st.lists(st.sampled_from(VOCABULARY), max_size=9))
def test_the_places_of_the_literal_phrases_are_the_occurrences(
    query: Node, terms: list[Word]
) -> None:
    found = literals(query, expand)
    match = evaluate(query, terms, FIELDS)
    if found is not None and match.matched:
        assert sum(places(phrase, terms) for phrase in found) == len(match.occurrences)


@given(wordings)
def test_every_wording_without_proximity_is_counted_by_solr(query: Node) -> None:
    assert literals(query, expand) is not None


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_nothing_of_a_query_becomes_syntax(word: str, prefix: str, name: str) -> None:
    def translated(word: str, prefix: str, name: str) -> Translation:
        phrase = Phrase((Term(word), Term(prefix)))
        tree = And((phrase, Prefix(prefix), Not(OneOf("speaker", (name,)))))
        return Translation(tree, lambda leaf, _: [leaf.text])

    hostile, tame = translated(word, prefix, name), translated("w", "p", "n")
    assert (hostile.documents, hostile.universe) == (tame.documents, tame.universe)
    assert hostile.occurrences == tame.occurrences
    values = {"w p": f"{word} {prefix}", "p": prefix, "n": name}
    assert hostile.params == {key: values.get(text, text) for key, text in tame.params.items()}


def test_a_query_too_wide_for_solr_is_narrowed_down_and_not_refused() -> None:
    many = And(tuple(Phrase((Term(f"a{i}"), Term(f"b{i}"))) for i in range(MOST)))
    translation = Translation(many, lambda *_: [])
    assert not translation.exact
    assert len(re.findall("must=", translation.documents)) <= MOST


def test_a_phrase_too_long_for_solr_is_narrowed_down_and_not_refused() -> None:
    long = Phrase(tuple(Term(f"a{i % 500}") for i in range(5_000)))
    translation = Translation(long, lambda *_: [])
    assert not translation.exact
    assert len(translation.params) <= 2 * MOST + 2
