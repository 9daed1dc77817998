"""The analyzer against apsw's word breaks and English spelling; and the rules by hand."""

import random
import re
from itertools import pairwise

import apsw.unicode
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engram.policy import analyzer
from engram.policy.stemmer import stem
from tests.policy.queries import documents

CASES = {
    "": [],
    " \n — … ": [],
    "The nation's taxes, raised": ["the", "nation", "tax", "rais"],
    "Nation’s PEOPLE'S dogs' 's": ["nation", "peopl", "dog", "s"],
    "U.S.A. 1,000,000.50 $5 don't": ["u.s.a", "1,000,000.50", "5", "don't"],
    "tax-cut e.g. a_b _x_ __": ["tax", "cut", "e.g", "a_b", "_x_"],
    "a:b 1:2 3;4 c;d 5'6": ["a:b", "1", "2", "3;4", "c", "d", "5'6"],
    "naïve CAFÉ Señor": ["naiv", "cafe", "senor"],
    "İstanbul ΣΑΣ": ["istanbul", "σασ"],
    "ies flies": ["ie", "fli"],
    "日本語 カタカナ ひら": ["日", "本", "語", "カタカナ", "ひ", "ら"],
    "צה\"ל ג'ז אב' א\"": ['צה"ל', "ג'ז", "אב'", "א"],
    "soft\u00adhyphen e\u0301": ["softhyphen", "e"],
    "★ 😀 🇺🇸": ["★", "😀", "🇺🇸"],
    "a\0b c\x1fd": ["a", "b", "c", "d"],
}


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_terms(text: str) -> None:
    assert analyzer.terms(text) == CASES[text]


SPELLINGS = {
    "don't": "don’t don‘t donʼt don＇t don´t don`t don‛t don՚t",
    "peña": "Peña Pen\u0303a Pe\u00adn\u0303a PEÑA",
    "unemployment": "unemploy\u00adment un\u200bemployment unemploy\u2060ment",
    "tax": "ｔａｘ ＴＡＸ 𝐭𝐚𝐱",
    "fiscal": "ﬁscal fiſcal 𝐟𝐢𝐬𝐜𝐚𝐥",
}


@pytest.mark.parametrize("form", SPELLINGS)
def test_what_looks_alike_is_one_form(form: str) -> None:
    text = SPELLINGS[form]
    assert [word.form for word in analyzer.words(text)] == [form] * len(text.split())
    assert [text[a:b] for a, b in analyzer.spans(text)] == text.split()


def test_superscripts_and_fractions_join_no_word() -> None:
    assert analyzer.terms("tax² 2½ note¹ x₂") == ["tax", "2", "note", "x"]


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("unemploy-\nment", ["unemployment"]),
        ("unemploy- \r\n   ment", ["unemployment"]),
        ("un-\nemploy-\nment", ["unemployment"]),
        ("unemploy\u00ad\nment", ["unemployment"]),
        ("é\u2010\nté", ["été"]),
        ("state-of-the-\nart", ["state", "of", "the", "art"]),
        ("Bush-\nQuayle", ["bush", "quayle"]),
        ("tax -\ncut", ["tax", "cut"]),
        ("1990-\n1995", ["1990", "1995"]),
        ("unemploy-\n\nment", ["unemploy", "ment"]),
    ],
)
def test_words_cut_at_the_end_of_a_line(text: str, forms: list[str]) -> None:
    assert [word.form for word in analyzer.words(text)] == forms
    assert len(analyzer.spans(text)) == len(forms)


def test_marks_matter_only_to_forms() -> None:
    word = analyzer.words("Peña's")[0]
    assert word == ("pena", "peña's", "pena's")
    assert [word.folded for word in analyzer.words("Łódź Øre œuvre Æon ΐ й")] == [
        *("lodz", "ore", "oeuvre", "aeon"),
        *("ΐ", "й"),
    ]


@pytest.mark.parametrize(
    ("word", "sizes"),
    [
        ("b" * 255, [255]),
        ("b" * 256, [255, 1]),
        ("é" * 600, [255, 255, 90]),
        ("b" * 254 + ".bbb", [254, 3]),
        ("b" * 253 + ".bbb", [255, 2]),
        ("𐐨" * 200, [127, 73]),
    ],
)
def test_long_words_are_cut_as_lucene_cuts_them(word: str, sizes: list[int]) -> None:
    assert [end - start for start, end in analyzer.spans(word)] == sizes


POINTS = st.characters(exclude_categories=("Cs", "Cn", "Co"), max_codepoint=0x2FFF)
LIKELY = st.sampled_from("abcXYZ019_'’.,:;-\"— \n\tés\u00adΣ́")
PLAIN = st.sampled_from("abcXYZ019_'’.,:;-\"— \tésΣ")


def uax29(text: str) -> list[tuple[int, int]]:
    """Words by apsw, except for what Lucene adds: nothing, as long as there is no picture."""
    found = apsw.unicode.word_iter_with_offsets(text)
    return [(int(start), int(end)) for start, end, _ in found]


@given(st.text(PLAIN, max_size=60))
def test_words_are_those_of_apsw(text: str) -> None:
    assert analyzer.spans(text) == uax29(text)


def test_words_of_texts_are_those_of_apsw() -> None:
    for document in documents(seed=3, count=60):
        text = document.text.replace("-", " ")
        assert analyzer.spans(text) == uax29(text)


@given(st.text(POINTS | LIKELY, max_size=60))
def test_terms_and_spans_are_parallel(text: str) -> None:
    terms, spans = analyzer.terms(text), analyzer.spans(text)
    assert analyzer.spans(text, 1, 3) == spans[1:3]
    assert len(terms) == len(spans)
    for term, (start, end) in zip(terms, spans, strict=True):
        assert analyzer.terms(text[start:end]) == [term]
        assert " " not in term
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


@given(st.text(POINTS | LIKELY, max_size=40), st.text(POINTS | LIKELY, max_size=40))
def test_a_space_parts_texts(one: str, other: str) -> None:
    assume(not re.search("[-\u00ad\u2010\u2011]\\s*$", one))  # else a word may go on
    assert analyzer.terms(f"{one} {other}") == analyzer.terms(one) + analyzer.terms(other)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "_MEMORY", 10)
    text = " ".join(f"w{i}" for i in range(100))
    assert analyzer.terms(text) == [f"w{i}" for i in range(100)]
    assert len(analyzer._memory) <= 10


VERBS = (
    "import tax raise cut reduce impose state agree carry employ plan refer permit hope play unite"
)
NOUNS = "tax duty policy import church nation industry tariff wage class box country veto"


def inflections(verb: str) -> set[str]:
    """The forms of a regular verb, by the rules of English spelling."""
    double = {"cut": "t", "plan": "n", "refer": "r", "permit": "t"}.get(verb, "")
    if verb.endswith("e"):
        ing = verb + "ing" if verb.endswith("ee") else verb[:-1] + "ing"
        return {verb, f"{verb}s", f"{verb}d", ing}
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return {verb, f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing"}
    plural = "es" if verb.endswith(("x", "ss", "ch")) else "s"
    return {verb, verb + plural, f"{verb}{double}ed", f"{verb}{double}ing"}


def plurals(noun: str) -> set[str]:
    """A regular noun and its plural."""
    if noun.endswith("y"):
        return {noun, f"{noun[:-1]}ies"}
    return {noun, noun + ("es" if noun.endswith(("x", "ss", "ch", "to")) else "s")}


@pytest.mark.parametrize("word", VERBS.split())
def test_the_forms_of_a_verb_have_one_stem(word: str) -> None:
    assert len({stem(form) for form in inflections(word)}) == 1


@pytest.mark.parametrize("word", NOUNS.split())
def test_a_noun_and_its_plural_have_one_stem(word: str) -> None:
    assert len({stem(form) for form in plurals(word)}) == 1


APART = """import important importance importation
new news
general generous generic generalize
tax taxation
unit unite
human humane
police policy
house housing
moral morale
plan plane
hop hope
u.s us
industry industrial industrious
it its
will willing"""


@pytest.mark.parametrize("words", APART.splitlines())
def test_other_words_have_other_stems(words: str) -> None:
    found = [stem(word) for word in words.split()]
    assert len(set(found)) == len(found)


STEPS = "s es ed ing ies ied ss us eed e ee y ll at ated bled ized tted"


def test_stems_of_odd_words_are_words() -> None:
    rng = random.Random(0)
    for _ in range(10_000):
        word = "".join(rng.choices("aeioubcdfglnrstvwxyz", k=rng.randint(1, 5)))
        word += rng.choice(STEPS.split())
        found = stem(word)
        assert found
        assert len(found) <= len(word) + 1
        assert found[0] == word[0]


_SIGNS = "ab1A.,;:'`_- \n\t\"()#*&\u2019\u2018\u2014\u2013\u201c\u201d\u2026"


@given(text=st.text(_SIGNS, max_size=20))
def test_fast_cutting_finds_the_words_that_the_rules_find(text: str) -> None:
    by_rules = [
        word
        for piece in analyzer._pattern(text).findall(text)
        for word in analyzer._words_by_rules(piece)
    ]
    assert analyzer.words(text) == by_rules
    forms = [text[start:end] for start, end in analyzer.spans(text)]
    assert [analyzer.words(form)[0].folded for form in forms if "\n" not in form] == [
        word.folded for form, word in zip(forms, by_rules, strict=True) if "\n" not in form
    ]
