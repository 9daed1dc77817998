"""Headings: a grammar of how the Record names speakers.

A turn opens with a paragraph such as "  Mr. DeFAZIO. Mr. Speaker, ...": a title, a name whose last
part is in capitals, and a full stop. In running text the Record prints names in lower case, so a
paragraph that begins with a title and a name in capitals is never the speech of whoever spoke
before. It is a heading, a sentence of the reporter ("Mr. DORGAN addressed the Chair."), or it is
unresolved: then nobody is credited with it.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

_LATIN = [chr(code) for code in (*range(0x41, 0x5B), *range(0xC0, 0x250))]
_UPPER = f"[{''.join(c for c in _LATIN if c.isupper())}]"
_LOWER = f"[a-z{''.join(c for c in _LATIN if c.islower())}]"
_LETTER = r"[^\W\d_]"
_MARK = "'’‘`ʼ´′"  # characters used as an apostrophe

_FORMS_OF_ADDRESS = (
    "Mr|Mrs|Ms|Miss|Mx|Dr|Messrs|Mmes|Mses|Mesdames|Misses|Madam|Mister|Sir|Sen|Senator|Rep|"
    "Representative|Congressman|Congresswoman|Delegate|Resident Commissioner"
)
_RANKS = (
    "Hon|Honorable|Rev|Reverend|Father|Rabbi|Gen|General|Adm|Admiral|Col|Colonel|Capt|Captain|Maj|"
    "Major|Lt|Lieutenant|Sgt|Judge|Justice|Chief Justice|Chief|Gov|Governor|Mayor|Secretary|"
    "Attorney General|Ambassador|Commissioner|Manager|Counsel|Leader|Majority Leader|"
    "Minority Leader|Speaker|Chairman|Chairwoman|Chair|President|Vice President|Prime Minister|"
    "Premier|Minister|Chancellor|King|Queen|Prof|Professor|Doctor|Lady|Lord|Pope|Archbishop|Bishop|"
    "Cardinal|Imam|Prince|Princess|Ranking Member|Senator-elect|Representative-elect|"
    "(?:His|Her) (?:Excellency|Highness|Holiness|Majesty|Royal Highness|Eminence)"
)
_TITLE = rf"(?:(?i:{_FORMS_OF_ADDRESS})|{_RANKS})\b\.?"
_AFTER = r"(?:\s|(?<=\.))"  # a space, which misprints omit after a full stop
# Two capitals in a row make a name in capitals: SMITH, McCAIN, D'AMATO, LaHOOD, JACKSON-LEE.
_CAPITALS = (
    rf"(?!(?i:ste?|mc|mac)\.\s)(?=[^\s.,:;()\[\]]*{_UPPER}{_UPPER})"
    rf"(?:{_LETTER})(?:{_LETTER}|[{_MARK}\-‐‑–])*"
)
_MIXED = rf"{_UPPER}{_LOWER}(?:{_LETTER}|[{_MARK}\-])*"
_INITIAL = rf"(?:{_UPPER}\.)+"
_PARTICLE = (
    r"(?i:de|la|las|los|del|della|di|da|dos|du|des|el|le|van|von|vander|der|den|ter|ten|zu|af|y|mc|mac|"
    r"st\.?|ste\.?|san|santa)"
)
_NAME = (
    rf"(?:(?:{_INITIAL}|{_PARTICLE}|{_MIXED})\s)*?{_CAPITALS}"
    rf"(?:\s(?:{_CAPITALS}|(?:(?:{_INITIAL}|{_PARTICLE})\s)+{_CAPITALS}))*"
)
_SUFFIX = r"(?:,?\s(?i:jr|sr|esq|ii|iii|iv)\b(?:\.(?=\s?[.:,(\[]|\s(?:of|from)\s))?)"
_PLACE = (
    rf"(?:,?\s(?i:of|from)\s(?:(?i:the)\s)?(?:{_UPPER}{_LETTER}+|(?:{_UPPER}\.\s?){{2}})"
    rf"(?:\s(?:(?i:of|and|the)\s)*{_UPPER}{_LETTER}+)*)"
)
_NOTE = r"(?:,?\s?[(\[][^()\[\]]{1,160}[)\]]|,\s(?:continuing|presiding|resuming)\b)"
_PERSON = rf"{_NAME}{_SUFFIX}?{_PLACE}?{_SUFFIX}?"
_SPEAKER = re.compile(
    rf"(?P<title>(?:The\s)?{_TITLE}(?:{_AFTER}{_TITLE})?){_AFTER}(?P<name>{_PERSON}"
    rf"(?:(?:,\sand|,|\sand)\s(?:{_TITLE}{_AFTER})?{_PERSON})*)(?P<note>{_NOTE}*)"
)
_MODIFIER = (
    r"(?i:acting|vice|deputy|assistant|temporary|legislative|reading|chief|journal|bill|senior|"
    r"executive|associate|second|honorary|tally|enrolling|parliamentary)"
)
_OFFICE_NAMES = (
    r"PRESIDENT|SPEAKER|CHAIR(?:MAN|WOMAN|PERSON)?|PRESIDING\sOFFICER|JUSTICE|CLERK|SECRETARY|"
    r"SERGEANT[\s-]AT[\s-]ARMS|CHAPLAIN|PARLIAMENTARIAN|DOORKEEPER|ARCHIVIST|WITNESS|REPORTER|"
    r"MAJORITY\sLEADER|MINORITY\sLEADER|MODERATOR|MARSHAL|USHER"
)
_OFFICE = re.compile(
    rf"(?P<name>(?:(?:The|THE)\s)?(?:{_MODIFIER}\s){{0,3}}(?:{_OFFICE_NAMES})\b"
    r"(?:[\s-](?i:pro\s?tempore|pro\s?tem\b\.?|elect|designate|ad\sinterim))?"
    r"(?:\s(?i:of\sthe\s(?:Senate|House(?:\sof\sRepresentatives)?|United\sStates)))?"
    # These are unambiguous, so they may be printed in lower case.
    r"|(?:The|THE)\s(?i:presiding\sofficer|chief\sjustice|(?:speaker|president)\spro\stempore|"
    r"acting\s(?:chair(?:man|woman)?|president(?:\spro\stempore)?|speaker)))"
    rf"(?P<note>{_NOTE}*)"
)
_GROUP = re.compile(
    r"(?P<name>(?i:an?|several|many|some|other)\s(?i:members?|senators?|voices?|representatives?|"
    r"delegates?)|MEMBERS|SENATORS|VOICES)(?P<note>(?!))?"
)
_STOP = re.compile(rf"\s?(?:[.:](?=\s|$|[-–—\"“”‘’`'(\[<]|{_UPPER})|\.?(?:--|—|–))")
_VOCATIVE = re.compile(
    r"(?i:(?:mr|madam|mister)\.?\s(?:speaker|president|chairman|chairwoman|chair|chief\sjustice|"
    r"clerk|leader|secretary|vice\spresident))(?=\W|$)"
)
# A comma instead of a full stop: "Mr. CONYERS, Mr. Speaker, I am pleased".
_MISPRINT = re.compile(rf",?\s?(?={_VOCATIVE.pattern},)")
# A name that is not in capitals, where the address to the chair shows that a speech begins.
_UNCAPITALISED = re.compile(
    rf"(?P<title>(?:Mr|Mrs|Ms|Miss|Dr)\.?){_AFTER}(?P<name>(?:(?:{_INITIAL}|{_PARTICLE}|{_MIXED})"
    rf"\s){{0,3}}{_MIXED}{_SUFFIX}?{_PLACE}?)\.\s(?={_VOCATIVE.pattern},)"
)
_FIRST = re.compile(
    rf"[(\[]|(?:The|THE|[Aa]n?|AN|(?i:several|many|some|other))\s|(?:{_TITLE}|{_MODIFIER}\b){_AFTER}"
    rf"|{_OFFICE_NAMES}|MEMBERS|SENATORS|VOICES"
)
_SHOUTED = re.compile(_UPPER + _UPPER)
_SPACE = re.compile(r"\s+")


_USUAL = 250
HEAD = 1_500
"""Maximum length of a list of members who changed their votes."""


class Paragraph(Enum):
    """The kinds of openings of a paragraph."""

    HEADING = "heading"
    REPORTER = "reporter"
    UNRESOLVED = "unresolved"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening of a paragraph.

    Args:
        kind: What it is.
        speaker: The speaker named in a heading, as printed and on one line; a note in parentheses,
            such as "(during the reading)", is omitted after a member's name but kept after an
            office, where it names the holder.
    """

    kind: Paragraph
    speaker: str = ""


_TEXT = Opening(Paragraph.TEXT)
_REPORTER = Opening(Paragraph.REPORTER)
_UNRESOLVED = Opening(Paragraph.UNRESOLVED)


def opening(paragraph: str) -> Opening:
    """Determine whether a paragraph opens with a heading.

    Args:
        paragraph: Its text, or enough of its beginning, without indentation and bullet.
    """
    if not _FIRST.match(paragraph):
        return _TEXT
    opened = _opening(paragraph[:_USUAL])
    return _opening(paragraph[:HEAD]) if opened is _UNRESOLVED else opened


def _opening(head: str) -> Opening:
    text = unicodedata.normalize("NFC", _SPACE.sub(" ", head)).strip()
    if text[:1] in "([":
        return _bracketed(text)
    return _office(text) or _person(text)


def _office(text: str) -> Opening | None:
    """The opening of a text that begins with an office or several members; None otherwise."""
    for pattern in (_OFFICE, _GROUP):
        found = pattern.match(text)
        if found and _STOP.match(text, found.end()):
            return Opening(Paragraph.HEADING, found["name"] + (found["note"] or ""))
        if found and pattern is _OFFICE and _SHOUTED.search(found["name"]):
            return _sentence(text, found.end())
    return None


def _person(text: str) -> Opening:
    """The opening of a text that does not begin with an office."""
    found, called = _SPEAKER.match(text), _VOCATIVE.match(text)
    if found is None and not called and (found := _UNCAPITALISED.match(text)):
        return Opening(Paragraph.HEADING, f"{found['title']} {found['name']}")
    if found is None or (called and (found["title"].endswith(".") or found["note"])):
        return _TEXT
    if called and not _STOP.match(text, found.end()):  # "Mr. Speaker GINGRICH said", not a heading
        return _TEXT
    if _STOP.match(text, found.end()) or _MISPRINT.match(text, found.end()):
        return Opening(Paragraph.HEADING, _printed(found))
    return _sentence(text, found.end())


def _printed(found: re.Match[str]) -> str:
    """The heading as printed, with its title in usual capitalisation."""
    title = found["title"]
    usual = title.capitalize() if title.isupper() else title
    return f"{usual} {found['name']}"


def _sentence(text: str, end: int) -> Opening:
    """The kind of a paragraph that begins with a name in capitals without a full stop."""
    rest = text[end:].lstrip(" ,;")
    while rest[:1] in ("(", "["):
        closing = re.search(r"[)\]]", rest)
        if closing is None:
            return _UNRESOLVED
        rest = rest[closing.end() :].lstrip(" ,;")
    return _REPORTER if rest[:1].islower() or not rest else _UNRESOLVED


def _bracketed(text: str) -> Opening:
    """Whether a paragraph in brackets is the reporter's: it names a member or an office."""
    inside = text[1:]
    named = _SPEAKER.match(inside) or _OFFICE.match(inside)
    if named and _SHOUTED.search(named["name"]):
        return _REPORTER
    return _TEXT
