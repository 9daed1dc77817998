"""`Document`, one text of the record, and `Rejected`, a record that could not become one."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from engram.errors import EngramError

DERIVED = -1
"""Instead of the number of a Congress: the Congress in office on the document's day."""

LATEST = timedelta(days=31)
"""How far in the future a document may be dated: schedules are printed ahead of time."""

DOC_TYPES = (
    "speech",
    "message",
    "bill",
    "amendment",
    "nomination",
    "vote",
    "statute",
    "record",
)
"""The types of documents; "record" is text of the Congressional Record without a speaker."""

CHAMBERS = ("house", "senate", "extensions", "joint", "executive")
"""The chamber of a document, if known."""

REASONS = {
    "malformed-bytes": "the bytes are not text in the encoding that the source uses",
    "malformed-record": "the record does not parse in its source's format",
    "missing-field": "a field that every document needs is missing or empty",
    "bad-date": "the date is missing, impossible, or outside the record",
    "unknown-value": "a field has a value that is not in the schema",
    "too-large": "the document is longer than the limit",
    "unreadable-file": "the file or a member of the archive cannot be read completely",
    "superseded": "a better form of the same page exists and is read instead",
    "unresolved-heading": "a paragraph looks like a heading but names nobody; it has no speaker",
    "other-encoding": "the bytes are not UTF-8 and were read as Windows-1252; the text is included",
    "unknown-kind": "a part of a known format has an unknown label; its text is included",
}
"""Reasons for rejecting a document, and notes about accepted ones, as counted in the manifest."""

_OPTIONAL = frozenset(("chamber", "speaker", "party", "state", "url", "printed"))
_TEXTS = ("id", "doc_type", "title", "text", "source", *sorted(_OPTIONAL))
_NUMBERS = 10_000

NOTED = ("unresolved-heading", "other-encoding", "unknown-kind")
"""Those of `REASONS` that are only notes: the text is accepted."""


class Rejection(EngramError):  # noqa: N818 - it is caught and counted, not an error of the program
    """A record cannot become a document.

    Args:
        reason: A key of `REASONS`.
        detail: What is wrong with this record.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the record.

    Args:
        id: Unique in the record, "source:native-id" or, of a part of a page, "source:page:part";
            taken from the source alone, never from the names of folders.
        doc_type: One of `DOC_TYPES`.
        date: The day on which it was spoken, sent, introduced, voted on or approved.
        title: Its title; may be empty.
        text: Its text; may be empty if only a title is known.
        congress: The number of the Congress; derived from the date unless given; None for a text
            of no Congress, such as one of another parliament.
        session: The session of that Congress, where known.
        chamber: One of `CHAMBERS`, or None.
        speaker: The speaker; for a bill, the sponsor.
        party: That person's party.
        state: That person's state.
        source: The name of the loader that read it.
        url: Where a reader can open it.
        printed: The speaker's name as spelled by the source, if the record shows another spelling.
        updated: When the source last changed it, if known.

    Raises:
        Rejection: If a field is of the wrong kind, the id is empty, there is neither title nor
            text, or the type, chamber or date is not valid for the record.
    """

    id: str
    doc_type: str
    date: date
    title: str
    text: str
    congress: int | None = DERIVED
    session: int | None = None
    chamber: str | None = None
    speaker: str | None = None
    party: str | None = None
    state: str | None = None
    source: str = ""
    url: str | None = None
    printed: str | None = None
    updated: datetime | None = None

    def __post_init__(self) -> None:
        self._check_kinds()
        if not self.id:
            raise Rejection("missing-field", "the document has no id")
        if not self.text and not self.title:
            raise Rejection("missing-field", "the document has neither text nor title")
        if self.doc_type not in DOC_TYPES:
            raise Rejection("unknown-value", f"type {self.doc_type!r} is not one of {DOC_TYPES}")
        if self.chamber is not None and self.chamber not in CHAMBERS:
            raise Rejection("unknown-value", f"chamber {self.chamber!r} is not one of {CHAMBERS}")
        if self.congress is not None:
            derived = congress_of(self.date)
            if self.congress == DERIVED:
                object.__setattr__(self, "congress", derived)

    def _check_kinds(self) -> None:
        """Refuse values that are not of the kind of their field, as records of odd shape give."""
        for name in _TEXTS:
            value = getattr(self, name)
            if not (isinstance(value, str) or (value is None and name in _OPTIONAL)):
                raise Rejection("malformed-record", f"{name} is {str(value)[:80]!r}, not a text")
        for name in ("congress", "session"):
            value = getattr(self, name)
            if value is None or (name == "congress" and value == DERIVED):
                continue
            if type(value) is not int or not 0 < value < _NUMBERS:
                problem = f"{name} is {str(value)[:80]!r}, not a number from 1 to {_NUMBERS - 1}"
                raise Rejection("unknown-value", problem)


def unit_of(id_: str) -> str:
    """Return the unit of the source that a document belongs to; the parts of a page form one.

    A newer version of a unit replaces the older one as a whole.
    """
    return ":".join(id_.split(":", 2)[:2])


def searched(document: Document) -> str:
    """Return the searched text of a document: its title if it has no text."""
    return document.text or document.title


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was quarantined instead of becoming a document.

    Args:
        reason: A key of `REASONS`.
        detail: What is wrong with this record.
        origin: The file that it came from, with member and line if any.
        excerpt: The beginning of the rejected record.
        source: The name of the loader that read it.
    """

    reason: str
    detail: str
    origin: str
    excerpt: str = ""
    source: str = ""


def check_day(day: date) -> None:
    """Refuse a day in the future.

    Raises:
        Rejection: If it is more than `LATEST` after today.
    """
    if day > date.today() + LATEST:
        raise Rejection("bad-date", f"{day} is in the future; correct the year")


def congress_of(day: date) -> int:
    """Return the number of the Congress in office on a day.

    A Congress sits for two years from an odd year: from 4 March until the 73rd (1933), from 3
    January since the 74th (1935), by the Twentieth Amendment.

    Args:
        day: Any day since 4 March 1789.

    Returns:
        Its number; 1 for 1789-1791.

    Raises:
        Rejection: If the day is before the first Congress.
    """
    opening = (3, 4) if day.year < 1935 else (1, 3)
    before = day.year % 2 == 1 and (day.month, day.day) < opening
    number = (day.year - 1789) // 2 + 1 - before
    if number < 1:
        raise Rejection("bad-date", f"{day} is before the first Congress, 1789-03-04")
    return number
