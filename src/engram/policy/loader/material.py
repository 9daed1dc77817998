"""`Material`, the input of a loader, and `Loader`, the description of one source's loader."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache, partial

from engram.policy.document import Document, Rejected, Rejection

Item = Document | Rejected

EXCERPT = 200
"""Number of characters kept of a rejected record."""

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
    """One input file, or a run of its lines, as passed to a loader.

    Args:
        origin: Display name of the file and of its archive.
        name: The path inside the folder or archive.
        data: The bytes.
        start: Position of the bytes in the file.
        companions: The companion files that the loader asked for, by role.
    """

    origin: str
    name: str
    data: bytes
    start: int = 0
    companions: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loader:
    """How a source is recognised and read.

    Args:
        name: The name of the source; documents keep it.
        description: A one-line description for lists.
        matches: The paths that it reads, as a pattern to search for.
        read: Turns material into documents and rejections.
        by_line: Whether each line is a record, so that a file may be divided between lines.
        many: Whether a file holds many records but cannot be divided between lines.
        mapped: Whether it needs a `TableFormat`, which is passed as the companion "format".
        companions: Maps a path to the paths of its companions, by role.
        beside: The paths that can be companions, as a pattern to search for.
        better: Maps a path to the path of a better form of the same text, if there is one.
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
    """Return the postal code of a US state from any usual form; unknown names are unchanged.

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
    """Yield each non-blank line with the position of its first byte in the file."""
    data, begin = material.data, 0
    newline = (
        b"\n" if b"\n" in data else b"\r"
    )  # old Macintosh files end lines with carriage returns
    while begin < len(data):
        end = data.find(newline, begin)
        end = len(data) if end < 0 else end
        line = data[begin:end].rstrip(b"\r")
        if line.strip():
            yield material.start + begin, line
        begin = end + 1


def attempt(build: Callable[[], Item], origin: str, raw: bytes | str, source: str) -> Item:
    """Build a document; if that fails, return a rejection instead of raising.

    Args:
        build: Builds the document from the record.
        origin: Where the record is.
        raw: The record, for the excerpt.
        source: The name of the loader.
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
        # A record of the wrong structure fails where it is first accessed, in one of these ways.
        reason, detail = "malformed-record", f"{type(error).__name__}: {error}"
    return rejected(reason, detail, origin, raw, source)


def whole(build: Callable[[Material], Item], source: str) -> Callable[[Material], Iterator[Item]]:
    """Return the reader of a source whose files hold one document each.

    Args:
        build: Builds the document from a file.
        source: The name of the loader.
    """

    def read(material: Material) -> Iterator[Item]:
        yield attempt(partial(build, material), material.origin, material.data, source)

    return read


def rejected(reason: str, detail: str, origin: str, raw: bytes | str, source: str) -> Rejected:
    """Return a rejection with the beginning of the record as its excerpt."""
    head = raw[:EXCERPT]
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    return Rejected(reason, detail, origin, text, source)


def decode(data: bytes, encoding: str | None = None) -> str:
    """Decode bytes, without a byte-order mark and with newlines as line ends.

    Args:
        data: The bytes.
        encoding: Encoding of the source; UTF-8 if None.

    Raises:
        Rejection: If they are not valid in that encoding.
    """
    mark = data.startswith(b"\xef\xbb\xbf")
    try:
        text = data.decode(encoding or ("utf-8-sig" if mark else "utf-8"))
    except UnicodeError as error:
        start = getattr(error, "start", 0)  # a few codecs do not say where
        bad = data[start : start + 4]
        name = "UTF-8" if encoding is None else encoding
        raise Rejection(
            "malformed-bytes",
            f"byte {start} begins {bad!r}, which is not {name}; convert the file to UTF-8",
        ) from error
    return newlines(text)


# found from its hyphen: a pattern that begins with letters tries each letter of the text
_CUT = re.compile(r"(?<=[^\W\d_]{2})-\n[ \t]*([^\W\d_]{2,})")
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
"""Word endings that are not words, and so were split off at the end of a line."""


def whole_words(text: str) -> str:
    """Remove hyphens that split a word at the end of a line.

    A word is joined if it occurs joined elsewhere in the text, or if the part after the hyphen is
    an ending and not a word. Other hyphens are kept, such as those of compounds.

    Args:
        text: Any text, with newlines.
    """
    if "-\n" not in text:
        return text
    words: set[str] = set()
    behind = 0  # the part before a hyphen is not also the part after another one

    def join(found: re.Match[str]) -> str:
        nonlocal behind
        start = found.start()
        while start > behind and text[start - 1].isalnum() and not text[start - 1].isdecimal():
            start -= 1
        first, last = text[start : found.start()], found[1]
        if len(first) < 2:
            return found[0]
        behind = found.end()
        if not words:
            words.update(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)?", text.casefold()))
        whole = f"{first}{last}".casefold()
        compound = f"{first}-{last}".casefold()
        cut = whole in words or (compound not in words and last in _ENDINGS)
        if not cut:
            return found[0]
        words.add(whole)
        return f"{last}\n"

    return _CUT.sub(join, text)


def newlines(text: str) -> str:
    """Replace carriage returns, with or without a newline, by newlines."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def decode_western(data: bytes) -> str:
    """Decode bytes of an older file as UTF-8 or, failing that, Windows-1252.

    Raises:
        Rejection: If they are valid in neither encoding.
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


def text_and_row(
    material: Material, rows: Mapping[str, dict[str, str]], key: str, table: str
) -> tuple[str, dict[str, str]]:
    """Return the text of a file and its row in a table beside it.

    Args:
        material: The file.
        rows: The rows of the table by key.
        key: The key of the file.
        table: Name of the table.

    Raises:
        Rejection: If the file is empty or has no row.
    """
    text = decode(material.data).strip()
    if not text:
        raise Rejection("missing-field", "the file holds no message")
    if key not in rows:
        name = material.name.rpartition("/")[2]
        raise Rejection("bad-date", f"{table} has no row, and so no day, for {name}")
    return text, rows[key]


def iso_day(text: object, what: str = "the date") -> date:
    """Parse the day of an ISO date, an ISO date and time, or eight digits.

    Raises:
        Rejection: If it is not a day.
    """
    digits = str(text or "")
    try:
        return date.fromisoformat(digits[:8] if digits[:8].isdigit() else digits[:10])
    except ValueError as error:
        raise Rejection("bad-date", f"{what} is {text!r}, not a day") from error


def changed(text: object) -> datetime | None:
    """Parse when a source last changed a record, an ISO date and time; None if unknown."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def party(name: object) -> str | None:
    """Return a party's full name from its name or letter in a source."""
    text = str(name or "").strip()
    return _PARTIES.get(text, text) or None


def require(value: object, what: str) -> str:
    """Return a required field as stripped text.

    Raises:
        Rejection: If it is missing or empty, or neither a text nor a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise Rejection("malformed-record", f"{what} is {str(value)[:80]!r}, not a text")
    text = str(value).strip() if value is not None else ""
    if not text:
        raise Rejection("missing-field", f"{what} is missing or empty")
    return text
