"""Pages: divide a page of the Record into turns of speech and text without a speaker."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from engram.policy.loader.heading import HEAD, Paragraph, opening

BULLET = re.compile(r"<bullet>|\[bullet\]|&bull;|[•●]", re.IGNORECASE)
"""The printer's mark for a statement that was not spoken on the floor; not a word."""

_BULLETS = ("ullet", "BULLET", "•", "●", "&bull")
_SPACES = tuple(f"\n{' ' * width}\n" for width in range(1, 5))
_MARKED = "\x1e"  # represents a bullet while a page is divided
# Page breaks, clock times, and leftover typesetting codes.
_BREAK = re.compile(r"\n*\[\[Page [^\]]*\]\]\n*")
_CLOCK = re.compile(r"^ *\{time\} *\d{4}[ ]*$", re.MULTILINE)
_RULE = re.compile(r"^ *[_-]{6,} *$", re.MULTILINE)
_BLANK = re.compile(r"\n +(?=\n)")
# These begin with a newline, so that the search can jump to it. Paragraphs are indented by two
# spaces,
# or follow a blank line; text indented further is printed matter within a turn.
_PARAGRAPH = re.compile(
    rf"\n(?:(?= )|(?={_MARKED})|(?<=\n\n)) {{0,4}}(?:{_MARKED}\s*)?(?=[^\W\d_]|[(\[])"
)
_ENDS = re.compile(
    r"\n(?=[ ]{6}|[_=-]{4})(?:"
    r"[ ]*(?:[_-]{4,}|={6,})[ ]*(?=\n|\Z)"
    r"|(?<=\n\n)[ ]{8,}[^a-z\s][^a-z\n]*[A-Z]{3}[^a-z\n]*(?=\n|\Z)"
    r"|(?<=\n\n\n)[ ]{8,}\S[^\n]*(?=\n|\Z)"
    r"|[ ]{6}By\s(?:Mr|Mrs|Ms|Miss)\.\s"
    r"|[ ]{10,}(?:S|H\.R|S\.\sRes|H\.\sRes|S\.J|H\.J)\.\s\d+(?=\n|\Z))"
)
_REPORTER = re.compile(
    r"""There\s(?:was|being)\sno\sobjection
      | The\s(?:[a-z\ -]*\s)?(?:amendments?|motion|bill|resolution|concurrent\sresolution|
            preamble|vote|question|result|nominations?|yeas\sand\snays)\b(?:[^.]|\bNos?\.){0,120}\s(?:was|were)\s
            (?:agreed|rejected|taken|ordered|passed|announced|withdrawn|laid|confirmed|read)
      | The\s(?:Clerk|Chief\sClerk|legislative\sclerk|assistant\slegislative\sclerk|senior\s
            assistant\slegislative\sclerk|bill\sclerk|reading\sclerk|senior\sassistant\sbill\sclerk|
            assistant\sbill\sclerk|journal\sclerk|Sergeant\sat\sArms)\s
            (?:read|reported|proceeded|called|designated|resumed|continued|will\sreport\sas|made)
      | The\s(?:text|amendments?|material|bill|resolution|letter|article|roll)\b[^.]{0,120}\s
            (?:is|are|was)\sas\sfollows
      | A\srecorded\svote\swas | Thereupon,\s | So\s\(two-thirds
      | Accordingly,?\s(?:\(?at|the\s(?:House|Senate|Committee))\b
    """,
    re.VERBOSE,
)
_ASKS = re.compile(r"\n {0,4}(?:Q|QUESTION|Question)\s?[.:]\s")
_CLOSING = re.compile(r"[)\]]\.?[ ]*(?:\n|\Z)")
_QUESTION = re.compile(r"(?:Q|QUESTION|Question)\s?[.:](?=\s)")
_ANSWER = re.compile(r"(?:A|ANSWER|Answer)\s?[.:](?=\s)")


@dataclass(frozen=True, slots=True)
class Turn:
    """The uninterrupted speech of one speaker.

    Args:
        speaker: The name as printed, "Mr. DeFAZIO"; empty if a heading cannot be resolved.
        text: The text with the speaker's name in front, as printed.
        bioguide: The member's Biographical Directory id, if known.
    """

    speaker: str
    text: str
    bioguide: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a page's text, with the speaker according to its source.

    Args:
        text: The text.
        speaker: The speaker if the text opens without a heading; "" for nobody, None for the
            previous speaker.
    """

    text: str
    speaker: str | None = None


@dataclass(slots=True)
class Page:
    """A page divided into turns.

    Args:
        turns: The turns of speech, in order.
        rest: The text without a speaker.
        unresolved: The openings that look like headings but name nobody.
    """

    turns: list[Turn] = field(default_factory=list)
    rest: str = ""
    unresolved: list[str] = field(default_factory=list)


def part(runs: Iterable[Part]) -> Page:
    """Divide a page into turns of speech and text without a speaker.

    Each word of the page is in one turn or in the rest. A turn ends before a heading, a sentence
    of the reporter, a title in capitals or a rule; text after these without a heading of its own
    has no speaker.

    Args:
        runs: The text, without the headers of the page.
    """
    page, rest, said = Page(), [], []
    speaker: str | None = None

    def close() -> None:
        text = "".join(said)
        if text.strip() and speaker is not None:
            page.turns.append(Turn(speaker, text.strip()))
        else:
            rest.append(text)
        said.clear()

    for run in runs:
        if run.speaker is not None:
            close()
            speaker = run.speaker or None
        text = _plain(run.text)
        start = 0
        for mark in _marks(text):
            said.append(_unmarked(text[start : mark.start]))
            start = mark.start
            if mark.kind is Paragraph.TEXT:  # a remark in brackets: the speaker continues after it
                close()
                rest.append(_unmarked(text[start : mark.end]))
                start = mark.end
                continue
            close()
            speaker = mark.speaker
            if mark.kind is Paragraph.UNRESOLVED:
                page.unresolved.append(" ".join(text[start : start + 120].split()))
        said.append(_unmarked(text[start:]) + "\n")
    close()
    page.rest = "".join(rest).strip()
    return page


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where the speaker changes: to somebody, to nobody (None), or to somebody unknown ("")."""

    start: int
    end: int
    kind: Paragraph
    speaker: str | None = None


def _marks(text: str) -> Iterator[_Mark]:
    found = [
        *_openings(text, asks=bool(_ASKS.search(text))),
        *(_Mark(end.start(), end.end(), Paragraph.REPORTER) for end in _ENDS.finditer(text)),
    ]
    return iter(sorted(found, key=lambda mark: mark.start))


def _openings(text: str, asks: bool) -> Iterator[_Mark]:
    for found in _PARAGRAPH.finditer(text):
        start, begin = found.span()
        head = text[begin : begin + HEAD]
        if asks and (_QUESTION.match(head) or _ANSWER.match(head)):
            yield _Mark(start, start, Paragraph.UNRESOLVED, "")
            continue
        if _REPORTER.match(head):
            yield _Mark(start, start, Paragraph.REPORTER)
            continue
        opened = opening(head.partition("\n\n")[0])
        if opened.kind is Paragraph.HEADING:
            yield _Mark(start, start, Paragraph.HEADING, opened.speaker)
        elif opened.kind is Paragraph.UNRESOLVED:
            yield _Mark(start, start, Paragraph.UNRESOLVED, "")
        elif opened.kind is Paragraph.REPORTER:
            closing = _CLOSING.search(text, begin, begin + HEAD)
            if text[begin] in "([" and closing:
                yield _Mark(start, closing.end(), Paragraph.TEXT)
            else:
                yield _Mark(start, start, Paragraph.REPORTER)


def _plain(text: str) -> str:
    """The text below a blank line, without layout, and with bullets as marks."""
    text = f"\n\n{text.replace(chr(0xA0), ' ').expandtabs(8)}"
    if "[[Page" in text:
        text = _BREAK.sub("\n", text)
    if "{time}" in text:
        text = _CLOCK.sub("", text)
    if any(sign in text for sign in _BULLETS):
        text = BULLET.sub(_MARKED, text)
    return _BLANK.sub("\n", text) if any(space in text for space in _SPACES) else text


def _unmarked(text: str) -> str:
    """The text without bullets and rules."""
    text = text.replace(_MARKED, "")
    return _RULE.sub("", text) if "______" in text or "------" in text else text
