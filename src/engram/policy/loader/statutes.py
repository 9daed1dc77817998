"""The Statutes at Large as YAML: per volume a list of entries with a statute's title and page.

The day of a statute is at the end of its title. If it is missing, only the Congress is known,
which is not a date; those entries are rejected.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from typing import Any

from engram.policy.document import DERIVED, Document, Rejection, congress_of
from engram.policy.loader.material import Item, Loader, Material, attempt, decode, rejected

_NAME = re.compile(r"(?:^|/)\d{3}\.ya?ml$")
_ENTRY = re.compile(r"^- ", re.MULTILINE)
_DAY = re.compile(
    r"(January|February|March|April|May|June|July|August|September|October|November|December)"
    r" +(\d{1,2}), *(\d{4})(?:[ .]+\d+)?[.\s]*$"
)
_CONGRESS_AT_MOST_YEARS_APART = 1


def _read(material: Material) -> Iterator[Item]:
    try:
        text = decode(material.data)
    except Rejection as bad:
        yield rejected(bad.reason, bad.detail, material.origin, material.data, "statutes")
        return
    starts = [found.start() for found in _ENTRY.finditer(text)]
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True), 1):
        entry = text[start:stop]
        yield attempt(
            partial(_document, entry), f"{material.origin}, entry {number}", entry, "statutes"
        )


def _document(entry: str) -> Document:
    fields = _parse(entry)
    native = str(fields["file"]).removesuffix(".pdf").removeprefix("STATUTE-")
    marks = [str(fields[key]) for key in ("type", "number") if fields.get(key) is not None]
    title, topic = (str(fields.get(key) or "").strip() for key in ("title", "topic"))
    name = str(fields.get("citation") or fields.get("id") or "").strip()
    congress = fields.get("congress")
    return Document(
        id=f"statutes:{'-'.join([native, *marks])}",
        doc_type="statute",
        date=_day(title, congress),
        title=", ".join(filter(None, (name, topic))),
        text=title,
        congress=DERIVED if congress is None else congress,
        session=fields.get("session"),
        source="statutes",
        url=f"https://www.govinfo.gov/app/details/STATUTE-{fields['volume']}",
    )


def _parse(entry: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only this source is YAML

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        [fields] = yaml.load(entry, Loader=loader)
    except yaml.YAMLError as error:
        raise Rejection("malformed-record", str(error).replace("\n", " ")) from error
    return fields


def _day(title: str, congress: int | None) -> date:
    found = _DAY.search(title)
    if found is None:
        known = f"only the Congress, {congress}" if congress else "and no Congress"
        raise Rejection("bad-date", f"the title ends without a day; {known} is known")
    try:
        day = datetime.strptime(" ".join(found.groups()), "%B %d %Y").date()
    except ValueError as error:
        raise Rejection("bad-date", f"{found[0]!r} is not a day") from error
    if congress and abs(congress_of(day) - congress) > _CONGRESS_AT_MOST_YEARS_APART:
        raise Rejection("bad-date", f"the title ends in {day}, far from Congress {congress}")
    return day


LOADER = Loader(
    name="statutes",
    description="the Statutes at Large (NNN.yaml)",
    matches=_NAME,
    read=_read,
)
