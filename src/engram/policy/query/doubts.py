"""What looks like the syntax of another search engine, or like an operator of this one: refused.

Each of these would parse as words and answer another question than the one that was meant.
"""

import re

_EXAMPLE = "to search for it as it is, put it in double quotes"

OPERATORS = re.compile(r"(?:and|or|not|near|before)$", re.IGNORECASE)
"""Words that are operators when they are written in capitals."""

_SIGNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), problem)
    for pattern, problem in (
        (r"\+", "every word is required anyway; leave the + out"),
        (r"[-–—−‐‑]\w", "a minus excludes nothing here; write NOT before the word"),
        (r"!", "write NOT before the word instead of !"),
        (r"&+$|.*&&", "write AND instead of &"),
        (r".*\|", "write OR instead of |"),
        (r".*\^", "words have no weights here; leave ^ and the number out"),
        (
            r".*~",
            "~ finds no similar words and no distance; write tax* for words that begin so, "
            "tax NEAR/3 cut for words near each other",
        ),
        (r".*\?", "? stands for no letter; write ta* for all words that begin so"),
        (r".*[^\W\d_]%", "% stands for no letters; write ta* for all words that begin so"),
        (r"/", "regular expressions are not searched; write words, or tax* for a beginning"),
        (
            r".*[\[\]\\]",
            "brackets and backslashes mean nothing here; write words, or date:1900..1950",
        ),
        (r".*[<>]", "< and > compare nothing here; write date:1900..1950 or congress:100..105"),
        (r"[.]\*|.*[.][*+]", "regular expressions are not searched; write tax* for a beginning"),
        (
            r"['`´‘’‚‛]\w",
            'single quotes make no phrase; write "tax cut", which a shell passes on '
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
    """What is doubtful about a bare word.

    Args:
        word: All up to the next space, quotation mark, parenthesis or brace.

    Returns:
        The problem and its remedy; None if there is none.
    """
    if _DISTANCE.match(word) and not _SHORT.match(word) and word.lower() != "near":
        return f"{word!r} is no operator; write NEAR/3 or BEFORE/3, in capitals"
    for pattern, problem in _SIGNS:
        if pattern.match(word):
            return f"{word!r}: {problem}; {_EXAMPLE}"
    return None


def of_small_operator(word: str) -> str:
    """What is doubtful about a word like `and` beside other words.

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
    """What is doubtful about an alternative in braces.

    Args:
        text: The alternative.

    Returns:
        Where, the problem and its remedy; None if there is none.
    """
    found = _IN_GROUP.search(text)
    if not found:
        return None
    sign = found[1] or found[2]
    return found.start(1) if found[1] else found.start(2), (
        f"{sign!r} is no operator in braces; part alternatives by commas, as in {{raise, increase}}"
    )


def of_range(field: str, text: str) -> str | None:
    """What was probably meant by a range that cannot be read.

    Args:
        field: "date" or "congress".
        text: What was written.

    Returns:
        What to write instead; None if nobody can tell.
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
    """What was probably meant by a range with a space, or the word "to", in it.

    Args:
        field: "date" or "congress".
        low: What was read as the value.
        rest: What follows in the query.

    Returns:
        What to write instead; None if the rest has nothing to do with it.
    """
    found = _GOES_ON.match(rest)
    return f"{field}:{low.strip('.')}..{found[1]}" if found and ".." not in low[:-2] else None


def note_of_words(words: list[str]) -> str:
    """How bare words side by side are read.

    Args:
        words: Two words or more.
    """
    phrase = " ".join(words)
    return (
        f"{phrase} is read as {' AND '.join(words)}: each counts wherever it stands in a document "
        f'that has them all; for the phrase write "{phrase}", in a shell \'"{phrase}"\''
    )


def note_of_phrase(text: str) -> str | None:
    """How an operator inside quotes is read.

    Args:
        text: The quoted text.
    """
    found = _CAPITALS.search(text)
    if not found:
        return None
    return f'{found[1]} inside quotes is read as a word of the phrase "{text.strip()}"'


def note_of_alternative(text: str) -> str | None:
    """How a small operator inside braces is read.

    Args:
        text: The alternative.
    """
    if not _SMALL.search(text) or len(text.split()) < 3:
        return None
    phrase = " ".join(text.split())
    return f'{{{phrase}}} is read as the phrase "{phrase}"; alternatives are parted by commas'


def note_of_name(field: str, name: str, word: str) -> str:
    """How a name of which only the first word belongs to the filter is read.

    Args:
        field: The field.
        name: What was read as the name.
        word: The word behind it.
    """
    return (
        f"{field}:{name} {word} is read as {field}:{name} AND the word {word}; for a name of "
        f'several words write {field}:"{name} {word}"'
    )
