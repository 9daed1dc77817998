"""Bills and resolutions 1799-1873 of the Library of Congress: rows of llhb, llsb and llsr files.

A row is one scanned page. The first page of a bill has its metadata; the others name only their
image and are not documents.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import partial

from engram.policy.document import Document, Rejection, congress_of
from engram.policy.loader.material import (
    Item,
    Loader,
    Material,
    attempt,
    decode,
    iso_day,
    lines,
    rejected,
)

_NAME = re.compile(r"(?:^|/)ll(?:hb|sb|sr)\d{3}\.txt$")
# Quotes inside the description are not doubled, so a row is parsed from both ends.
_ROW = re.compile(
    r'"(ll[hs][br])","(\d+)","(\d+)\.tif","(\d+)","(\d*)","([hs])","([^"]*)","([^"]*)","([^"]*)",'
    r'"(.*)","(.*)"',
    re.DOTALL,
)
_CHAMBERS = {"h": "house", "s": "senate"}


def _read(material: Material) -> Iterator[Item]:
    for position, line in lines(material):
        origin = f"{material.origin}, byte {position}"
        try:
            row = _ROW.fullmatch(decode(line))
        except Rejection as bad:
            yield rejected(bad.reason, bad.detail, origin, line, "american-memory")
            continue
        if row and row[7] and not row[10].strip():
            continue
        yield attempt(partial(_document, row), origin, line, "american-memory")


def _document(row: re.Match[str] | None) -> Document:
    if row is None:
        raise Rejection("malformed-record", "the row does not hold the eleven quoted columns")
    collection, volume, image, congress, session, chamber, _, number, days, text, committee = (
        row.groups()
    )
    if not text.strip():
        raise Rejection("missing-field", f"the bill {number or image} has no description")
    return Document(
        id=f"american-memory:{collection}{volume}-{image}",
        doc_type="bill",
        date=_day(days, int(congress)),
        title=number,
        text=f"{text} {committee}".strip() if committee not in text else text,
        congress=int(congress),
        session=int(session) if session else None,
        chamber=_CHAMBERS[chamber],
        source="american-memory",
    )


def _day(days: str, congress: int) -> date:
    """The first of the given days that lies in the Congress, which excludes misprinted years."""
    for text in days.split(","):
        day = iso_day(text.strip(), "the date")
        if congress_of(day) == congress:
            return day
    raise Rejection("bad-date", f"none of the days {days!r} lies in Congress {congress}")


LOADER = Loader(
    name="american-memory",
    description="bills and resolutions 1799-1873 (llhb, llsb and llsr rows)",
    matches=_NAME,
    read=_read,
    by_line=True,
)
