"""Document: one text of the record, and Rejected: one that could not become a document."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

DERIVED = -1
"""In place of a Congress's number: the Congress in office on the document's day."""

LATEST = timedelta(days=31)
"""How far after today the day of a document may lie: schedules are printed ahead of time."""

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
"""What a document can be; "record" is a page of the Record that nobody speaks."""

CHAMBERS = ("house", "senate", "extensions", "joint", "executive")
"""Where a document comes from, where the source tells."""

REASONS = {
    "malformed-bytes": "the bytes are not text in the encoding that the source uses",
    "malformed-record": "the record does not parse in its source's format",
    "missing-field": "a field that every document needs is not there or empty",
    "bad-date": "the date is missing, impossible, or outside the record",
    "unknown-value": "a field holds a value that the schema does not know",
    "too-large": "the document is longer than the limit",
    "unreadable-file": "the file or a member of the archive cannot be read to its end",
    "superseded": "the same page lies beside it in a better form, which is read instead",
    "unresolved-heading": "a paragraph looks like a heading and names nobody; it has no speaker",
    "other-encoding": "the bytes are not UTF-8 and were read as Windows-1252; the text is taken in",
    "unknown-kind": "a part of a known format has an unknown label; its text is taken in",
}
"""Why a document can be rejected, or what is said of one: the words under which the manifest
counts."""

_OPTIONAL = frozenset(("chamber", "speaker", "party", "state", "url", "printed"))
_TEXTS = ("id", "doc_type", "title", "text", "source", *sorted(_OPTIONAL))
_NUMBERS = 10_000

NOTED = ("unresolved-heading", "other-encoding", "unknown-kind")
"""The reasons of `REASONS` that are only said of a text: it is taken in."""


class Rejection(ValueError):  # noqa: N818 - it is caught and counted, not an error of the program
    """Raised where a record cannot become a document.

    Args:
        reason: a key of `REASONS`.
        detail: what was wrong with this one.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the record.

    Args:
        id: unique in the record, "source:native-id" or, of a part of a page, "source:page:part";
            taken from the source alone, never from the names of folders.
        doc_type: one of `DOC_TYPES`.
        date: the day it was said, sent, introduced, voted on or approved.
        title: what it is called; may be empty.
        text: what it says; may be empty where only a title is known.
        congress: the number of the Congress; derived from the date unless it is given, None for a
            text of no Congress, as of another country's parliament.
        session: the session of that Congress, where known.
        chamber: one of `CHAMBERS`, or None.
        speaker: who speaks; for a bill, who sponsors it.
        party: that person's party.
        state: that person's state.
        source: the name of the loader that read it.
        url: where a reader can open it.
        printed: the speaker's name as the source spells it, where the record shows another.
        updated: when the source last changed it, where the source tells.

    Raises:
        Rejection: if a field is of the wrong kind, the id is empty, there is neither title nor
            text, or the type, chamber or date is none of the record.
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
            raise Rejection("unknown-value", f"type {self.doc_type!r} is none of {DOC_TYPES}")
        if self.chamber is not None and self.chamber not in CHAMBERS:
            raise Rejection("unknown-value", f"chamber {self.chamber!r} is none of {CHAMBERS}")
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
    """The unit of the source that a document belongs to: all parts of a page are one.

    A newer version of a unit replaces the older one as a whole.

    Args:
        id_: the document's id.
    """
    return ":".join(id_.split(":", 2)[:2])


@dataclass(frozen=True, slots=True)
class Rejected:
    """What was quarantined instead of becoming a document.

    Args:
        reason: a key of `REASONS`.
        detail: what was wrong with this one.
        origin: the file, and the member and line where there are any, that it came from.
        excerpt: the beginning of what was rejected.
        source: the name of the loader that read it.
    """

    reason: str
    detail: str
    origin: str
    excerpt: str = ""
    source: str = ""


def check_day(day: date) -> None:
    """Refuse a day that has not come.

    Args:
        day: the day of a document.

    Raises:
        Rejection: if it lies more than `LATEST` after today.
    """
    if day > date.today() + LATEST:
        raise Rejection("bad-date", f"{day} lies in the future; correct the year")


def congress_of(day: date) -> int:
    """The number of the Congress in office on a day.

    A Congress sits for two years from an odd one: from 4 March until the 73rd (1933), from
    3 January since the 74th (1935), as the Twentieth Amendment has it.

    Args:
        day: any day since 4 March 1789.

    Returns:
        Its number; 1 for 1789-1791.

    Raises:
        Rejection: if the day is before the first Congress.
    """
    opening = (3, 4) if day.year < 1935 else (1, 3)
    before = day.year % 2 == 1 and (day.month, day.day) < opening
    number = (day.year - 1789) // 2 + 1 - before
    if number < 1:
        raise Rejection("bad-date", f"{day} is before the first Congress, 1789-03-04")
    return number
