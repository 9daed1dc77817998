"""Fingerprints against plain sets of shingles."""

import random

from hypothesis import given
from hypothesis import strategies as st

from engram.policy.fingerprint import LEAST, SKETCH, letters, overlap, sketches


def test_typography_leaves_no_trace():
    plain = letters("unemployment in Peña's tax cut, fiscal and don't")
    for text in (
        "UNEMPLOY-\nMENT in Pen\u0303a’s “tax—cut”; \ufb01s\u00adcal AND don\u2019t",
        "unemployment  in pena's\ttax-cut\u00a0(fiscal) and don't.",
    ):
        assert letters(text) == plain
    assert letters("稅務 tax") != letters("tax")


@given(st.text(), st.text())
def test_letters_are_those_of_the_parts(one, other):
    assert letters(f"{one} {other}") == letters(one) + letters(other)


def shingles(text):
    return {text[i : i + 16] for i in range(len(text) - 15)}


@given(st.integers(0, 10**6), st.integers(0, 400), st.integers(0, 400))
def test_the_overlap_is_that_of_the_sets(seed, shared, own):
    dice = random.Random(seed)
    common = "".join(dice.choices("etaoin", k=shared))
    one, other = (common + "".join(dice.choices("etaoin", k=own)) for _ in range(2))
    a, b = shingles(one), shingles(other)
    found = overlap(one.encode(), other.encode())
    if one == other:
        assert found == (1, 1)
    elif a and b:
        assert abs(found.jaccard - len(a & b) / len(a | b)) < 1e-12
        assert abs(found.containment - len(a & b) / min(len(a), len(b))) < 1e-12
    else:
        assert found == (0, 0)


def test_a_sketch_depends_on_its_text_alone():
    dice = random.Random(0)
    texts = [
        "".join(dice.choices("etaoinshrdlu", k=k)).encode() for k in (0, 99, 300, 5_000, LEAST)
    ]
    together = sketches(texts)
    for text, row in zip(texts, together, strict=True):
        assert (sketches([text])[0] == row).all()
    assert not together[0].any()
    assert not together[1].any()
    assert together[3].all()
    assert together.shape[1] == SKETCH
