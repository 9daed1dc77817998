"""The JSON of unitedstates/congress, as GovTrack publishes it: one data.json a measure.

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
)

_NAME = re.compile(r"^(?!.*/text-versions/).*(?:^|/)data\.json$")
_CHAMBERS = {"h": "house", "s": "senate"}
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
    page = _BILL_PAGES.get(kind)
    where = f"{_CONGRESS_GOV}/bill/{_ordinal(congress)}-congress/{page}/{record.get('number')}"
    return Document(
        id=f"govtrack:{native}",
        doc_type="bill",
        date=iso_day(record.get("introduced_at"), "introduced_at"),
        title=title,
        text=_join(
            record.get("official_title"),
            *(known.get("title") for known in record.get("titles") or ()),
            (record.get("summary") or {}).get("text"),
        ),
        congress=congress,
        chamber=_CHAMBERS.get(kind[0]),
        updated=changed(record.get("updated_at")),
        url=where if page else None,
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
        text=_join(record.get("purpose"), record.get("description")),
        congress=congress,
        chamber=_CHAMBERS.get(kind[0]),
        updated=changed(record.get("updated_at")),
        url=f"{_CONGRESS_GOV}/amendment/{_ordinal(congress)}-congress/{page}/{number}"
        if page
        else None,
        **_sponsor(record),
    )


def _nomination(native: str, record: dict[str, Any]) -> Document:
    number, _, congress = native.removeprefix("PN").rpartition("-")
    named = record.get("nominees") or ()
    people = [
        ", ".join(filter(None, (who.get("name"), who.get("state"), who.get("position"))))
        for who in named
    ]
    return Document(
        id=f"govtrack:{native}",
        doc_type="nomination",
        date=iso_day(record.get("received_on"), "received_on"),
        title=people[0] if len(people) == 1 else f"{len(people)} nominees",
        text=_join(*people, record.get("organization"), *(record.get("referred_to_names") or ())),
        congress=int(record.get("congress") or congress),
        chamber="senate",
        updated=changed(record.get("updated_at")),
        state=named[0].get("state") if len(named) == 1 else None,
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
        text=_join(question, record.get("subject"), record.get("type"), record.get("result_text")),
        congress=congress,
        session=_session(year),
        updated=changed(record.get("updated_at")),
        chamber=_CHAMBERS.get(chamber),
        source="govtrack",
        url=f"https://www.govtrack.us/congress/votes/{congress}-{year}/{chamber}{number}",
    )


_KINDS = {
    "bill_id": _bill,
    "amendment_id": _amendment,
    "nomination_id": _nomination,
    "vote_id": _vote,
}


def _sponsor(record: dict[str, Any]) -> dict[str, Any]:
    who = record.get("sponsor") or {}
    return {
        "speaker": who.get("name"),
        "party": party(who.get("party")),
        "state": who.get("state"),
        "source": "govtrack",
    }


def _session(name: str) -> int | None:
    """The session's number; sessions since 1941 are named by their year, two a Congress."""
    if not name.isdigit():
        return None
    number = int(name)
    return number if number < 10 else 2 - number % 2


def _join(*texts: str | None) -> str:
    """The texts, each once, in order, a paragraph each."""
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
