"""Segments: what is written, that it is the same each time, and what is refused."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from engram.policy import analyzer, segment
from engram.policy.document import Document
from engram.policy.embedded import EmbeddedEngine
from engram.policy.segment import vocabulary
from tests.policy.brute import BruteForce
from tests.policy.queries import documents


def test_counts(tmp_path: Path) -> None:
    made = documents(seed=7, count=40)
    counts = segment.write(tmp_path / "s.sqlite", made)
    assert counts.documents == len(made)
    assert counts.tokens == sum(len(analyzer.terms(x.text or x.title)) for x in made)
    assert counts.text_bytes == sum(len(x.text.encode()) for x in made)


def test_the_same_documents_make_the_same_file(tmp_path: Path) -> None:
    made = documents(seed=7, count=40)
    for name in "ab":
        segment.write(tmp_path / name, made)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    check = sqlite3.connect(tmp_path / "a")
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()
    assert sorted(x.name for x in tmp_path.iterdir()) == ["a", "b"]


def test_mistakes_are_named(tmp_path: Path) -> None:
    path, made = tmp_path / "s.sqlite", documents(seed=7, count=3)
    with pytest.raises(ValueError, match=f"two documents have the id '{made[0].id}'"):
        segment.write(path, [*made, made[0]])
    with pytest.raises(ValueError, match="exists; a segment is written once"):
        segment.write(path, made)


def test_blocks_cut_no_word_and_lose_no_character() -> None:
    text = " ".join(f"word{i}—é" for i in range(5_000))
    cuts = list(segment.blocks(text))
    assert "".join(text[a:b] for a, b in cuts) == text
    assert all(b - a >= segment.BLOCK for a, b in cuts[:-1])
    terms = [term for a, b in cuts for term in analyzer.terms(text[a:b])]
    assert terms == analyzer.terms(text)
    assert list(segment.blocks("")) == []


def test_writing_holds_one_document_at_a_time(tmp_path: Path) -> None:
    text = "the nation raises taxes again. " * 3_000

    def many() -> Iterator[Document]:
        for i in range(320):
            yield Document(f"made:{i}", "speech", date(1900, 1, 1), "", f"{i} {text}")

    tracemalloc.start()
    counts = segment.write(tmp_path / "s.sqlite", many())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < counts.text_bytes / 4


def test_blocks_cut_no_word_that_goes_on_in_the_next_line() -> None:
    text = "unemploy- \n ment pays " * 2_000
    terms = [term for a, b in segment.blocks(text) for term in analyzer.terms(text[a:b])]
    assert terms == ["unemployment", "pay"] * 2_000


def test_a_segment_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    segment.write(path, documents(seed=7, count=3))
    old = sqlite3.connect(path)
    old.execute("PRAGMA user_version = 1")
    old.close()
    engine = EmbeddedEngine([path])
    with pytest.raises(ValueError, match="format 1, and this version reads format 2; ingest"):
        engine.tally("tax")


def test_a_stem_of_many_forms_in_many_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, "_PART", 64)
    monkeypatch.setattr(vocabulary, "_CHUNK", 100)
    monkeypatch.setattr(vocabulary, "_PIECES", 50)
    marks = [chr(0x300 + i) for i in range(20)]
    forms = [f"e{a}{b}" for a in marks for b in marks]
    made = [
        Document(f"d:{i}", "speech", date(1900, 1, 1), "", " ".join(["tax", "taxes", *forms]))
        for i in range(3)
    ]
    path = tmp_path / "s.sqlite"
    segment.write(path, made)
    engine, brute = EmbeddedEngine([path]), BruteForce(made)
    for query in ("tax", "=tax", "e", "e*", f"={forms[7]}", f'"taxes ={forms[0]}"'):
        assert engine.tally(query, None).occurrences[0] == brute.counts(query)[1], query
        assert {x.word: dict(x.forms) for x in engine.forms(query)} == brute.forms(query)
    engine.close()
