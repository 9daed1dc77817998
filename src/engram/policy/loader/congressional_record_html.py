"""The daily Congressional Record as govinfo's pages, in HTML or plain text, with mods.xml.

A page is preformatted text, which `page` divides into turns of speech.
"""

import html
import itertools
import re
from collections.abc import Iterator

from engram.policy.document import Rejection
from engram.policy.loader.congressional_record import (
    BESIDE,
    GRANULE,
    Found,
    companions,
    items,
    title_of,
)
from engram.policy.loader.material import Item, Loader, Material, decode
from engram.policy.loader.page import Part, part

_NAME = re.compile(GRANULE + r"\.(?:html?|txt)$", re.IGNORECASE)
_CHAMBER = re.compile(r"^\[(House|Senate|Extensions of Remarks|Daily Digest)\]", re.MULTILINE)
_CHAMBERS = {"House": "house", "Senate": "senate", "Extensions of Remarks": "extensions"}
_BODY = re.compile(r"<pre>(.*?)(?:</pre>|$)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?(?:a|INF|SUP|SUB|em|strong|p|br|b|i|u|font|span)\b[^>]*>", re.IGNORECASE)
_HEADER = re.compile(
    r"^\[(?:Congressional Record(?: Volume|:)|Pages?) [^\]]*\]"
    r"|^From the Congressional Record Online [^\n]*",
    re.MULTILINE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _read(material: Material) -> Iterator[Item]:
    return items(material, _page, "congressional-record-html")


def _page(material: Material) -> Found:
    found = _NAME.search(material.name)
    assert found, "the loader is only given files that it matches"
    text = _CONTROL.sub(" ", decode(material.data))
    if not material.name.lower().endswith(".txt"):
        body = _BODY.search(text)
        if body is None:
            raise Rejection("malformed-record", "the page has no <pre> text")
        text = body[1]
    printed = html.unescape(_TAG.sub("", text))
    chamber = _CHAMBER.search(printed)
    text = _CHAMBER.sub("", _HEADER.sub("", printed), count=1)
    page = part([Part(text)])
    title = title_of(found[1], material.companions.get("mods", b"")) or _heading(page.rest)
    return Found(found[1], _CHAMBERS.get(chamber[1]) if chamber else None, title, page)


def _heading(text: str) -> str:
    """The title above a text: its first line, and the lines in capitals that continue it."""
    first, *others = text.lstrip().partition("\n\n")[0].splitlines() or [""]
    more = itertools.takewhile(str.isupper, others) if first.isupper() else ()
    return " ".join(" ".join([first, *more]).split())


def _better(path: str) -> str | None:
    """Path of the JSON of the same page, in the sibling folder."""
    folder, _, file = path.rpartition("/")
    above, separator, _ = folder.rpartition("/")
    return f"{above}{separator}json/{file.rpartition('.')[0]}.json"


LOADER = Loader(
    name="congressional-record-html",
    description="the daily Record as pages (CREC-*.htm or .txt, with mods.xml)",
    matches=_NAME,
    read=_read,
    companions=companions,
    beside=BESIDE,
    better=_better,
)
