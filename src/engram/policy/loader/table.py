"""The user's own tables and texts, read by a given mapping of columns to a document's fields.

Nothing is guessed: fields that are not mapped are unknown. A text has no Congress unless a column
or a constant gives one, and its party and state stay as they are written.
"""

import csv
import hashlib
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from engram.errors import EngramError
from engram.policy.document import DERIVED, Document, Rejection
from engram.policy.loader.material import (
    Item,
    Loader,
    Material,
    attempt,
    decode,
    iso_day,
    lines,
    newlines,
    party,
    rejected,
    require,
    state,
    whole_words,
)

FIELDS = (
    *("id", "type", "date", "title", "text", "congress", "session", "chamber", "speaker", "party"),
    *("state", "url", "source"),
)
"""The fields that a mapping can fill."""

FILE_COLUMNS = ("@name", "@folder", "@text")
"""Columns that each file has: its name without the suffix, its folder's name, its content."""

OF_THE_DATE = "from-date"
"""Value of the constant `congress` for the Congress in office on the text's day."""

_FORMATS = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": r"\d{1,2}",
    "%d": r"\d{1,2}",
    "%B": r"[^\W\d_]+",
    "%b": r"[^\W\d_]+\.?",
    "%A": r"[^\W\d_]+",
    "%a": r"[^\W\d_]+\.?",
    "%j": r"\d{1,3}",
}
_ORDINAL = re.compile(r"(?<=\d)\s?(?:st|nd|rd|th)\b", re.IGNORECASE)
_RANGE = re.compile(r"\d\s*(?:-|–|to|and|&)\s*$")
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class TableFormat:
    """How the columns of the user's tables map to the fields of documents.

    Args:
        columns: A column for each field, of `FIELDS`; for JSON, keys with dots between; or one of
            `FILE_COLUMNS`. The date and the text are needed; a text file's own text is "@text".
        constants: A value for each field that is the same in all documents.
        date_format: How dates are written, as `datetime.strptime` takes it, such as "%d %B %Y";
            None for 2001-12-31.
        encoding: Encoding of the files.

    Raises:
        ValueError: If a field or a part of the date format is unknown, or no column gives the date.
    """

    columns: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        for name in (*self.columns, *self.constants):
            if name not in FIELDS:
                raise EngramError(f"{name!r} is not a field; give some of {', '.join(FIELDS)}")
        if both := set(self.columns) & set(self.constants):
            raise EngramError(f"{', '.join(sorted(both))}: give a column or a constant, not both")
        if not {"date"} <= {*self.columns, *self.constants}:
            raise EngramError("no column gives the date; map one, such as date=Day or date=@name")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except (LookupError, ValueError) as error:
                raise EngramError(f"encoding {self.encoding!r} is not known") from error
        if self.date_format is not None:
            _pattern(self.date_format)

    def to_bytes(self) -> bytes:
        """Encode the format as the companion of a file."""
        whole = asdict(self) | {"columns": {**self.columns}, "constants": {**self.constants}}
        return json.dumps(whole, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "TableFormat":
        """Decode a format."""
        return cls(**json.loads(data))

    def day(self, text: str, inside: bool) -> date:
        """Parse the day in a cell or a name.

        Args:
            text: The cell or the name.
            inside: Whether other words may surround it, as in a file's name.

        Raises:
            Rejection: If it contains no day, or more than one.
        """
        plain = " ".join(_ORDINAL.sub("", text).split())
        shape = self.date_format or "%Y-%m-%d"
        if self.date_format is None and not inside:
            return iso_day(plain, "the date")
        found = list(re.finditer(rf"(?<!\d){_pattern(shape)}(?!\d)", plain))
        days = {day for one in found if (day := _parsed(one[0], shape))}
        whole = len(found) == 1 and found[0][0] == plain
        ranged = any(_RANGE.search(plain[: one.start()]) for one in found)
        if len(days) != 1 or ranged or not (inside or whole):
            what = (
                "contains no single day" if ranged or len(days) != 1 else "contains more than a day"
            )
            raise Rejection("bad-date", f"{text!r} {what} written as {shape}; give a date format")
        return days.pop()


def _pattern(shape: str) -> str:
    """A date format as a regular expression."""
    parts = re.split(r"(%.)", " ".join(shape.split()))
    for code in parts[1::2]:
        if code not in _FORMATS:
            known = ", ".join(_FORMATS)
            raise EngramError(f"{code!r} in the date format {shape!r} is not one of {known}")
    return "".join(
        _FORMATS[part] if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )


def _parsed(text: str, shape: str) -> date | None:
    """The day, with its month's name in full or abbreviated to at least three letters, or None."""
    for candidate in (text, re.sub(r"[^\W\d_]{4,}", lambda word: word[0][:3], text)):
        for form in (shape, shape.replace("%B", "%b")):
            try:
                return datetime.strptime(candidate, " ".join(form.split())).date()
            except ValueError:
                continue
    return None


def _read(material: Material) -> Iterator[Item]:
    form = TableFormat.from_bytes(material.companions["format"])
    seen: Counter[str] = Counter()
    try:
        for place, record in _records(material, form):
            origin = f"{material.origin}, {place}" if place else material.origin
            build = partial(_document, record, form, seen)
            yield attempt(build, origin, str(record), "table")
    except Rejection as bad:
        yield rejected(bad.reason, bad.detail, material.origin, material.data, "table")


def _read_lines(material: Material) -> Iterator[Item]:
    form = TableFormat.from_bytes(material.companions["format"])
    seen: Counter[str] = Counter()
    for position, line in lines(material):
        build = partial(_line, line, material, form, seen)
        yield attempt(build, f"{material.origin}, byte {position}", line, "table-lines")


def _line(line: bytes, material: Material, form: TableFormat, seen: Counter[str]) -> Document:
    record = json.loads(decode(line, form.encoding))
    if not isinstance(record, dict):
        raise Rejection("malformed-record", "the line is not a JSON object")
    return _document(_of_file(material, "") | record, form, seen)


def _records(material: Material, form: TableFormat) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a file, and the position of each."""
    text = decode(material.data, form.encoding)
    ending = material.name.rpartition(".")[2].lower()
    if ending == "txt":
        yield "", _of_file(material, text)
        return
    own = _of_file(material, "")
    if ending == "json":
        try:
            whole = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise Rejection("malformed-record", f"the JSON does not parse: {error}") from error
        for number, record in enumerate(whole if isinstance(whole, list) else [whole], 1):
            yield f"record {number}", own | (record if isinstance(record, dict) else {})
        return
    for number, row in _rows(text, form):
        yield f"row {number}", own | row


def _of_file(material: Material, text: str) -> dict[str, Any]:
    folder, _, name = material.name.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return {"@name": stem, "@folder": folder.rpartition("/")[2], "@text": text}


def _rows(text: str, form: TableFormat) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table with a header, by the delimiter that separates the mapped columns."""
    csv.field_size_limit(sys.maxsize)
    wanted = {name for name in form.columns.values() if not name.startswith("@")}
    header = text.partition("\n")[0]
    for delimiter in _DELIMITERS:
        names = next(csv.reader([header], delimiter=delimiter), [])
        if wanted <= {name.strip() for name in names}:
            break
    else:
        shown = ", ".join(repr(name) for name in next(csv.reader([header]), []))
        missing = ", ".join(repr(name) for name in sorted(wanted))
        raise Rejection("malformed-record", f"the columns are {shown}, not {missing}; map others")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        if not columns:
            raise Rejection("malformed-record", "the table is empty; its first line names columns")
        for number, row in enumerate(reader, 2):
            if row:
                yield number, _row(columns, row)
    except csv.Error as error:
        raise Rejection("malformed-record", f"line {reader.line_num}: {error}") from error


def _row(columns: list[str], row: list[str]) -> dict[str, Any]:
    if len(row) != len(columns):
        return {"": f"the row has {len(row)} cells, the header {len(columns)}"}
    return dict(zip(columns, row, strict=True))


def _document(record: dict[str, Any], form: TableFormat, seen: Counter[str]) -> Document:
    if wrong := record.get(""):
        raise Rejection("malformed-record", str(wrong))
    values = {name: _value(record, column) for name, column in form.columns.items()}
    values |= form.constants
    if "text" not in form.columns and record.get("@text"):
        values["text"] = record["@text"]
    values = {name: value.strip() for name, value in values.items()}
    inside = form.columns.get("date", "").startswith("@")
    day = form.day(require(values.get("date"), "the date"), inside)
    of_congress = _number(values, "congress")
    american = of_congress is not None
    source = (values.get("source") or "table").replace(":", "-")
    native = (values.get("id") or _content_id(day, values, seen)).replace(":", "/")
    return Document(
        id=f"{source}:{native}",  # another colon would make it a part of a page
        doc_type=(values.get("type") or "speech").lower(),
        date=day,
        title=values.get("title", ""),
        text=whole_words(newlines(values.get("text", ""))),
        congress=of_congress,
        session=_number(values, "session"),
        chamber=values.get("chamber", "").lower() or None,
        speaker=values.get("speaker") or None,
        party=(party(values.get("party")) if american else values.get("party")) or None,
        state=(state(values.get("state")) if american else values.get("state")) or None,
        source=source,
        url=values.get("url") or None,
    )


def _value(record: Mapping[str, Any], column: str) -> str:
    """The cell of a column; in JSON, the value at a dotted path of keys."""
    value: Any = record
    if column in record:
        value = record[column]
    else:
        for key in column.split("."):
            if not isinstance(value, Mapping) or key not in value:
                known = ", ".join(repr(name) for name in record if not name.startswith("@"))
                raise Rejection("missing-field", f"there is no {column!r}; there are {known}")
            value = value[key]
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "\n".join(str(one) for one in value)
    return "" if value is None else str(value)


def _number(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name, "")
    if name == "congress" and text == OF_THE_DATE:
        return DERIVED
    if not text:
        return None
    if not text.isdecimal():
        raise Rejection("unknown-value", f"{name} is {text!r}, not a number")
    return int(text)


def _content_id(day: date, values: Mapping[str, str], seen: Counter[str]) -> str:
    """An id from the content of the record and the number of its repetitions so far."""
    said = "\0".join((day.isoformat(), *(values.get(k, "") for k in ("speaker", "title", "text"))))
    digest = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


LOADER = Loader(
    name="table",
    description="your own tables (.csv, .tsv, .json; .txt), by a given mapping",
    matches=re.compile(r"\.(?:csv|tsv)$", re.IGNORECASE),
    read=_read,
    many=True,
    mapped=True,
)

LINES = Loader(
    name="table-lines",
    description="your own JSON lines (.jsonl, .ndjson), by a given mapping",
    matches=re.compile(r"\.(?:jsonl|ndjson)$", re.IGNORECASE),
    read=_read_lines,
    by_line=True,
    mapped=True,
)

TABLES = re.compile(r"\.(?:csv|tsv|json|txt)$", re.IGNORECASE)
"""Files that need a mapping and are read as a whole; `LINES` reads its files by line."""
