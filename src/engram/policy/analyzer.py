"""The analyzer of texts and queries: splits text into words, each with its form and stem.

    normalise (`normalisation`) → words by UAX #29 → lower case → `form`
        → without marks → `folded` → without 's → without inflection (`stemmer`) → `stem`

A bare word of a query is compared by stem, an exact one by form, a prefix by folded form.

References:
    Unicode Standard Annex #29, "Unicode Text Segmentation": the rules WB1-WB999.
"""

import re
import unicodedata
from itertools import chain, islice
from typing import NamedTuple

import regex

from engram.policy.normalisation import fold, lower, normalise
from engram.policy.stemmer import stem

LONGEST = 255
"""Maximum UTF-16 units per word; a longer word is split into several, as in Lucene."""

_MEMORY = 500_000
"""Maximum number of pieces of text whose terms are cached."""


class Word(NamedTuple):
    """A word of a text.

    Args:
        stem: The word without diacritics, possessive and inflection, compared with a bare word of
            a query.
        form: The word in lower case but otherwise unchanged, compared with an exact word of a
            query.
        folded: The form without diacritics, compared with a prefix.
    """

    stem: str
    form: str
    folded: str


# A word of ASCII characters that no other character can lengthen and that is not cut at the end
# of its line; or all up to the next space, for the full rules; or a word that is cut at the end of
# its line, with its other part; or one that looks so, but is part of a compound.
_ASCII = (
    r"_*+[A-Za-z0-9]\w*+"
    r"(?:(?:(?<=[A-Za-z])[.:'`](?=[A-Za-z])|(?<=[0-9])[.,;'`](?=[0-9]))\w++)*+"
    r"(?![.,:;'`]?[^\x00-\x7f])"
)
_REST = r"(?:(?<=[-\u00ad\u2010\u2011])[ \t]*\r?\n[ \t]*[a-z\u00df-\u00ff][^\x00-\x20]*)*"
_OTHERS = rf"|[^\x00-\x20]*[^\x00-\x7f][^\x00-\x20]*{_REST}"
_PIECE = re.compile(rf"{_ASCII}{_OTHERS}", re.ASCII)
_BROKEN_PIECE = re.compile(
    rf"{_ASCII}(?!-[ \t]*\r?\n[ \t]*[a-z]){_OTHERS}"
    rf"|(?<![-\w])[A-Za-z0-9][^\x00-\x20]*-{_REST}"
    rf"|{_ASCII}",
    re.ASCII,
)
_BROKEN = re.compile(r"-[ \t]*\r?\n[ \t]*[a-z]")
"""Words that only the slower of the two patterns can join."""

_APART = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) in "_.:'`,;")}
"""The ASCII characters that are in no word of ASCII characters."""

_TYPOGRAPHIC = {
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u2013\u2014\u201c\u201d\u2026", " "),
}
"""Frequent characters beyond ASCII, and what has the same meaning to the rules for words."""

# The properties are those of the Unicode version of the `regex` package. Lucene's are of 12.1, so
# that what left a property since is set right here; only characters newer than that differ.
_TONES = r"\u02e5-\u02eb\ua708-\ua716"
_X = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"
_HEBREW = rf"\p{{WB=Hebrew_Letter}}{_X}"
_QUOTED = rf"{_HEBREW}(?:'{_X}|\"{_X}{_HEBREW})"
_LETTER = (
    rf"(?!{_QUOTED})"
    rf"[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}--[\u00b8\u055a\u055f\u058a{_TONES}]]{_X}"
)
_DIGIT = rf"[\p{{WB=Numeric}}\uff10-\uff19]{_X}"
_KATAKANA = rf"\p{{WB=Katakana}}{_X}"
_LINK = rf"\p{{WB=ExtendNumLet}}{_X}"
_IN_WORD = rf"[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}']{_X}"
_IN_NUMBER = rf"[\p{{WB=MidNum}}\p{{WB=MidNumLet}}']{_X}"
_RUN = (
    rf"(?:{_KATAKANA}(?:(?:{_LINK})*{_KATAKANA})*"
    rf"|(?:{_QUOTED}"
    rf"|{_DIGIT}(?:(?:(?:{_LINK})*|{_IN_NUMBER}){_DIGIT})*"
    rf"|{_LETTER}(?:(?:(?:{_LINK})*|{_IN_WORD}){_LETTER})*)+)"
)
_FORMER_PICTURES = (
    r"\u2388\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2763-\u2767"
    r"\U0001f000-\U0001f0ff\U0001f10d-\U0001f10f\U0001f16c-\U0001f16f\U0001f1ad-\U0001f1e5"
    r"\U0001f249-\U0001f53d\U0001f546-\U0001f64f\U0001f680-\U0001f6ff\U0001f774-\U0001f77f"
    r"\U0001f7d5-\U0001f7ff\U0001f8ae-\U0001f8ff\U0001f90c-\U0001f93a\U0001f93c-\U0001f945"
    r"\U0001f947-\U0001fffd\U0001f12f"
)
_PICTURE = (
    rf"[\p{{Emoji}}\p{{Extended_Pictographic}}{_FORMER_PICTURES}--[0-9#*\p{{RI}}]]"
    r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}--\ufe0e]*+"
)
_EMOJI = (
    rf"\u200d?{_PICTURE}(?:(?<=\u200d){_PICTURE})*"
    rf"|\p{{RI}}{_X}\p{{RI}}{_X}|[0-9#*]\ufe0f?\u20e3{_X}"
)
_WORD = regex.compile(
    rf"(?V1){_EMOJI}|"
    rf"(?:{_LINK})*{_RUN}(?:(?:{_LINK})+{_RUN})*(?:{_LINK})*"
    rf"|(?:\p{{LB=Complex_Context}}{_X})++|[\p{{Script=Han}}\p{{Script=Hiragana}}]{_X}"
)


class _Memory(dict[str, str]):
    """Cache of the terms of a piece of text, joined by spaces; cleared when full."""

    def __missing__(self, piece: str) -> str:
        if len(self) >= _MEMORY:
            self.clear()
        self[piece] = joined = " ".join(word.stem for word in words_of(piece))
        return joined


class _Words(dict[str, list[Word]]):
    """Cache of the words of a piece of text; cleared when full."""

    def __missing__(self, piece: str) -> list[Word]:
        if len(self) >= _MEMORY:
            self.clear()
        self[piece] = found = words_of(piece)
        return found


_memory = _Memory()
_words = _Words()


def joined(text: str) -> str:
    """The terms of a text, joined by single spaces, which no term contains.

    Args:
        text: Any text.
    """
    return " ".join(filter(None, map(_memory.__getitem__, pieces(text))))


def terms(text: str) -> list[str]:
    """The terms of a text, in order: the stems of its words.

    Args:
        text: Any text.
    """
    found = joined(text)
    return found.split(" ") if found else []


def words(text: str) -> list[Word]:
    """The words of a text, in order.

    Args:
        text: Any text.
    """
    return [*chain.from_iterable(map(_words.__getitem__, pieces(text)))]


def pieces(text: str) -> list[str]:
    """Divide the text into pieces of whole words.

    Most texts are cut at white space and at the signs that are in no word, which is fast and leaves
    full stops and the like at the ends of pieces; the others are cut by the patterns.

    Args:
        text: Any text.
    """
    plain = _plain(text)
    if plain is None:
        return _pattern(text).findall(text)
    return plain.translate(_APART).replace(", ", " ").replace(". ", " ").split()


def words_of(piece: str) -> list[Word]:
    """The words of a piece of text.

    Args:
        piece: One of `pieces`.
    """
    if piece.isascii() and piece.isalnum() and len(piece) <= LONGEST:
        return [_word(piece)]
    if not piece.isascii() or "\n" in piece or piece[-1] == "-":
        return _words_by_rules(piece)
    found: list[Word] = []
    for part in _PIECE.findall(piece):
        if len(part) <= LONGEST:
            found.append(_word(part.replace("`", "'")))
        else:
            found += _words_by_rules(part)
    return found


def spans(text: str, first: int = 0, behind: int | None = None) -> list[tuple[int, int]]:
    """Return the start and end of some words in the original text.

    Args:
        text: Any text.
        first: The first word, counted from 0.
        behind: The word after the last one; None for all words.

    Returns:
        A pair for each of `words(text)[first:behind]`, in characters.
    """
    plain = _plain(text)
    if plain is not None and _all_short(plain):
        return [*map(re.Match.span, islice(_PIECE.finditer(plain), first, behind))]
    found = []
    for piece in _pattern(text).finditer(text):
        if behind is not None and len(found) >= behind:
            break
        start, end = piece.span()
        if _is_word(piece[0]):
            found.append((start, end))
            continue
        normal = normalise(piece[0])
        found += [
            (start + normal.starts[a], start + normal.ends[b - 1])
            for a, b in _segmented(normal.text)
        ]
    return found[first:behind]


def _plain(text: str) -> str | None:
    """The text in ASCII, letter for letter and with the same words; None if rules decide on them.

    Args:
        text: Any text.
    """
    if _BROKEN.search(text):
        return None
    if not text.isascii():
        for letter, other in _TYPOGRAPHIC.items():
            text = text.replace(letter, other)
    return text if text.isascii() else None


def _all_short(text: str) -> bool:
    """Whether no word of a text is longer than `LONGEST`."""
    half = (LONGEST + 1) // 2
    # a longer word covers one of these parts from end to end
    if all(" " in text[at : at + half] for at in range(0, len(text) - half + 1, half)):
        return True
    return max(map(len, text.split()), default=0) <= LONGEST


def _pattern(text: str) -> re.Pattern[str]:
    return _BROKEN_PIECE if _BROKEN.search(text) else _PIECE


def _is_word(piece: str) -> bool:
    """Whether a piece is one word of ASCII characters."""
    return len(piece) <= LONGEST and piece.isascii() and "\n" not in piece and piece[-1] != "-"


def stem_of(form: str) -> str:
    """Return the stem of a form: without diacritics, possessive and inflection.

    Args:
        form: A word in lower case.
    """
    return stem(fold(form).removesuffix("'s"))


def _words_by_rules(piece: str) -> list[Word]:
    text = normalise(piece).text
    return [_word(text[start:end]) for start, end in _segmented(text)]


def _word(text: str) -> Word:
    if text.isascii():
        form = text.lower()
        return Word(stem(form.removesuffix("'s")), form, form)
    form = unicodedata.normalize("NFC", lower(text))
    return Word(stem_of(form), form, fold(form))


def _segmented(text: str) -> list[tuple[int, int]]:
    """Spans of words by the full rules, with long ones split."""
    found, at = [], 0
    while word := _WORD.search(text, at):
        at = word.end()
        if _units(word[0]) > LONGEST:
            end = _advance(text, word.start())
            word = _WORD.match(text, word.start(), end)
            assert word is not None
            at = word.end()
        found.append(word.span())
    return found


def _units(text: str) -> int:
    return len(text) + sum(letter > "\uffff" for letter in text)


def _advance(text: str, start: int) -> int:
    """Where the longest word with this start must end."""
    end = min(start + LONGEST, len(text))
    while _units(text[start:end]) > LONGEST:
        end -= 1
    return end
