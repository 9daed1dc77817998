"""Queries of texts and pictures that are added and subtracted."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError

PICTURE = re.compile(r"\.(jpe?g|png|gif|webp|tiff?|bmp|ppm|jp2|ico|tga|avif|hei[cf])$", re.I)
_PART = re.compile(r'\s*(?:"([^"]*)"|“([^”]*)”|((?:(?!\s[+\-−]\s)[^"“])+))\s*')
_SIGN = re.compile(r"\s*([+\-−])(?:\s+|$|(?=[\"“]))")

FREQUENT = {
    "German": "der das und ein eine einen einem einer auf mit ist dem von für nicht",
    "French": "le la une dans avec est du aux qui",
    "Spanish": "los las una con sobre por",
    "Italian": "il gli nella sul che della",
    "Portuguese": "um uma",
    "Dutch": "het een",
}
"""Frequent words of other languages that are not English words."""
FOREIGN = frozenset(" ".join(FREQUENT.values()).split())


class Term(NamedTuple):
    """A part of a query.

    Attributes:
        sign: 1 if it is added, −1 if it is subtracted.
        text: A text; or the path of a picture.
        is_picture: Which of both it is.
    """

    sign: int
    text: str
    is_picture: bool

    def __str__(self) -> str:
        sign = "−" if self.sign < 0 else "+"
        return f"{sign} {self.text if self.is_picture else chr(34) + self.text + chr(34)}"


def parse(query: str) -> list[Term]:
    """Read a query: a text, or terms between which + or − stand, with spaces around them.

    A term in quotes is a text. Another one is a picture if it is a file or ends like one.

    Args:
        query: Such as `a dog in the snow`, or `"dog" + snow.jpg - "grass"`.

    Raises:
        ValueError: If it is empty, a term is missing, or a quotation mark is not closed.
    """
    terms: list[Term] = []
    at, sign, first = 0, 1, _SIGN.match(query)
    if first:
        at, sign = first.end(), _sign(first[1])
    while True:
        part = _PART.match(query, at)
        text = (
            next((text.strip() for text in part.groups() if text is not None), "") if part else ""
        )
        if part is None or not text:
            what = "empty" if not query.strip() else f"{query!r}: a text or a picture is missing"
            raise EngramError(f"the query is {what}; write such as 'a dog in the snow'")
        bare = part[3] is not None
        terms.append(Term(sign, text, bare and _is_picture(text)))
        at = part.end()
        if at == len(query):
            return terms
        found = _SIGN.match(query, at)
        if found is None:
            raise EngramError(
                f"{query!r}: after {text!r}, + or − must stand between spaces, or a quotation mark "
                "is not closed"
            )
        at, sign = found.end(), _sign(found[1])


def combine(
    terms: Sequence[Term],
    texts: Callable[[list[str]], NDArray[np.float32]],
    pictures: Callable[[list[Path]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """The unit vector of a query: the sum of the unit vectors of its terms with their signs.

    Args:
        terms: The terms.
        texts: Turns texts into unit vectors.
        pictures: Turns the files of pictures into unit vectors.

    Raises:
        ValueError: If the terms cancel each other.
    """
    parts: list[NDArray[np.float32]] = []
    for term in terms:
        of = pictures([Path(term.text)]) if term.is_picture else texts([term.text])
        parts.append(term.sign * of[0])
    total = np.sum(parts, axis=0)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise EngramError("the terms of the query cancel each other; nothing is left to search")
    return (total / length).astype(np.float32)


def is_foreign(text: str) -> bool:
    """Whether a text seems to be in another language than English, by its script and words."""
    letters = [letter for letter in text if letter.isalpha()]
    other = sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return 2 * other > len(letters) or bool(set(text.lower().split()) & FOREIGN)


def _sign(word: str) -> int:
    return 1 if word == "+" else -1


def _is_picture(text: str) -> bool:
    try:
        return bool(PICTURE.search(text)) or Path(text).is_file()
    except (OSError, ValueError):  # longer than a name may be
        return False
