"""The annual messages: suYYYY.txt, with SOTU_metadata.csv in the same folder."""

import csv
import re
from datetime import datetime
from functools import lru_cache

from engram.policy.document import Document, Rejection
from engram.policy.loader.material import (
    Loader,
    Material,
    decode_western,
    party,
    text_and_row,
    whole,
    whole_words,
)

_NAME = re.compile(r"(?:^|/)(su(\d{4})[a-z]?)\.txt$")
_TABLE = "SOTU_metadata.csv"
_TITLES = {"SOTU": "Annual message of the President"}


def _companions(path: str) -> dict[str, str]:
    folder, _, _ = path.rpartition("/")
    return {"metadata": f"{folder}/{_TABLE}" if folder else _TABLE}


def _document(material: Material) -> Document:
    found = _NAME.search(material.name)
    assert found, "the loader is only given files that it matches"
    rows = _metadata(material.companions.get("metadata", b""))
    text, row = text_and_row(material, rows, f"{found[1]}.txt", _TABLE)
    try:
        day = datetime.strptime(row["Date"].strip(), "%B %d, %Y").date()
    except ValueError as error:
        raise Rejection("bad-date", f"the date is {row['Date']!r}, not a day") from error
    return Document(
        id=f"sotu:{found[1]}",
        doc_type="message",
        date=day,
        title=f"{_TITLES.get(row['type'], 'Message of the President')}, {day.year}",
        text=whole_words(text),
        chamber="executive",
        speaker=f"{row['FirstName']} {row['President']}",
        party=party(row["party"]),
        source="state-of-the-union",
    )


@lru_cache(maxsize=1)
def _metadata(table: bytes) -> dict[str, dict[str, str]]:
    rows = csv.DictReader(decode_western(table).splitlines())
    return {row["filename"]: row for row in rows}


LOADER = Loader(
    name="state-of-the-union",
    description="annual messages (suYYYY.txt with SOTU_metadata.csv)",
    matches=_NAME,
    read=whole(_document, "state-of-the-union"),
    companions=_companions,
    beside=re.compile(r"(?:^|/)SOTU_metadata\.csv$"),
)
