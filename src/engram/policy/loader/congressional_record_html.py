"""The daily Congressional Record as govinfo's HTML pages, with the package's mods.xml.

A page is preformatted text. A turn begins with a paragraph that opens with a speaker's name in
capitals and a full stop ("  Mr. DeFAZIO. "), and ends with the next one or with a sentence of the
reporter ("  There was no objection.").
"""

import html
import re
from collections.abc import Iterator

from engram.policy.document import Document, Rejection
from engram.policy.loader.congressional_record import (
    BESIDE,
    GRANULE,
    Turn,
    companions,
    documents,
    title_of,
)
from engram.policy.loader.material import Item, Loader, Material, attempt, decode

_NAME = re.compile(GRANULE + r"\.html?$")
_CHAMBER = re.compile(r"^\[(House|Senate|Extensions of Remarks|Daily Digest)\]", re.MULTILINE)
_CHAMBERS = {"House": "house", "Senate": "senate", "Extensions of Remarks": "extensions"}
_BODY = re.compile(r"<pre>(.*?)(?:</pre>|$)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?(?:a|INF|SUP|SUB|em|strong|p|br)\b[^>]*>", re.IGNORECASE)
_HEADER = re.compile(
    r"^\[(?:Congressional Record Volume|Pages?) [^\]]*\]"
    r"|^From the Congressional Record Online [^\n]*",
    re.MULTILINE,
)
# Page breaks, clock times, rules, and the codes that the typesetting left.
_LAYOUT = re.compile(r"\n*\[\[Page [^\]]*\]\]\n*|\n *\{time\} *\d{4}|^ *[_-]{6,} *$", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SURNAME = r"(?:(?=\S*[A-Z]['’]?[A-Z])[A-Z][\w'’-]*)"
_PARAGRAPH = re.compile(
    rf"""^(?:\ {{1,2}}|\ {{0,2}}<bullet>\ *)(?P<speaker>
        (?:Mr|Mrs|Ms|Miss|Dr)\.?\s(?:(?:{_SURNAME}|[A-Z]\.)\s)*{_SURNAME}(?:,\s[JS]r)?
            (?:\sof\s[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)?
      | The\s(?:(?:VICE|ACTING|Acting)\s)?
            (?:PRESIDENT|SPEAKER|CHAIR(?:MAN|WOMAN)?|PRESIDING\sOFFICER|CHIEF\sJUSTICE|CLERK)
            (?:\spro\stempore)?(?:\s\([^)]*\))?
    )\.(?=\s)
    | ^\ {{2}}(?P<reporter>
        There\s(?:was|being)\sno\sobjection
      | The\s(?:[a-z\ -]*\s)?(?:amendments?|motion|bill|resolution|concurrent\sresolution|
            preamble|vote|question|result|nominations?)\b[^.]{{0,120}}\s(?:was|were)\s
            (?:agreed|rejected|taken|ordered|passed|announced|withdrawn|laid|confirmed|read)
      | The\s(?:Clerk|Chief\sClerk|legislative\sclerk|assistant\slegislative\sclerk)\s
            (?:read|reported|proceeded|called|designated)
      | The\s(?:text|amendments?|material|bill|resolution|letter|article|roll)\b[^.]{{0,120}}\s
            (?:is|are|was)\sas\sfollows
      | \(Mrs?\.|\(Ms\.|A\srecorded\svote\swas
    )
    | ^\ {{6}}(?P<sponsor>By\s(?:Mr|Mrs|Ms|Miss)\.\s)
    | ^\ {{10,}}(?P<measure>(?:S|H\.R|S\.\sRes|H\.\sRes|S\.J|H\.J)\.\s\d+$)
    """,
    re.MULTILINE | re.VERBOSE,
)


def _read(material: Material) -> Iterator[Item]:
    outcome: list[Document] = []

    def page() -> Document:
        outcome.extend(_page(material))
        return outcome[0]

    first = attempt(page, material.origin, material.data, "congressional-record-html")
    yield from outcome if isinstance(first, Document) else (first,)


def _page(material: Material) -> Iterator[Document]:
    found = _NAME.search(material.name)
    assert found, "the loader is only given what it matches"
    body = _BODY.search(_CONTROL.sub(" ", decode(material.data)))
    if body is None:
        raise Rejection("malformed-record", "the page has no <pre> text")
    printed = html.unescape(_TAG.sub("", body[1])).replace("\r", "")
    chamber = _CHAMBER.search(printed)
    text = _CHAMBER.sub("", _HEADER.sub("", printed), count=1)
    turns, rest = split(_LAYOUT.sub("\n", text))
    mods = material.companions.get("mods", b"")
    title = title_of(found[1], mods) or _first_line(rest)
    where = _CHAMBERS.get(chamber[1]) if chamber else None
    return documents(found[1], where, title, turns, rest, mods)


def split(text: str) -> tuple[list[Turn], str]:
    """Part a page's text into turns of speech and what nobody speaks.

    Args:
        text: the page, without its headers.

    Returns:
        The turns in order, and the rest.
    """
    turns, rest, start, speaker = [], [], 0, ""
    for found in [*_PARAGRAPH.finditer(text), None]:
        stop = found.start() if found else len(text)
        part = text[start:stop]
        if speaker and part.strip():
            turns.append(Turn(speaker, part.strip()))
        else:
            rest.append(part)
        if found:
            start, speaker = stop, " ".join((found["speaker"] or "").split())
    return turns, "".join(rest).strip()


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _better(path: str) -> str | None:
    """The JSON of the same page, where it lies in the folder beside."""
    folder, _, file = path.rpartition("/")
    above, separator, _ = folder.rpartition("/")
    return f"{above}{separator}json/{file.rpartition('.')[0]}.json"


LOADER = Loader(
    name="congressional-record-html",
    description="the daily Record as HTML pages (CREC-*.htm with mods.xml)",
    matches=_NAME,
    read=_read,
    companions=companions,
    beside=BESIDE,
    better=_better,
)
