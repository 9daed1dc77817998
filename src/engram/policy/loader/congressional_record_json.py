"""The daily Congressional Record as JSON: pages parsed into turns by congressional-record.

References:
    github.com/unitedstates/congressional-record.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engram.policy.document import Rejection
from engram.policy.loader.congressional_record import BESIDE, GRANULE, Found, companions, items
from engram.policy.loader.material import Item, Loader, Material, decode, require
from engram.policy.loader.page import Page, Part, part

_NAME = re.compile(GRANULE + r"\.json$")
_CHAMBERS = {"House": "house", "Senate": "senate"}
_KINDS = frozenset(
    ("speech", "title", "recorder", "clerk", "linebreak", "metacharacters", "Unknown", "empty_line")
)
"""The kinds of items produced by the published parser; each holds text of the page."""
_NOBODY = ("", "None", "Unknown", "recorder", "The RECORDER")


def _read(material: Material) -> Iterator[Item]:
    return items(material, _page, "congressional-record")


def _page(material: Material) -> Found:
    record = json.loads(decode(material.data))
    if not isinstance(record, dict):
        raise Rejection("malformed-record", "the file is not a JSON object")
    granule = require(record.get("id"), "id")
    header = record.get("header") or {}
    chamber = (
        "extensions" if header.get("extension") else _CHAMBERS.get(header.get("chamber") or "")
    )
    content: list[dict[str, Any]] = record.get("content") or []
    page = _numbered(part(_parts(content)), content)
    strange = sorted({str(item.get("kind")) for item in content} - _KINDS)
    title = record.get("doc_title") or record.get("title") or ""
    return Found(granule, chamber, title, page, tuple(strange))


def _parts(content: list[dict[str, Any]]) -> Iterator[Part]:
    """The items as runs of text; the speaker of a speech is known even if its text does not say."""
    for item in content:
        text = item.get("text") or ""
        if not isinstance(text, str):
            raise Rejection(
                "malformed-record",
                f"an item's text is {str(text)[:80]!r}, not a text",
            )
        kind, said_by = item.get("kind"), str(item.get("speaker") or "")
        if kind == "metacharacters":
            yield Part(text)
        elif kind == "speech" and said_by not in _NOBODY:
            yield Part(text, said_by)
        else:
            yield Part(text, "")


def _numbered(page: Page, content: list[dict[str, Any]]) -> Page:
    """The page, with the members' Biographical Directory ids in its turns."""
    numbers = {item.get("speaker"): item.get("speaker_bioguide") for item in content}
    page.turns = [replace(turn, bioguide=numbers.get(turn.speaker)) for turn in page.turns]
    return page


LOADER = Loader(
    name="congressional-record",
    description="the daily Record as JSON turns (CREC-*.json)",
    matches=_NAME,
    read=_read,
    companions=companions,
    beside=BESIDE,
)
