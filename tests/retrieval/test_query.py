"""Queries: how sums are read, and what they mean."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import EngramError
from engram.retrieval.query import Term, combine, is_foreign, parse


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("a dog in the snow", [(1, "a dog in the snow", False)]),
        ("black-and-white t-shirt", [(1, "black-and-white t-shirt", False)]),
        ('"dog" + a.jpg - "grass"', [(1, "dog", False), (1, "a.jpg", True), (-1, "grass", False)]),
        ("dog + a.JPEG − grass", [(1, "dog", False), (1, "a.JPEG", True), (-1, "grass", False)]),
        ('- "grass" + "dog"', [(-1, "grass", False), (1, "dog", False)]),
        ('"snow.jpg"', [(1, "snow.jpg", False)]),
        ('"dog"+"cat"', [(1, "dog", False), (1, "cat", False)]),
        ("“red car” - my photos/a b.png", [(1, "red car", False), (-1, "my photos/a b.png", True)]),
    ],
)  # fmt: skip
def test_how_a_query_is_read(query: str, terms: list[tuple]) -> None:
    assert parse(query) == [Term(*term) for term in terms]


def test_a_file_of_any_name_is_a_picture(tmp_path: Path) -> None:
    (tmp_path / "photo").touch()
    assert parse(f"{tmp_path}/photo - dog")[0].is_picture
    assert not parse("x" * 5000)[0].is_picture


@pytest.mark.parametrize(
    "query", ["", "  ", '""', "dog + ", "+", 'dog + "" - cat', 'a "dog', 'a "b" c']
)
def test_a_query_that_says_nothing_is_refused(query: str) -> None:
    with pytest.raises(EngramError, match=r"query is|is missing|must stand between"):
        parse(query)


@given(st.text(alphabet='ab "+-−“”.jpg\0\n', max_size=20))
def test_any_words_are_read_or_refused(query: str) -> None:
    with suppress(EngramError):
        assert all(term.text.strip() for term in parse(query))


def test_terms_are_added_with_their_signs() -> None:
    names = ["dog", "grass", "snow.jpg"]
    axes = np.eye(3, dtype=np.float32)

    def texts(given: list[str]) -> np.ndarray:
        return axes[[names.index(text) for text in given]]

    def pictures(given: list[Path]) -> np.ndarray:
        return axes[[names.index(str(path)) for path in given]]

    found = combine(parse('"dog" + snow.jpg - "grass"'), texts, pictures)
    np.testing.assert_allclose(found, np.array([1, -1, 1]) / np.sqrt(3), atol=1e-6)
    with pytest.raises(EngramError, match="cancel each other"):
        combine(parse('"dog" - "dog"'), texts, pictures)


@pytest.mark.parametrize(
    "text", ["ein Hund im Schnee", "un chien dans la neige", "雪の中の犬", "собака в снегу", "狗",
             "una mujer con un perro"]
)  # fmt: skip
def test_other_languages_are_noticed(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text", ["a dog in the snow", "two men on a boat", "café", "a crème brûlée", "12", "naïve art"]
)
def test_english_is_not_mistaken(text: str) -> None:
    assert not is_foreign(text)
