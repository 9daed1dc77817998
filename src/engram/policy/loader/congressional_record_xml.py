"""The daily Congressional Record as XML: pages annotated by early versions of congressional-record.

References:
    github.com/unitedstates/congressional-record, 2013.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from engram.policy.document import Rejection
from engram.policy.loader.congressional_record import BESIDE, GRANULE, Found, companions, items
from engram.policy.loader.material import Item, Loader, Material
from engram.policy.loader.page import Part, part

_NAME = re.compile(GRANULE + r"\.xml$")
_CHAMBERS = {"House": "house", "Senate": "senate", "Extensions of Remarks": "extensions"}
_HEADER = frozenset(
    ("volume", "number", "weekday", "month", "day", "year", "chamber", "pages", "congress")
) | {"session", "document_title"}
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


def _read(material: Material) -> Iterator[Item]:
    return items(material, _page, "congressional-record-xml")


def _page(material: Material) -> Found:
    found = _NAME.search(material.name)
    assert found, "the loader is only given files that it matches"
    try:
        root = ElementTree.fromstring(material.data)
    except ElementTree.ParseError as error:
        raise Rejection("malformed-record", f"the XML does not parse: {error}") from error
    title = " ".join((root.findtext("document_title") or "").split())
    chamber = _CHAMBERS.get((root.findtext("chamber") or "").strip())
    return Found(found[1], chamber, title, part(_parts(root)))


def _parts(root: ElementTree.Element) -> Iterator[Part]:
    """The content below the header: a turn is a speaker's name and the text marked as spoken."""
    speaker = None
    for element in root:
        text = "".join(element.itertext())
        if element.tag in _HEADER:
            continue
        if element.tag == "speaker":
            speaker = " ".join((element.get("name") or text).split())
            yield Part(f"{text.strip()}{(element.tail or '').strip()}\n", speaker)
            continue
        if element.tag != "speaking":
            speaker = None
        elif speaker is None:
            speaker = " ".join((element.get("name") or "").split())
            yield Part("", speaker)
        whole = _INDENT.sub("", text + (element.tail or ""))
        yield Part(f"{whole.strip()}\n", None if speaker is not None else "")


LOADER = Loader(
    name="congressional-record-xml",
    description="the daily Record as annotated XML (CREC-*.xml)",
    matches=_NAME,
    read=_read,
    companions=companions,
    beside=BESIDE,
)
