"""The analyzer against other packages: apsw's word breaks, NLTK's Porter; and the rules by hand."""

import random
from itertools import pairwise

import apsw.unicode
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer

from engram.policy import analyzer
from engram.policy.porter import stem
from tests.policy.queries import documents

CASES = {
    "": [],
    " \n — … ": [],
    "The nation's taxes, raised": ["the", "nation", "tax", "rais"],
    "Nation’s PEOPLE'S dogs' 's": ["nation", "peopl", "dog", "s"],
    "U.S.A. 1,000,000.50 $5 don't": ["u.s.a", "1,000,000.50", "5", "don't"],
    "tax-cut e.g. a_b _x_ __": ["tax", "cut", "e.g", "a_b", "_x_"],
    "a:b 1:2 3;4 c;d 5'6": ["a:b", "1", "2", "3;4", "c", "d", "5'6"],
    "naïve CAFÉ Señor": ["naïv", "café", "señor"],
    "İstanbul ΣΑΣ": ["istanbul", "σασ"],
    "ies flies": ["i", "fli"],
    "日本語 カタカナ ひら": ["日", "本", "語", "カタカナ", "ひ", "ら"],
    "צה\"ל ג'ז אב' א\"": ['צה"ל', "ג'ז", "אב'", "א"],
    "soft\u00adhyphen e\u0301": ["soft\u00adhyphen", "e\u0301"],
    "★ 😀 🇺🇸": ["★", "😀", "🇺🇸"],
    "a\0b c\x1fd": ["a", "b", "c", "d"],
}


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_terms(text: str) -> None:
    assert analyzer.terms(text) == CASES[text]


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


def uax29(text: str) -> list[tuple[int, int]]:
    """Words by apsw, except for what Lucene adds: nothing, as long as there is no picture."""
    found = apsw.unicode.word_iter_with_offsets(text)
    return [(int(start), int(end)) for start, end, _ in found]


@given(st.text(LIKELY, max_size=60))
def test_words_are_those_of_apsw(text: str) -> None:
    assert analyzer.spans(text) == uax29(text)


def test_words_of_texts_are_those_of_apsw() -> None:
    for document in documents(seed=3, count=60):
        assert analyzer.spans(document.text) == uax29(document.text)


@given(st.text(POINTS | LIKELY, max_size=60))
def test_terms_and_spans_are_parallel(text: str) -> None:
    terms, spans = analyzer.terms(text), analyzer.spans(text)
    assert len(terms) == len(spans)
    for term, (start, end) in zip(terms, spans, strict=True):
        assert analyzer.terms(text[start:end]) == [term]
        assert " " not in term
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


@given(st.text(POINTS | LIKELY, max_size=40), st.text(POINTS | LIKELY, max_size=40))
def test_a_space_parts_texts(one: str, other: str) -> None:
    assert analyzer.terms(f"{one} {other}") == analyzer.terms(one) + analyzer.terms(other)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "_MEMORY", 10)
    text = " ".join(f"w{i}" for i in range(100))
    assert analyzer.terms(text) == [f"w{i}" for i in range(100)]
    assert len(analyzer._memory) <= 10


PORTER = PorterStemmer(mode=PorterStemmer.MARTIN_EXTENSIONS)
ENDINGS = (
    "s sses ies ss eed ed ing at bl iz ational tional enci anci izer bli alli entli eli ousli "
    "ization ation ator alism iveness fulness ousness aliti iviti biliti logi icate ative alize "
    "iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous "
    "ive ize e ll y tt sion tion"
)


def test_stems_are_those_of_another_porter() -> None:
    rng = random.Random(0)
    for _ in range(30_000):
        word = "".join(rng.choices("aeioubcdfglnrstvwxyz", k=rng.randint(1, 6)))
        word += "".join(rng.choices(ENDINGS.split(), k=rng.randint(0, 3)))
        assert stem(word) == PORTER.stem(word), word


@given(st.text(st.sampled_from("aeiouyst0.'é"), max_size=9))
def test_stems_of_odd_words_are_those_of_another_porter(word: str) -> None:
    assert stem(word) == PORTER.stem(word)
