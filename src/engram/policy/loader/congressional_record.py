"""Code shared by the forms of the daily Congressional Record: pages, documents, speakers.

A page (a granule of govinfo) becomes a document for each turn of speech, and one more of type
"record" for text without a speaker. The package's `mods.xml` identifies the speakers.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from xml.etree import ElementTree

from engram.policy.document import Document, Rejected, Rejection
from engram.policy.loader.material import (
    Item,
    Material,
    attempt,
    iso_day,
    party,
    state,
    whole_words,
)
from engram.policy.loader.page import Page, Turn

GRANULE = r"(?:^|/)(CREC-(\d{4}-\d{2}-\d{2})-[^/]+)"
BESIDE = re.compile(r"(?:^|/)mods\.xml$")

_MODS = "{http://www.loc.gov/mods/v3}"
_SPACE = re.compile(r"\s+")
_GOVINFO = "https://www.govinfo.gov/app/details"
_ROLE = re.compile(
    r"^((?:Mr|Mrs|Ms|Miss|Dr)\.?) (?:Manager|Counsel|Senator|Leader|Chairman) ", re.I
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of Congress as named in the package's metadata."""

    name: str
    party: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The parsed content of a page.

    Args:
        granule: The page's identifier, "CREC-2005-07-20-pt1-PgH6111-6".
        chamber: The chamber.
        title: The title of the page.
        page: The turns and the remaining text.
        kinds: Unknown kinds of items; their text is in the page.
    """

    granule: str
    chamber: str | None
    title: str
    page: Page
    kinds: tuple[str, ...] = ()


def companions(path: str) -> dict[str, str]:
    """The metadata of the package, in the parent folder of the pages."""
    folder, _, _ = path.rpartition("/")
    above, separator, _ = folder.rpartition("/")
    return {"mods": f"{above}{separator}mods.xml"}


def items(material: Material, read: Callable[[Material], Found], source: str) -> Iterator[Item]:
    """Yield the documents of one page, with notes about it.

    Args:
        material: The page.
        read: Parses it.
        source: The name of the loader.
    """
    outcome: list[Item] = []

    def page() -> Item:
        found = read(material)
        outcome.extend(_documents(found, material.companions.get("mods", b"")))
        outcome.extend(_remarks(found, material.origin, source))
        return outcome[0]

    first = attempt(page, material.origin, material.data, source)
    yield from outcome if isinstance(first, Document) else (first,)


def _remarks(found: Found, origin: str, source: str) -> Iterator[Rejected]:
    for line in found.page.unresolved:
        detail = "the paragraph begins like a heading but names nobody; its text has no speaker"
        yield Rejected("unresolved-heading", detail, origin, line, source)
    for kind in found.kinds:
        detail = f"kind {kind!r} is not known; its text is taken in, and nobody speaks it"
        yield Rejected("unknown-kind", detail, origin, "", source)


def _documents(found: Found, mods: bytes) -> Iterator[Document]:
    granule, page, rest = found.granule, found.page, found.page.rest
    package = granule[: len("CREC-YYYY-MM-DD")]
    day = iso_day(package.removeprefix("CREC-"), "the date in the page's name")
    known = _people(mods)
    url = f"{_GOVINFO}/{package}/{granule}"
    if not page.turns and not rest.strip():
        raise Rejection("missing-field", f"the page {granule} holds no text")
    rest = _untitled(rest, found.title)
    for number, turn in enumerate(page.turns, 1):
        who = known.find(granule, found.chamber, turn)
        yield Document(
            id=f"crec:{granule}:{number}",
            doc_type="speech",
            date=day,
            title=found.title,
            text=whole_words(turn.text.strip()),
            chamber=found.chamber,
            speaker=who.name if who else turn.speaker or None,
            party=who.party if who else None,
            state=who.state if who else None,
            source="congressional-record",
            url=url,
        )
    if rest.strip() or not page.turns:
        yield Document(
            id=f"crec:{granule}",
            doc_type="record",
            date=day,
            title=found.title,
            text=whole_words(rest.strip()),
            chamber=found.chamber,
            source="congressional-record",
            url=url,
        )


def _untitled(text: str, title: str) -> str:
    """The text without the title above it, which the document already holds."""
    words = title.casefold().split()
    parts = text.split(maxsplit=len(words))
    if [part.casefold() for part in parts[: len(words)]] != words:
        return text
    return parts[-1] if len(parts) > len(words) else ""


def title_of(granule: str, mods: bytes) -> str:
    """The title of a page in the package's metadata; empty if it has none."""
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


class _People:
    """The members named in a package's metadata, by page, and by chamber for the whole day."""

    def __init__(self, mods: bytes) -> None:
        self._pages: dict[str, dict[str, Member]] = {}
        self._days: dict[tuple[str, str], set[Member]] = {}
        for granule, element in _constituents(mods).items():
            for member in element.iter(f"{_MODS}congMember"):
                self._add(granule, member)

    def find(self, granule: str, chamber: str | None, turn: Turn) -> Member | None:
        """The speaker of a turn, from the page's metadata or else from the day's."""
        page = self._pages.get(granule, {})
        printed = _key(turn.speaker)
        if who := page.get(turn.bioguide or "") or page.get(printed):
            return who
        letter = {"house": "H", "extensions": "H", "senate": "S"}.get(chamber or "", "")
        today = self._days.get((letter, turn.bioguide or "")) or self._days.get((letter, printed))
        return next(iter(today)) if today and len(today) == 1 else None

    def _add(self, granule: str, member: ElementTree.Element) -> None:
        names = {name.get("type"): name.text or "" for name in member.iter(f"{_MODS}name")}
        printed, number = names.get("parsed", ""), member.get("bioGuideId") or ""
        known = Member(
            names.get("authority-fnf") or printed,
            party(member.get("party")),
            state(member.get("state")),
        )
        page = self._pages.setdefault(granule, {})
        for key in filter(None, (number, _key(printed))):
            page.setdefault(key, known)
            self._days.setdefault((member.get("chamber") or "", key), set()).add(known)


@lru_cache(maxsize=2)
def _people(mods: bytes) -> _People:
    return _People(mods)


def _key(printed: str) -> str:
    """Normalise a printed name for comparison: no case, full stops, or role in a trial."""
    plain = _ROLE.sub(r"\1 ", _SPACE.sub(" ", printed).strip())
    return plain.replace(".", "").casefold()
