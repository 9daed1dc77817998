"""Unify the spelling of equivalent characters in texts and queries before tokenisation.

    apostrophes         ’ ‘ ‛ ʼ ʻ ′ ´ ` ＇ and their like become '
    ligatures, widths   ﬁ → fi, ſ → s, ｔａｘ → tax, 𝐭𝐚𝐱 → tax; superscripts and fractions stay
    marks               composed: n + U+0303 is ñ
    invisible           soft hyphens, zero-width and direction marks are removed
    line ends           a word cut by a hyphen at the end of a line is put together, if the next
                        line goes on with a small letter and the word has no other hyphen before

Folding, on top of it, takes the marks off Latin letters (ñ → n) and writes æ, ø, ł, ß … as ae, o,
l, ss.

References:
    Unicode Standard Annex #15, "Unicode Normalization Forms": NFC, and the compatibility tags that
    are applied here.
"""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

import regex

_APOSTROPHES = "`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u02cb\u2018\u2019\u201a"
_APOSTROPHES += "\u201b\u2032\u2035\u055a\ua78b\ua78c\uff07\uff40"
_TAGS = ("<compat>", "<wide>", "<narrow>", "<noBreak>", "<font>")
"""The kinds of compatibility characters that are replaced; not superscripts, fractions, circles."""

_INVISIBLE = regex.compile(
    "[\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_SHAPING = "\u200b\u200c\u200d\ufe0e\ufe0f"
"""Invisible characters that mean something after letters of some scripts, and in pictures."""

_CLUSTER = regex.compile(r"\X")
_PLAIN = regex.compile(r"(?V1)[\p{Latin}\p{N}\p{P}\p{Z}]")
_MARKS = regex.compile(r"(?<=\p{Latin})\p{Mn}+")
_BROKEN = re.compile(
    "(?<![\\w'\u2019\u2010-])[^\\W\\d_]+([-\u00ad\u2010\u2011][ \\t]*\\r?\\n[ \\t]*)"
    "(?=[a-z\u00df-\u00ff])"
)
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "ı": "i"}
    | {"ħ": "h", "ŧ": "t", "ŋ": "ng", "ĸ": "k"}
)


class Normal(NamedTuple):
    """A normalised text.

    Args:
        text: The text.
        starts: Where the original of each of its characters starts, (characters).
        ends: Where it ends.
    """

    text: str
    starts: list[int]
    ends: list[int]


def normalise(text: str) -> Normal:
    """Normalise a text."""
    gone = [found.span(1) for found in _BROKEN.finditer(text)]
    made: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    plain = True
    for found in _CLUSTER.finditer(text):
        start, end = found.span()
        if any(a <= start < b for a, b in gone):
            continue
        letters = _cluster(found[0], plain)
        if letters:
            plain = _PLAIN.match(letters[0]) is not None
        made.append(letters)
        starts += [start] * len(letters)
        ends += [end] * len(letters)
    return Normal("".join(made), starts, ends)


def lower(word: str) -> str:
    """Convert a word to lower case character by character, independent of context."""
    if word.isascii():
        return word.lower()
    return "".join("i" if letter == "İ" else letter.lower() for letter in word)


def fold(word: str) -> str:
    """Remove diacritics on Latin letters of a word.

    Args:
        word: A word in lower case.
    """
    if word.isascii():
        return word
    bare = _MARKS.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", bare).translate(_LETTERS)


def _cluster(letters: str, plain: bool) -> str:
    """One letter with its diacritics; `plain` says whether the letter before is Latin."""
    if letters.isascii():
        return "'" if letters == "`" else letters
    kept = "" if (_PLAIN.match(letters) or (plain and letters[0] in _SHAPING)) else _SHAPING
    shown = _INVISIBLE.sub(lambda x: x[0] if x[0] in kept else "", letters)
    return unicodedata.normalize("NFC", "".join(map(_replaced, shown)))


@cache
def _replaced(letter: str) -> str:
    if letter in _APOSTROPHES:
        return "'"
    if unicodedata.decomposition(letter).startswith(_TAGS):
        return unicodedata.normalize("NFKC", letter)
    return letter
