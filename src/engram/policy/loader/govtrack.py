"""The JSON of unitedstates/congress, as published by GovTrack: one data.json per measure.

References:
    github.com/unitedstates/congress: bills, amendments, nominations and votes.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from engram.policy.document import Document, Rejection
from engram.policy.loader.material import (
    Item,
    Loader,
    Material,
    attempt,
    changed,
    decode,
    iso_day,
    party,
    require,
    state,
)

_NAME = re.compile(r"^(?!.*/text-versions/).*(?:^|/)data\.json$")
CHAMBERS = {"h": "house", "s": "senate"}
"""The chambers, by the first letter of a measure's type."""
_BILL_PAGES = {
    "hr": "house-bill",
    "s": "senate-bill",
    "hres": "house-resolution",
    "sres": "senate-resolution",
    "hjres": "house-joint-resolution",
    "sjres": "senate-joint-resolution",
    "hconres": "house-concurrent-resolution",
    "sconres": "senate-concurrent-resolution",
}
_AMENDMENT_PAGES = {"hamdt": "house-amendment", "samdt": "senate-amendment"}
_CONGRESS_GOV = "https://www.congress.gov"


def _read(material: Material) -> Iterator[Item]:
    yield attempt(partial(_document, material.data), material.origin, material.data, "govtrack")


def _document(data: bytes) -> Document:
    record = json.loads(decode(data))
    if not isinstance(record, dict):
        raise Rejection("malformed-record", "the file is not a JSON object")
    for key, build in _KINDS.items():
        if key in record:
            return build(require(record[key], key), record)
    raise Rejection("missing-field", f"the record has none of {', '.join(_KINDS)}")


def _bill(native: str, record: dict[str, Any]) -> Document:
    kind, congress = require(record.get("bill_type"), "bill_type"), int(record["congress"])
    title = record.get("short_title") or record.get("official_title") or ""
    return Document(
        id=f"govtrack:{native}",
        doc_type="bill",
        date=iso_day(record.get("introduced_at"), "introduced_at"),
        title=title,
        text=joined(
            record.get("official_title"),
            *(known.get("title") for known in record.get("titles") or ()),
            (record.get("summary") or {}).get("text"),
        ),
        congress=congress,
        updated=changed(record.get("updated_at")),
        chamber=CHAMBERS.get(kind[0]),
        url=bill_page(kind, record.get("number"), congress),
        **_sponsor(record),
    )


def _amendment(native: str, record: dict[str, Any]) -> Document:
    kind = require(record.get("amendment_type"), "amendment_type")
    congress, number = int(record["congress"]), record.get("number")
    amended = record.get("amends_bill") or record.get("amends_treaty") or {}
    target = amended.get("bill_id") or amended.get("treaty_id") or ""
    page = _AMENDMENT_PAGES.get(kind)
    return Document(
        id=f"govtrack:{native}",
        doc_type="amendment",
        date=iso_day(record.get("introduced_at") or record.get("offered_at"), "introduced_at"),
        title=f"{kind} {number}" + (f" to {target}" if target else ""),
        text=joined(record.get("purpose"), record.get("description")),
        congress=congress,
        updated=changed(record.get("updated_at")),
        chamber=CHAMBERS.get(kind[0]),
        url=f"{_CONGRESS_GOV}/amendment/{_ordinal(congress)}-congress/{page}/{number}"
        if page
        else None,
        **_sponsor(record),
    )


def _nomination(native: str, record: dict[str, Any]) -> Document:
    number, _, congress = native.removeprefix("PN").rpartition("-")
    named = record.get("nominees") or [
        record
    ]  # older scrapers put the fields of a single nominee here
    people = [
        ", ".join(filter(None, (who.get("name"), who.get("state"), who.get("position"))))
        for who in named
    ]
    people = [person for person in people if person]
    what = record.get("description") or record.get("organization") or native
    received = record.get("received_on") or record.get("date_received") or record.get("date")
    return Document(
        id=f"govtrack:{native}",
        doc_type="nomination",
        date=iso_day(received, "received_on"),
        title=f"{len(people)} nominees" if len(people) > 1 else (people or [what])[0],
        text=joined(*people, record.get("organization"), *(record.get("referred_to_names") or ())),
        congress=int(record.get("congress") or congress),
        chamber="senate",
        updated=changed(record.get("updated_at")),
        state=state(named[0].get("state")) if len(named) == 1 else None,
        source="govtrack",
        url=f"{_CONGRESS_GOV}/nomination/{_ordinal(int(congress))}-congress/{number}",
    )


def _vote(native: str, record: dict[str, Any]) -> Document:
    congress, year = int(record["congress"]), str(record.get("session") or "")
    chamber, number = require(record.get("chamber"), "chamber"), record.get("number")
    question = record.get("question") or record.get("type") or ""
    return Document(
        id=f"govtrack:{native}",
        doc_type="vote",
        date=iso_day(record.get("date"), "date"),
        title=question,
        text=joined(
            question,
            record.get("subject"),
            record.get("type"),
            record.get("result_text"),
            *_subjects(record),
        ),
        congress=congress,
        session=_session(year),
        updated=changed(record.get("updated_at")),
        chamber=CHAMBERS.get(chamber),
        source="govtrack",
        url=f"https://www.govtrack.us/congress/votes/{congress}-{year}/{chamber}{number}",
    )


def _subjects(record: dict[str, Any]) -> Iterator[str | None]:
    """The subject of a vote: titles and purposes of the bill, amendment, nomination or treaty."""
    for kind in ("bill", "amendment", "nomination", "treaty"):
        subject = record.get(kind) or {}
        for key in ("title", "short_title", "official_title", "purpose", "description"):
            yield subject.get(key)


_KINDS = {
    "bill_id": _bill,
    "amendment_id": _amendment,
    "nomination_id": _nomination,
    "vote_id": _vote,
}


def bill_page(kind: str, number: object, congress: int) -> str | None:
    """Return the URL of a bill at Congress.gov; None for an unknown type."""
    page = _BILL_PAGES.get(kind)
    return f"{_CONGRESS_GOV}/bill/{_ordinal(congress)}-congress/{page}/{number}" if page else None


def _sponsor(record: dict[str, Any]) -> dict[str, Any]:
    who = record.get("sponsor") or {}
    return {
        "speaker": who.get("name"),
        "party": party(who.get("party")),
        "state": state(who.get("state")),
        "source": "govtrack",
    }


def _session(name: str) -> int | None:
    """The session's number; sessions since 1941 are named by year, two per Congress."""
    if not name.isdigit():
        return None
    number = int(name)
    return number if number < 10 else 2 - number % 2


def joined(*texts: str | None) -> str:
    """Join the distinct texts in order, one paragraph each."""
    return "\n".join(dict.fromkeys(text.strip() for text in texts if text and text.strip()))


def _ordinal(number: int) -> str:
    last = number % 100
    ending = "th" if 10 <= last <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(last % 10, "th")
    return f"{number}{ending}"


LOADER = Loader(
    name="govtrack",
    description="unitedstates/congress JSON: bills, amendments, nominations, votes (data.json)",
    matches=_NAME,
    read=_read,
)
