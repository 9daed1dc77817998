"""The daily Congressional Record as JSON: pages parsed into turns by congressional-record.

References:
    github.com/unitedstates/congressional-record.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from engram.policy.document import Document, Rejection
from engram.policy.loader.congressional_record import BESIDE, GRANULE, Turn, companions, documents
from engram.policy.loader.material import Item, Loader, Material, attempt, decode, require

_NAME = re.compile(GRANULE + r"\.json$")
_CHAMBERS = {"House": "house", "Senate": "senate"}


def _read(material: Material) -> Iterator[Item]:
    outcome: list[Document] = []

    def page() -> Document:
        outcome.extend(_page(material))
        return outcome[0]

    first = attempt(page, material.origin, material.data, "congressional-record")
    yield from outcome if isinstance(first, Document) else (first,)


def _page(material: Material) -> Iterator[Document]:
    record = json.loads(decode(material.data))
    if not isinstance(record, dict):
        raise Rejection("malformed-record", "the file is not a JSON object")
    granule = require(record.get("id"), "id")
    header = record.get("header") or {}
    chamber = (
        "extensions" if header.get("extension") else _CHAMBERS.get(header.get("chamber") or "")
    )
    items: list[dict[str, Any]] = record.get("content") or []
    turns = [
        Turn(item["speaker"], item["text"], item.get("speaker_bioguide"))
        for item in items
        if item["kind"] == "speech" and item["text"].strip()
    ]
    rest = "\n".join(
        item["text"].strip("\n") for item in items if item["kind"] not in ("speech", "linebreak")
    )
    title = record.get("doc_title") or record.get("title") or ""
    return documents(granule, chamber, title, turns, rest, material.companions.get("mods", b""))


LOADER = Loader(
    name="congressional-record",
    description="the daily Record as JSON turns (CREC-*.json)",
    matches=_NAME,
    read=_read,
    companions=companions,
    beside=BESIDE,
)
