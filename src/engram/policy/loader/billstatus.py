"""BILLSTATUS: govinfo's XML of a bill, with its sponsor, titles and summaries.

References:
    github.com/usgpo/bill-status: the user guide, schemas 1.0.0 and 3.0.0.
"""

import html
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from engram.policy.document import Document, Rejection
from engram.policy.loader.govtrack import CHAMBERS, bill_page, joined
from engram.policy.loader.material import (
    Loader,
    Material,
    iso_day,
    party,
    require,
    state,
    whole,
)

_NAME = re.compile(r"(?:^|/)(?:BILLSTATUS-[^/]+|fdsys_billstatus)\.xml$", re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")
_NAMESPACE = re.compile(r"^\{[^}]*\}")


def _document(material: Material) -> Document:
    try:
        root = ElementTree.fromstring(material.data)
    except ElementTree.ParseError as error:
        raise Rejection("malformed-record", f"the XML does not parse: {error}") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = _NAMESPACE.sub("", element.tag)
    bill = root if root.tag == "bill" else root.find("bill")
    if bill is None:
        raise Rejection("malformed-record", f"the root is {root.tag!r} and holds no bill")
    kind = require(_text(bill, "type", "billType"), "type").lower()
    number = require(_text(bill, "number", "billNumber"), "number")
    congress = int(require(_text(bill, "congress"), "congress"))
    sponsor = bill.find("sponsors/item")
    titles = [item.text for item in bill.iterfind("titles/item/title")]
    title = _text(bill, "title") or (titles[0] if titles else "") or ""
    return Document(
        # A bill has the id that the JSON made from this XML gives it, so that it counts once.
        id=f"govtrack:{kind}{number}-{congress}",
        doc_type="bill",
        date=iso_day(_text(bill, "introducedDate"), "introducedDate"),
        title=title,
        text=joined(title, *titles, *_summaries(bill), *_subjects(bill)),
        congress=congress,
        chamber=CHAMBERS.get(kind[0]),
        speaker=_text(sponsor, "fullName"),
        party=party(_text(sponsor, "party")),
        state=state(_text(sponsor, "state")),
        source="billstatus",
        url=bill_page(kind, number, congress),
    )


def _text(element: ElementTree.Element | None, *tags: str) -> str | None:
    """The text of the first of these children that has any."""
    texts = ((element.findtext(tag) or "").strip() for tag in tags) if element is not None else ()
    return next(filter(None, texts), None)


def _summaries(bill: ElementTree.Element) -> Iterator[str]:
    """The texts of the summaries, without their tags."""
    for path in ("summaries/summary", "summaries/billSummaries/item", "summaries/item"):
        for summary in bill.iterfind(path):
            text = summary.find("text")
            if text is None:
                text = summary.find("cdata/text")
            marked = "".join(text.itertext()) if text is not None else ""
            yield " ".join(html.unescape(_TAG.sub(" ", marked)).split())


def _subjects(bill: ElementTree.Element) -> Iterator[str | None]:
    yield _text(bill, "policyArea/name")
    for name in bill.iterfind("subjects//legislativeSubjects/item/name"):
        yield name.text


LOADER = Loader(
    name="billstatus",
    description="bills as govinfo's XML (BILLSTATUS-*.xml)",
    matches=_NAME,
    read=whole(_document, "billstatus"),
)
