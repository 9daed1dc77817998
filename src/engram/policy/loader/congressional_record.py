"""What the two forms of the daily Congressional Record share: pages, turns, and who speaks.

A page (a granule of govinfo) becomes a document for each turn of speech, and one more of type
"record" for what nobody speaks. The package's `mods.xml` says who the speakers are.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

from engram.policy.document import Document, Rejection
from engram.policy.loader.material import iso_day, party

GRANULE = r"(?:^|/)(CREC-(\d{4}-\d{2}-\d{2})-[^/]+)"
BESIDE = re.compile(r"(?:^|/)mods\.xml$")

_MODS = "{http://www.loc.gov/mods/v3}"
_SPACE = re.compile(r"\s+")
_GOVINFO = "https://www.govinfo.gov/app/details"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of Congress, as the package's metadata names one."""

    name: str
    party: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says without interruption.

    Args:
        speaker: as the Record prints it, "Mr. DeFAZIO".
        text: with the speaker's name in front, as printed.
        bioguide: the member's number in the Biographical Directory, where known.
    """

    speaker: str
    text: str
    bioguide: str | None = None


def companions(path: str) -> dict[str, str]:
    """The metadata of the package, in the folder above the pages."""
    folder, _, _ = path.rpartition("/")
    above, separator, _ = folder.rpartition("/")
    return {"mods": f"{above}{separator}mods.xml"}


def documents(
    granule: str, chamber: str | None, title: str, turns: Sequence[Turn], rest: str, mods: bytes
) -> Iterator[Document]:
    """The documents of one page.

    Args:
        granule: the page's identifier, "CREC-2005-07-20-pt1-PgH6111-6".
        chamber: where it was said.
        title: what the page is about.
        turns: what was said, in order.
        rest: what nobody says.
        mods: the package's metadata; may be empty.

    Raises:
        Rejection: if the page holds no text, or its identifier no day.
    """
    package = granule[: len("CREC-YYYY-MM-DD")]
    day = iso_day(package.removeprefix("CREC-"), "the date in the page's name")
    members = _members(mods).get(granule, {})
    url = f"{_GOVINFO}/{package}/{granule}"
    if turns and _words(rest) == _words(title):
        rest = ""
    if not turns and not rest.strip():
        raise Rejection("missing-field", f"the page {granule} holds no text")
    for number, turn in enumerate(turns, 1):
        who = members.get(turn.bioguide or "") or members.get(turn.speaker)
        yield Document(
            id=f"crec:{granule}:{number}",
            doc_type="speech",
            date=day,
            title=title,
            text=turn.text.strip(),
            chamber=chamber,
            speaker=who.name if who else turn.speaker,
            party=who.party if who else None,
            state=who.state if who else None,
            source="congressional-record",
            url=url,
        )
    if rest.strip():
        yield Document(
            id=f"crec:{granule}",
            doc_type="record",
            date=day,
            title=title,
            text=rest.strip(),
            chamber=chamber,
            source="congressional-record",
            url=url,
        )


def _words(text: str) -> list[str]:
    return text.casefold().split()


def title_of(granule: str, mods: bytes) -> str:
    """The title that the package's metadata gives a page, or nothing."""
    return _titles(mods).get(granule, "")


@lru_cache(maxsize=2)
def _constituents(mods: bytes) -> dict[str, ElementTree.Element]:
    """The metadata of each page, by its identifier."""
    found = {}
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(mods)):
            if element.tag == f"{_MODS}relatedItem" and element.get("type") == "constituent":
                granule = element.findtext(f".//{_MODS}accessId")
                if granule:
                    found[granule] = element
    except ElementTree.ParseError as error:
        if mods:
            raise Rejection("malformed-record", f"mods.xml does not parse: {error}") from error
    return found


@lru_cache(maxsize=2)
def _titles(mods: bytes) -> dict[str, str]:
    titles = {}
    for granule, element in _constituents(mods).items():
        title = element.findtext(f"{_MODS}titleInfo/{_MODS}title") or ""
        titles[granule] = _SPACE.sub(" ", title).strip()
    return titles


@lru_cache(maxsize=2)
def _members(mods: bytes) -> dict[str, dict[str, Member]]:
    """Who speaks on each page, by the number in the Biographical Directory and by printed name."""
    pages: dict[str, dict[str, Member]] = {}
    for granule, element in _constituents(mods).items():
        page = pages.setdefault(granule, {})
        for member in element.iter(f"{_MODS}congMember"):
            names = {name.get("type"): name.text or "" for name in member.iter(f"{_MODS}name")}
            printed = names.get("parsed", "")
            known = Member(
                names.get("authority-fnf") or printed,
                party(member.get("party")),
                member.get("state"),
            )
            page[member.get("bioGuideId") or printed] = known
            page.setdefault(printed, known)
    return pages
