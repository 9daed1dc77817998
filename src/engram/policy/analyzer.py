"""The one analyzer: text to terms, as Solr's chain gives them, token by token.

    StandardTokenizer (UAX #29) → EnglishPossessiveFilter → LowerCaseFilter → PorterStemFilter

References:
    Unicode Standard Annex #29, "Unicode Text Segmentation": the rules WB1-WB999.
"""

import re

import regex

from engram.policy.porter import stem

LONGEST = 255
"""Most UTF-16 units of a word; a longer one is cut into several, as Lucene does."""

_MEMORY = 500_000
"""Most pieces of text whose terms are kept."""

# A word of ASCII characters that no other character can lengthen; or else all up to the next
# space, to be cut up by the full rules.
_PIECE = re.compile(
    r"_*+[A-Za-z0-9]\w*+"
    r"(?:(?:(?<=[A-Za-z])[.:'](?=[A-Za-z])|(?<=[0-9])[.,;'](?=[0-9]))\w++)*+"
    r"(?![.,:;']?[^\x00-\x7f])"
    r"|[^\x00-\x20]*[^\x00-\x7f][^\x00-\x20]*",
    re.ASCII,
)

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
_POSSESSIVES = ("'s", "’s", "＇s", "'S", "’S", "＇S")


class _Memory(dict[str, str]):
    """The terms of a piece of text, joined by spaces; forgotten when there are too many."""

    def __missing__(self, piece: str) -> str:
        if len(self) >= _MEMORY:
            self.clear()
        self[piece] = joined = " ".join(_term(piece[a:b]) for a, b in _words(piece))
        return joined


_memory = _Memory()


def joined(text: str) -> str:
    """The terms of a text, joined by single spaces, which no term contains.

    Args:
        text: Any text.
    """
    return " ".join(filter(None, map(_memory.__getitem__, _PIECE.findall(text))))


def terms(text: str) -> list[str]:
    """The terms of a text, in order.

    Args:
        text: Any text.
    """
    found = joined(text)
    return found.split(" ") if found else []


def spans(text: str) -> list[tuple[int, int]]:
    """Where the word of each term starts and ends in the text.

    Args:
        text: Any text.

    Returns:
        A pair for each of `terms(text)`, in characters.
    """
    found = []
    for piece in _PIECE.finditer(text):
        start, end = piece.span()
        if end - start <= LONGEST and piece[0].isascii():
            found.append((start, end))
        else:
            found += [(start + a, start + b) for a, b in _words(piece[0])]
    return found


def lower(word: str) -> str:
    """The word in lower case, character by character, as Java's LowerCaseFilter does.

    Args:
        word: Any text.
    """
    if word.isascii():
        return word.lower()
    return "".join("i" if letter == "İ" else letter.lower() for letter in word)


def _term(word: str) -> str:
    return stem(lower(word[:-2] if word.endswith(_POSSESSIVES) else word))


def _words(piece: str) -> list[tuple[int, int]]:
    """Where words are, by the full rules, long ones cut."""
    found, at = [], 0
    while word := _WORD.search(piece, at):
        at = word.end()
        if _units(word[0]) > LONGEST:
            end = _advance(piece, word.start())
            word = _WORD.match(piece, word.start(), end)
            assert word is not None
            at = word.end()
        found.append(word.span())
    return found


def _units(text: str) -> int:
    return len(text) + sum(letter > "\uffff" for letter in text)


def _advance(text: str, start: int) -> int:
    """Where the longest word that starts here has to end."""
    end = min(start + LONGEST, len(text))
    while _units(text[start:end]) > LONGEST:
        end -= 1
    return end
