import json

import pytest

from engram.policy.ingestion.ingest import ingest
from engram.policy.store import Manifest, Store, StoreError
from tests.policy.corpus import SETTINGS, files
from tests.policy.ingestion.test_ingest import lay


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    root = tmp_path_factory.mktemp("filled")
    ingest([lay(root / "record", files())], root / "store", workers=1, **SETTINGS)
    return root / "store"


def test_the_manifest_survives_its_json(filled):
    manifest = Store(filled).manifest
    assert Manifest.from_json(manifest.to_json()) == manifest
    totals = json.loads(manifest.to_json())["totals"]
    assert totals["documents"] == manifest.documents
    assert totals["segments"] == len(manifest.segments)


def test_no_store_is_made_by_looking(tmp_path):
    with pytest.raises(StoreError, match="ingest first"):
        Store(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"thesis\.txt"):
        Store(tmp_path, create=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 99}', "format 99"),
        ('{"format": 1}', "format 1, this version reads 2; ingest its sources again"),
        ('{"format": 2}', "damaged"),
        ("{", "damaged"),
        ("[]", "damaged"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_what_to_do(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=message):
        Store(tmp_path)


def test_a_segment_that_is_gone_is_named(tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b"The first."})
    ingest([record], tmp_path / "store", workers=1)
    [segment] = Store(tmp_path / "store").segments()
    segment.unlink()
    with pytest.raises(StoreError, match=segment.name):
        Store(tmp_path / "store").segments()


def test_what_a_killed_process_left_is_swept_away(filled, tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b"The first."})
    ingest([record], tmp_path / "store", workers=1)
    for name in ("segments/f00.sqlite", "drafts/x.sqlite", "ids/f00.ids", "quarantine/f00.jsonl"):
        lay(tmp_path / "store", {name: b"left over"})
    before = Store(tmp_path / "store").segments()
    ingest([record], tmp_path / "store", workers=1)
    assert Store(tmp_path / "store").segments() == before
    left = [path.name for path in (tmp_path / "store").rglob("*") if "f00" in path.name]
    assert not left
    assert not list((tmp_path / "store" / "drafts").iterdir())
