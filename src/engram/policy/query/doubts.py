"""Refuse text that looks like the syntax of another search engine, or like an operator.

It would be parsed as words and answer a different question from the one that was meant.
"""

import re

_EXAMPLE = "to search for it literally, put it in double quotes"

OPERATORS = re.compile(r"(?:and|or|not|near|before)$", re.IGNORECASE)
"""Words that are operators when they are written in capitals."""

_SIGNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), problem)
    for pattern, problem in (
        (r"\+", "every word is required anyway; remove the +"),
        (r"[-–—−‐‑]\w", "a minus excludes nothing here; write NOT before the word"),
        (r"!", "write NOT before the word instead of !"),
        (r"&+$|.*&&", "write AND instead of &"),
        (r".*\|", "write OR instead of |"),
        (r".*\^", "words have no weights; remove ^ and the number"),
        (
            r".*~",
            "~ does not search for similar words or distances; write tax* for words with that "
            "beginning, "
            "tax NEAR/3 cut for words near each other",
        ),
        (r".*\?", "? is not a wildcard; write ta* for all words with that beginning"),
        (r".*[^\W\d_]%", "% is not a wildcard; write ta* for all words with that beginning"),
        (r"/", "regular expressions are not supported; write words, or tax* for a beginning"),
        (
            r".*[\[\]\\]",
            "brackets and backslashes have no meaning here; write words, or date:1900..1950",
        ),
        (r".*[<>]", "< and > have no meaning here; write date:1900..1950 or congress:100..105"),
        (r"[.]\*|.*[.][*+]", "regular expressions are not supported; write tax* for a beginning"),
        (
            r"['`´‘’‚‛]\w",
            'single quotes do not make a phrase; write "tax cut", which a shell passes on '
            "inside single quotes: '\"tax cut\"'",
        ),
    )
)
_DISTANCE = re.compile(
    r"(?:(?:near|before|within|adj|pre|w|n)[/~:]?\d+|near[/:]?|/\d+|/[sp])$", re.IGNORECASE
)
_SHORT = re.compile(r"[wn]\d+$", re.IGNORECASE)
_IN_GROUP = re.compile(r"(?:^|\s)(AND|OR|NOT|NEAR(?:/\d+)?|BEFORE(?:/\d+)?)(?=\s|$)|([|;])")
_CAPITALS = re.compile(r"(?<!\w)(AND|OR|NOT|(?:NEAR|BEFORE)/\d+)(?!\w)")
_SMALL = re.compile(r"(?<!\S)(and|or|not)(?!\S)", re.IGNORECASE)
_RANGES = {
    "date": re.compile(r"(\d{4}(?:-\d{2}){0,2})(?:[-–—−‐‑:/_]|\.|\.{3,}|…)(\d{4}(?:-\d{2}){0,2})$"),
    "congress": re.compile(r"(\d{1,3})(?:[-–—−‐‑:/_]|\.|\.{3,}|…)(\d{1,3})$"),
}
_DECADE = re.compile(r"(\d{3})0'?s$")
_ORDINAL = re.compile(r"(\d{1,3})(?:st|nd|rd|th)$", re.IGNORECASE)
_COMPARED = re.compile(r"([<>])=?\s*(\d{1,4}(?:-\d{2}){0,2})$")
_GOES_ON = re.compile(
    r"(?:(?:\.\.+|…|to|until|till|through|thru|and|[-–—−])\s*)(\d{1,4}(?:-\d{2}){0,2})(?![\w-])",
    re.IGNORECASE,
)


def of_word(word: str) -> str | None:
    """Find the problem with a bare word, if any.

    Args:
        word: The text up to the next space, quotation mark, parenthesis or brace.

    Returns:
        The problem and its remedy; None if there is none.
    """
    if _DISTANCE.match(word) and not _SHORT.match(word) and word.lower() != "near":
        return f"{word!r} is not an operator; write NEAR/3 or BEFORE/3, in capitals"
    for pattern, problem in _SIGNS:
        if pattern.match(word):
            return f"{word!r}: {problem}; {_EXAMPLE}"
    return None


def of_small_operator(word: str) -> str:
    """Find the problem with a word like `and` next to other words.

    Args:
        word: The word.
    """
    capitals = word.upper()
    if capitals in ("NEAR", "BEFORE"):
        return f'{word!r} is an operator only as {capitals}/3; for the word write "{word.lower()}"'
    return (
        f"{word!r} is an operator only in capitals; write {capitals}, or for the word "
        f'"{word.lower()}" in double quotes'
    )


def of_alternative(text: str) -> tuple[int, str] | None:
    """Find the problem with an alternative in braces, if any.

    Args:
        text: The alternative.

    Returns:
        The position, the problem and its remedy; None if there is none.
    """
    found = _IN_GROUP.search(text)
    if not found:
        return None
    sign = found[1] or found[2]
    return found.start(1) if found[1] else found.start(2), (
        f"{sign!r} is not an operator in braces; separate alternatives by commas, as in {{raise, "
        f"increase}}"
    )


def of_range(field: str, text: str) -> str | None:
    """Suggest a correction of a range that cannot be parsed.

    Args:
        field: "date" or "congress".
        text: The text as written.

    Returns:
        What to write instead; None if that is unclear.
    """
    if found := _RANGES[field].match(text):
        return f"{field}:{found[1]}..{found[2]}"
    if field == "date" and (found := _DECADE.match(text)):
        return f"date:{found[1]}0..{found[1]}9"
    if field == "congress" and (found := _ORDINAL.match(text)):
        return f"congress:{found[1]}"
    if found := _COMPARED.match(text):
        return f"{field}:{found[2]}.." if found[1] == ">" else f"{field}:..{found[2]}"
    return None


def of_rest(field: str, low: str, rest: str) -> str | None:
    """Suggest a correction of a range that contains a space or the word "to".

    Args:
        field: "date" or "congress".
        low: The text parsed as the value.
        rest: The rest of the query.

    Returns:
        What to write instead; None if the rest does not belong to the range.
    """
    found = _GOES_ON.match(rest)
    return f"{field}:{low.strip('.')}..{found[1]}" if found and ".." not in low[:-2] else None


def note_of_words(words: list[str]) -> str:
    """Explain how adjacent bare words are interpreted.

    Args:
        words: Two words or more.
    """
    phrase = " ".join(words)
    return (
        f"{phrase} is read as {' AND '.join(words)}: each counts wherever it stands in a document "
        f'that has them all; for the phrase write "{phrase}", in a shell \'"{phrase}"\''
    )


def note_of_phrase(text: str) -> str | None:
    """Explain how an operator inside quotes is interpreted.

    Args:
        text: The quoted text.
    """
    found = _CAPITALS.search(text)
    if not found:
        return None
    return f'{found[1]} inside quotes is read as a word of the phrase "{text.strip()}"'


def note_of_alternative(text: str) -> str | None:
    """Explain how a lower-case operator inside braces is interpreted.

    Args:
        text: The alternative.
    """
    if not _SMALL.search(text) or len(text.split()) < 3:
        return None
    phrase = " ".join(text.split())
    return f'{{{phrase}}} is read as the phrase "{phrase}"; alternatives are separated by commas'


def note_of_name(field: str, name: str, word: str) -> str:
    """Explain how a name is interpreted if only its first word belongs to the filter.

    Args:
        field: The field.
        name: The text parsed as the name.
        word: The word after it.
    """
    return (
        f"{field}:{name} {word} is read as {field}:{name} AND the word {word}; for a name of "
        f'several words write {field}:"{name} {word}"'
    )
