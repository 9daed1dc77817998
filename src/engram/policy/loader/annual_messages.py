"""The annual messages: suYYYY.txt, with SOTU_metadata.csv in the same folder."""

import csv
import re
from datetime import datetime
from functools import lru_cache

from engram.policy.document import Document, Rejection
from engram.policy.loader.material import (
    Loader,
    Material,
    decode,
    decode_western,
    party,
    whole,
    whole_words,
)

_NAME = re.compile(r"(?:^|/)(su(\d{4})[a-z]?)\.txt$")
_TITLES = {"SOTU": "Annual message of the President"}


def _companions(path: str) -> dict[str, str]:
    folder, _, _ = path.rpartition("/")
    return {"metadata": f"{folder}/SOTU_metadata.csv" if folder else "SOTU_metadata.csv"}


def _document(material: Material) -> Document:
    found = _NAME.search(material.name)
    assert found, "the loader is only given files that it matches"
    text = decode(material.data).strip()
    if not text:
        raise Rejection("missing-field", "the file holds no message")
    row = _metadata(material.companions.get("metadata", b"")).get(f"{found[1]}.txt")
    if row is None:
        raise Rejection(
            "bad-date", f"SOTU_metadata.csv has no row, and so no day, for {found[1]}.txt"
        )
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
