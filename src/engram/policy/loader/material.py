"""Material: what a loader is given; Loader: what one source's loader says about itself."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache

from engram.policy.document import Document, Rejected, Rejection

Item = Document | Rejected

EXCERPT = 200
"""How many characters of what is rejected are kept."""

_PARTIES = {
    "D": "Democratic",
    "Democrat": "Democratic",
    "R": "Republican",
    "I": "Independent",
    "ID": "Independent",
    "W": "Whig",
    "F": "Federalist",
    "L": "Libertarian",
    "P": "Populist",
}


@dataclass(frozen=True, slots=True)
class Material:
    """One input file, or a run of its lines, as a loader is given it.

    Args:
        origin: names the file, and the archive that it is in, for a reader.
        name: the path inside the folder or archive.
        data: the bytes.
        start: where in the file they begin.
        companions: the files beside it that the loader asked for, by role.
    """

    origin: str
    name: str
    data: bytes
    start: int = 0
    companions: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loader:
    """How one source is recognised and read.

    Args:
        name: the name of the source; documents keep it.
        description: one line for a list.
        matches: the paths that it reads, as a pattern to search.
        read: turns material into documents and rejections.
        by_line: whether a line is a record, so that a file may be cut between lines.
        many: whether a file holds many records though it cannot be cut between lines.
        mapped: whether it reads by a `TableFormat`, which it is given as the companion "format".
        companions: from a path, the paths of the files it is read with, by role.
        beside: the paths that can be companions, as a pattern to search.
        better: from a path, the path of a better form of the same text, if it has one.
    """

    name: str
    description: str
    matches: re.Pattern[str]
    read: Callable[[Material], Iterator[Item]]
    by_line: bool = False
    many: bool = False
    mapped: bool = False
    companions: Callable[[str], dict[str, str]] = lambda path: {}
    beside: re.Pattern[str] | None = None
    better: Callable[[str], str | None] = lambda path: None


_STATES = (
    "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|"
    "DE Delaware|DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|"
    "IN Indiana|IA Iowa|KS Kansas|KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|"
    "MI Michigan|MN Minnesota|MS Mississippi|MO Missouri|MT Montana|NE Nebraska|NV Nevada|"
    "NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|NC North Carolina|ND North Dakota|"
    "OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|SC South Carolina|"
    "SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|"
    "WV West Virginia|WI Wisconsin|WY Wyoming|AS American Samoa|GU Guam|"
    "MP Northern Mariana Islands|PR Puerto Rico|VI Virgin Islands|DK Dakota|OL Orleans|"
    "PI Philippine Islands"
)
_POSTAL = {
    name.casefold(): code for code, _, name in (e.partition(" ") for e in _STATES.split("|"))
}
_CODES = frozenset(_POSTAL.values())
_ABBREVIATED = re.compile(r"[A-Z]\.\s?[A-Z]\.")


@lru_cache(maxsize=1000)
def state(name: str | None) -> str | None:
    """A state of the Union as its two letters, from whatever a source gives; as it is if unknown.

    Args:
        name: "CT", "Connecticut", "CONNECTICUT", "the State of Connecticut", "N.Y.".
    """
    text = " ".join((name or "").split())
    plain = re.sub(r"^(?:the )?(?:state|commonwealth|territory) of ", "", text.casefold())
    plain = plain.removeprefix("the ").removesuffix(" territory")
    short = text.replace(".", "").replace(" ", "")
    if short.upper() in _CODES and (len(text) == 2 or _ABBREVIATED.fullmatch(text)):
        return short.upper()
    return _POSTAL.get(plain, text) or None


def lines(material: Material) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with the position of its first byte in the file."""
    data, begin = material.data, 0
    newline = b"\n" if b"\n" in data else b"\r"  # older Macintosh files end lines with returns
    while begin < len(data):
        end = data.find(newline, begin)
        end = len(data) if end < 0 else end
        line = data[begin:end].rstrip(b"\r")
        if line.strip():
            yield material.start + begin, line
        begin = end + 1


def attempt(build: Callable[[], Item], origin: str, raw: bytes | str, source: str) -> Item:
    """Build a document; where the record does not allow it, say why instead of raising.

    Args:
        build: makes the document from the record.
        origin: where the record is.
        raw: the record, for the excerpt.
        source: the name of the loader.
    """
    try:
        return build()
    except Rejection as rejection:
        reason, detail = rejection.reason, rejection.detail
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        # A record of the wrong shape fails wherever it is first touched, in one of these ways.
        reason, detail = "malformed-record", f"{type(error).__name__}: {error}"
    return rejected(reason, detail, origin, raw, source)


def rejected(reason: str, detail: str, origin: str, raw: bytes | str, source: str) -> Rejected:
    """A rejection with the beginning of the record as its excerpt."""
    head = raw[:EXCERPT]
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    return Rejected(reason, detail, origin, text, source)


def decode(data: bytes, encoding: str | None = None) -> str:
    """Bytes as text, without a byte-order mark, and with lines that end in a newline.

    Args:
        data: the bytes.
        encoding: what the source is written in; UTF-8 if None.

    Raises:
        Rejection: if they are not text in that encoding.
    """
    mark = data.startswith(b"\xef\xbb\xbf")
    try:
        text = data.decode(encoding or ("utf-8-sig" if mark else "utf-8"))
    except UnicodeDecodeError as error:
        bad = data[error.start : error.start + 4]
        name = "UTF-8" if encoding is None else encoding
        raise Rejection(
            "malformed-bytes",
            f"byte {error.start} begins {bad!r}, which is not {name}; convert the file to UTF-8",
        ) from error
    return newlines(text)


_CUT = re.compile(r"([^\W\d_]{2,})-\n[ \t]*([^\W\d_]{2,})")
_ENDED = (
    "able ably age ages al ally ance ances ant ants ary ated ates ating ation ations ative "
    "cal cally cence cial cially cies cy dom ed ence ences ent ents er ers ery es ful fully "
    "gious hood ial ible ic ical ics ied ier ies ily ing ings ion ions ish ism ist ists "
    "ities ity ive ively ize ized izes izing less ly ment mental ments ness nesses nian "
    "nity nized or ors ory ous ously ry sation ship ships sible sion sional sions sive "
    "sively ster sure sures tance tary ted tee ten ter ters tial tially tic tical tics ties "
    "ting tion tional tionally tions tious tive tively tor tors tory tude tural ture tures "
    "ty ual ually uous ure ures ward wards "
)
_ENDINGS = frozenset(_ENDED.split())
"""What ends words and is none, so that it has been cut off at the end of a line."""


def whole_words(text: str) -> str:
    """The text without the hyphens that cut a word at the end of a line.

    A word is whole if it stands so elsewhere in the text, or if what follows the hyphen is an
    ending and no word. Other hyphens stay, as those of compounds.

    Args:
        text: any text, with newlines.
    """
    if "-\n" not in text:
        return text
    words: set[str] = set()

    def join(found: re.Match[str]) -> str:
        first, last = found[1], found[2]
        if not words:
            words.update(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)?", text.casefold()))
        whole = f"{first}{last}".casefold()
        compound = f"{first}-{last}".casefold()
        cut = whole in words or (compound not in words and last in _ENDINGS)
        if not cut:
            return found[0]
        words.add(whole)
        return f"{first}{last}\n"

    return _CUT.sub(join, text)


def newlines(text: str) -> str:
    """The text with a newline wherever a line ends, be it in a return, a newline, or both."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def decode_western(data: bytes) -> str:
    """Bytes of an older file as text: UTF-8 if they are that, else Windows-1252.

    Raises:
        Rejection: if they are neither.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise Rejection(
            "malformed-bytes",
            f"byte {error.start} is {data[error.start]:#04x}, neither UTF-8 nor Windows-1252",
        ) from error


def iso_day(text: object, what: str = "the date") -> date:
    """The day of an ISO date or date and time, or of eight digits.

    Raises:
        Rejection: if it is not a day.
    """
    digits = str(text or "")
    try:
        return date.fromisoformat(digits[:8] if digits[:8].isdigit() else digits[:10])
    except ValueError as error:
        raise Rejection("bad-date", f"{what} is {text!r}, not a day") from error


def changed(text: object) -> datetime | None:
    """When a source last changed a record, from an ISO date and time; None if it does not tell."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def party(name: object) -> str | None:
    """A party's full name, from the name or the letter that a source gives it."""
    text = str(name or "").strip()
    return _PARTIES.get(text, text) or None


def require(value: object, what: str) -> str:
    """A field as text, stripped.

    Raises:
        Rejection: if it is missing or empty, or neither a text nor a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise Rejection("malformed-record", f"{what} is {str(value)[:80]!r}, not a text")
    text = str(value).strip() if value is not None else ""
    if not text:
        raise Rejection("missing-field", f"{what} is missing or empty")
    return text
