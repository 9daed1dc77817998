"""Inputs and stores under s3:// URLs, over HTTP against a server in this process."""

from typing import Any

import pytest

from engram.policy.ingestion.ingest import ingest
from engram.policy.store import Store, StoreError
from tests.policy.corpus import EXPECTED_DOCUMENTS, SETTINGS, files
from tests.policy.ingestion.test_ingest import holding, lay, packed, tree

pytestmark = [
    pytest.mark.s3,
    # botocore and the server it talks to use what later versions of Python drop
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def bucket(s3, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if s3.exists("record"):
        s3.rm("record", recursive=True)
    s3.mkdir("record")
    return s3


def test_a_remote_folder_into_a_remote_store(bucket, tmp_path):
    record = lay(tmp_path / "record", files(speeches=8))
    bucket.put(f"{record}/", "record/input/", recursive=True)
    settings: dict[str, Any] = SETTINGS | {"partition_size": 50_000}
    found = ingest(["s3://record/input"], "s3://record/store", workers=1, **settings)
    local = ingest([record], tmp_path / "local", workers=1, **settings)
    assert (found.documents, found.rejected) == (local.documents, local.rejected)
    assert holding("s3://record/store") == holding(tmp_path / "local")
    segments = {name: data for name, data in tree(tmp_path / "local").items() if "quar" not in name}
    remote = {
        path.removeprefix("record/store/"): bucket.cat_file(path)
        for path in bucket.find("record/store")
        if "quarantine" not in path and "manifest" not in path
    }
    assert remote == segments
    again = ingest(["s3://record/input"], "s3://record/store", workers=1, **settings)
    assert (again.partitions, again.skipped) == (0, found.partitions)
    assert all(
        str(tmp_path / "cache") in str(path) for path in Store("s3://record/store").segments()
    )


def test_a_remote_archive_into_a_local_store(bucket, tmp_path):
    archive = packed(lay(tmp_path / "record", files()), tmp_path / "record.tar.gz")
    bucket.put_file(str(archive), "record/record.tar.gz")
    found = ingest(["s3://record/record.tar.gz"], tmp_path / "store", workers=2, **SETTINGS)
    assert found.documents == EXPECTED_DOCUMENTS
    again = ingest(["s3://record/record.tar.gz"], tmp_path / "store", workers=1, **SETTINGS)
    assert again.sources_skipped == ("s3://record/record.tar.gz",)


def test_a_damaged_remote_segment_is_refused(bucket, tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b"The first."})
    ingest([record], "s3://record/store", workers=1)
    [segment] = bucket.find("record/store/segments")
    bucket.pipe_file(segment, b"not a segment")
    with pytest.raises(StoreError, match="damaged"):
        Store("s3://record/store").segments()


def test_a_bucket_that_is_not_there_is_named(bucket):
    with pytest.raises(ValueError, match="s3://nowhere/input"):
        ingest(["s3://nowhere/input"], "s3://record/store", workers=1)
