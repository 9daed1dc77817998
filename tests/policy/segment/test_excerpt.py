"""An excerpt gives the places of the whole text, and reads no further than it must."""

import random
import zlib
from array import array

import pytest

from engram.policy import analyzer
from engram.policy.segment.excerpt import Excerpt
from engram.policy.segment.file import BLOCK, blocks
from tests.policy.queries import BETWEEN, WORDS


def made(seed: int, words: int) -> tuple[str, bytes]:
    """A text of random words, and the number of terms before each of its blocks but the first."""
    rng = random.Random(seed)
    text = "".join(rng.choice(WORDS) + rng.choice(BETWEEN) for _ in range(words)) + "end"
    sizes = [len(analyzer.terms(text[start:end])) for start, end in blocks(text)]
    before = array("I", [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)])
    return text, before.tobytes()


@pytest.mark.parametrize("words", [3, 900, 20_000])
def test_places_are_those_of_the_whole_text(words: int) -> None:
    text, before = made(seed=words, words=words)
    places = analyzer.spans(text)
    rng = random.Random(1)
    for _ in range(20):
        firsts = sorted(rng.sample(range(len(places)), rng.randint(1, 3)))
        spans = [(first, min(first + rng.randint(0, 9), len(places) - 1)) for first in firsts]
        excerpt = Excerpt(zlib.compress(text.encode()), before, "title")
        found = excerpt.places(spans)
        assert found == [(places[a][0], places[b][1]) for a, b in spans]
        assert text.startswith(excerpt.text)
        end = found[-1][1] + 80
        assert excerpt.read(end)[:end] == text[:end]
        assert excerpt.read(len(text) + 1) == text


def test_a_word_at_the_beginning_needs_only_the_beginning() -> None:
    text, before = made(seed=5, words=50_000)
    excerpt = Excerpt(zlib.compress(text.encode()), before, "title")
    excerpt.places([(0, 1)])
    assert len(excerpt.text) < len(text) / 4
    assert len(text) > 20 * BLOCK


def test_the_title_stands_for_an_empty_text() -> None:
    excerpt = Excerpt(zlib.compress(b""), b"", "Of taxes")
    assert excerpt.places([(1, 1)]) == [(3, 8)]


def test_a_truncated_text_is_an_error() -> None:
    data = zlib.compress(made(seed=5, words=20_000)[0].encode())
    with pytest.raises(zlib.error, match="truncated"):
        Excerpt(data[:-20], b"", "title").read(10**9)
