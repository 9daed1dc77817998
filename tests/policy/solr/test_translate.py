import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from engram.policy.query import And, Near, Node, Not, OneOf, Or, Phrase, Prefix, Term
from engram.policy.query.functional import evaluate
from engram.policy.solr.translate import MOST, Translation, literals

LETTERS = ("a", "ab", "b", "c")
NAMES = ("type", "chamber", "party", "speaker", "state", "date", "congress")
FIELDS = dict.fromkeys(NAMES) | {"party": "Whig"}

words = st.sampled_from(LETTERS).map(Term) | st.sampled_from(("a", "b", "z")).map(Prefix)


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


def expand(prefix: str) -> list[str]:
    return [term for term in LETTERS if term.startswith(prefix)]


def places(phrase: tuple[str, ...], terms: list[str]) -> int:
    size = len(phrase)
    return sum(tuple(terms[i : i + size]) == phrase for i in range(len(terms)))


@given(queries, st.lists(st.sampled_from(LETTERS), max_size=9))
def test_the_places_of_the_literal_phrases_are_the_occurrences(
    query: Node, terms: list[str]
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
        return Translation(tree, lambda text, _: [text])

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
