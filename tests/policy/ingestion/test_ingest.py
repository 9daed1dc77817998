import json
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from engram.policy.document import REASONS
from engram.policy.ingestion.ingest import ingest
from engram.policy.loader import TableFormat
from engram.policy.segment import OpenSegment
from engram.policy.store import Store, StoreError
from tests.policy.corpus import (
    EXPECTED_DOCUMENTS,
    EXPECTED_REJECTED,
    EXPECTED_REPEATED,
    SETTINGS,
    files,
)


@pytest.fixture
def record(tmp_path):
    return lay(tmp_path / "record", files())


def lay(root, content):
    for name, data in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def holding(location):
    """The ids of a store's documents in order, from its segments."""
    ids = []
    for path in Store(location).segments():
        segment = OpenSegment(path)
        ids += segment.ids(segment.numbers())
        segment.close()
    return ids


def timeless(location):
    manifest = json.loads((Path(location) / "manifest.json").read_text())
    return {key: value for key, value in manifest.items() if key not in ("created", "updated")}


def tree(location):
    """Every file of a store but its manifest."""
    return {
        path.relative_to(location).as_posix(): path.read_bytes()
        for path in sorted(Path(location).rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", ".lock", "stamps.json")
    }


def test_every_record_is_a_document_or_in_quarantine(record, tmp_path):
    found = ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    assert found.documents == EXPECTED_DOCUMENTS
    assert found.rejected == EXPECTED_REJECTED
    assert found.repeated + found.older + found.unchanged <= EXPECTED_REPEATED
    store = Store(tmp_path / "store")
    assert store.manifest.documents == EXPECTED_DOCUMENTS
    assert store.manifest.rejected == EXPECTED_REJECTED
    assert Counter(entry["reason"] for entry in store.rejections()) == EXPECTED_REJECTED
    for entry in store.rejections():
        assert entry["reason"] in REASONS
        assert entry["detail"]
        assert str(record) in entry["origin"]
    ids = holding(tmp_path / "store")
    assert len(ids) == len(set(ids)) == sum(EXPECTED_DOCUMENTS.values())
    assert len(store.segments()) > 10


def test_the_manifest_says_what_was_read_and_what_was_not(record, tmp_path):
    ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    manifest = Store(tmp_path / "store").manifest
    [source] = manifest.sources
    assert source.location == str(record)
    assert source.unread == {"README": 1}
    assert source.files == len(files()) - 2, "README, and the table beside the speeches"
    assert source.partitions == list(manifest.partitions)
    assert set(manifest.versions) == {"engram", "python", "apsw", "sqlite"}
    assert sum(segment.documents for segment in manifest.segments) == 268


def test_each_file_ends_as_read_beside_superseded_or_unread(tmp_path):
    page = "CREC-2005-07-20-pt1-PgH1"
    turn = {"kind": "speech", "speaker": "Mr. ABLE", "text": "Mr. ABLE. The tax.", "turn": 0}
    content = {
        "1800-01-01-x.txt": b"The first.",
        "9999-01-01-x.txt": b"To come.",
        "notes.txt": b"No day.",
        "a/own.csv": b"Day,Speech\n",
        "a/packed.csv.zst": b"?",
        "a/inner.zip": b"?",
        "a/image.png": b"?",
        "a/README": b"?",
        "a/.hidden": b"?",
        "d/mods.xml": b"<mods/>",
        f"d/html/{page}.htm": b"<pre>\n  Mr. ABLE. The tax.\n</pre>",
        f"d/json/{page}.json": json.dumps(
            {"id": page, "title": "T", "header": {}, "content": [turn]}
        ).encode(),
    }
    record = lay(tmp_path / "record", content)
    for source in (record, packed(record, tmp_path / "record.tar.gz")):
        store = tmp_path / f"store-{source.name}"
        found = ingest([source], store, workers=1)
        [one] = found.sources
        assert (one.status, one.files, one.beside, one.superseded) == ("read", 4, 1, 1)
        assert one.files + one.beside + sum(one.unread.values()) == len(content)
        assert one.kinds == {
            ".csv": 1, ".zst": 1, ".zip": 1, ".png": 1, "no ending": 2, ".txt": 1
        }  # fmt: skip
        assert found.rejected == {"bad-date": 1, "superseded": 1}
        [entry] = Store(store).manifest.sources
        listed = {name["name"].rpartition("/")[2]: name for name in Store(store).unread(entry)}
        assert len(listed) == 7
        assert "--map" in listed["own.csv"]["reason"]
        assert "unpack" in listed["packed.csv.zst"]["reason"]
        again = ingest([source], store, workers=1).sources
        assert [(one.status, one.files) for one in again] == [("already there", 4)]
        assert sum(again[0].unread.values()) == 7
        assert [*Store(store).unread(Store(store).manifest.sources[-1])]


def test_an_input_that_gives_nothing_says_why(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    tables = lay(tmp_path / "tables", {"a.csv": b"x", "b.csv": b"y"})
    other = lay(tmp_path / "other", {"c.csv": b"x"})
    for _ in range(2):
        found = ingest([empty, tables, other], tmp_path / "store", workers=1).sources
        assert [(one.status, one.kinds) for one in found] == [
            ("empty", {}),
            ("nothing readable", {".csv": 2}),
            ("nothing readable", {".csv": 1}),
        ]
    archives = tmp_path / "archives"
    archives.mkdir()
    packed(lay(tmp_path / "texts", {"1800-01-01-x.txt": b"The first."}), archives / "a.zip")
    [one] = ingest([archives], tmp_path / "store", workers=1).sources
    assert (one.location, one.status) == (str(archives / "a.zip"), "read")


def test_an_empty_file_is_quarantined_and_not_passed_over(tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b""})
    for source in (record, packed(record, tmp_path / "record.zip")):
        found = ingest([source], tmp_path / f"store-{source.name}", workers=1)
        assert (found.rejected, found.sources[0].status) == ({"missing-field": 1}, "read")


def test_a_table_is_read_by_a_mapping_and_again_by_another(tmp_path):
    record = lay(
        tmp_path / "record",
        {
            "2013.csv": b"Day,Member,Speech\n2013-01-09,A,The tax.\n2013-01-10,B,Two.\n",
            "2014.jsonl": b'{"Day": "2014-01-09", "Member": "C", "Speech": "Three."}\n' * 1,
            "10th January 2015.txt": b"Four.",
        },
    )
    table = TableFormat({"date": "Day", "speaker": "Member", "text": "Speech"})
    found = ingest([record], tmp_path / "store", workers=2, table=table)
    assert found.documents == {"speech": 3}
    names = TableFormat({"date": "@name"}, date_format="%d %B %Y")
    text = record / "10th January 2015.txt"
    assert ingest([text], tmp_path / "store", workers=1, table=names).documents == {"speech": 1}
    assert ingest([record], tmp_path / "store", workers=1, table=table).partitions == 0


def test_names_that_are_no_text_do_not_stop_an_ingestion(tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b"The first."})
    for name in (b"2001-01-01-a\xffb.txt", b"2001-01-02-a\nb.txt", b"no\xffday"):
        (record / os.fsdecode(name)).write_bytes(b"The tax.")
    found = ingest([record], tmp_path / "store", workers=1)
    assert found.documents == {"speech": 2}
    assert found.rejected == {"malformed-bytes": 1}
    [entry] = Store(tmp_path / "store").manifest.sources
    assert entry.unread == {r"no\udcffday": 1}


def test_a_second_run_adds_nothing_and_changes_nothing(record, tmp_path):
    ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    before = tree(tmp_path / "store"), timeless(tmp_path / "store")
    again = ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    assert (again.partitions, again.documents, again.rejected) == (0, {}, {})
    assert again.skipped == len(Store(tmp_path / "store").manifest.partitions)
    assert (tree(tmp_path / "store"), timeless(tmp_path / "store")) == before


def test_processes_and_threads_of_a_cluster_make_the_same_store(record, tmp_path):
    ingest([record], tmp_path / "one", workers=1, **SETTINGS)
    ingest([record], tmp_path / "two", workers=2, **SETTINGS)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert timeless(tmp_path / "one") == timeless(tmp_path / "two")


@pytest.mark.parametrize("form", ["folder", "archive"])
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_dask_cluster_makes_the_same_store(record, tmp_path, form):
    from distributed import Client, LocalCluster

    source = record if form == "folder" else packed(record, tmp_path / "record.tar.gz")
    ingest([source], tmp_path / "one", workers=1, **SETTINGS)
    with (
        LocalCluster(
            # None would still ask for port 8787, which another worker of the suite may hold
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        ingest([source], tmp_path / "client", workers=client, **SETTINGS)
        ingest(
            [source],
            tmp_path / "address",
            workers=cast("Any", cluster).scheduler_address,
            **SETTINGS,
        )
    assert tree(tmp_path / "one") == tree(tmp_path / "client") == tree(tmp_path / "address")
    assert timeless(tmp_path / "one") == timeless(tmp_path / "client")


def packed(record, path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(record.rglob("*")):
                archive.write(file, file.relative_to(record.parent))
    else:
        with tarfile.open(path, cast("Any", f"w:{path.suffix[1:]}")) as archive:
            archive.add(record, record.name)
    return path


@pytest.mark.parametrize("name", ["record.tar.xz", "record.tar.gz", "record.zip"])
def test_an_archive_holds_what_its_folder_holds(record, tmp_path, name):
    source = packed(record, tmp_path / name)
    found = ingest([source], tmp_path / "store", workers=1, **SETTINGS)
    assert found.documents == EXPECTED_DOCUMENTS
    assert found.rejected == EXPECTED_REJECTED
    ingest([record], tmp_path / "folder", workers=1, **SETTINGS)
    assert sorted(holding(tmp_path / "store")) == sorted(holding(tmp_path / "folder"))
    again = ingest([source], tmp_path / "store", workers=1, **SETTINGS)
    assert again.sources_skipped == (str(source),)


def test_one_of_two_documents_is_kept_over_partitions_and_runs(tmp_path):
    first = lay(tmp_path / "a", {"1800-01-01-x.txt": b"The first.", "1800-01-02-y.txt": b"Alone."})
    second = lay(tmp_path / "b", {"1800-01-01-x.txt": b"The second.", "1800-01-03-z.txt": b"New."})
    found = ingest([first, second], tmp_path / "once", workers=2, **SETTINGS)
    assert found.documents == {"speech": 3}
    assert found.rejected == {}
    assert len(holding(tmp_path / "once")) == len(set(holding(tmp_path / "once"))) == 3
    ingest([first], tmp_path / "twice", workers=1, **SETTINGS)
    again = ingest([second], tmp_path / "twice", workers=1, **SETTINGS)
    assert (again.documents, again.updated) == ({"speech": 1}, 1)
    assert tree(tmp_path / "once") == tree(tmp_path / "twice")


def test_a_partition_of_nothing_but_duplicates_makes_no_segment(tmp_path):
    first = lay(tmp_path / "a", {"1800-01-01-x.txt": b"The first."})
    second = lay(tmp_path / "b", {"1800-01-01-x.txt": b"The second."})
    ingest([first, second], tmp_path / "store", workers=1)
    assert len(Store(tmp_path / "store").segments()) == 1
    assert len([name for name in tree(tmp_path / "store") if name.startswith("segments")]) == 1


def test_a_new_file_in_a_folder_is_added(record, tmp_path):
    ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    lay(record, {"speeches/1999-01-01-new.txt": b"New."})
    ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    fresh = lay(tmp_path / "fresh", files() | {"speeches/1999-01-01-new.txt": b"New."})
    ingest([fresh], tmp_path / "other", workers=1, **SETTINGS)
    assert sorted(holding(tmp_path / "store")) == sorted(holding(tmp_path / "other"))


def test_a_table_beside_the_speeches_that_changes_is_read_again(tmp_path):
    content = {"hein/speeches_111.txt": b"speech_id|speech\n1110001|The tax.\n"}
    record = lay(tmp_path / "record", content)
    assert ingest([record], tmp_path / "store", workers=1).rejected == {"missing-field": 1}
    lay(record, {"hein/descr_111.txt": b"1110001|H|20090106|1|Mr. A|A|A|Ohio|M|1|2|a|3|4\n"})
    assert ingest([record], tmp_path / "store", workers=1).documents == {"speech": 1}


def test_html_that_lies_beside_its_json_is_counted_and_not_read(tmp_path):
    page = "CREC-2005-07-20-pt1-PgH1"
    turn = {"kind": "speech", "speaker": "Mr. ABLE", "text": "Mr. ABLE. The tax.", "turn": 0}
    content = {"id": page, "title": "T", "header": {"chamber": "House"}, "content": [turn]}
    html = b"<pre>\n[House]\n  Mr. ABLE. The tax.\n</pre>"
    record = lay(
        tmp_path / "record",
        {
            f"d/html/{page}.htm": html,
            f"d/html/{page}-2.htm": html,
            f"d/json/{page}.json": json.dumps(content).encode(),
        },
    )
    for source in (record, packed(record, tmp_path / "record.zip")):
        found = ingest([source], tmp_path / f"store-{source.name}", workers=1)
        assert found.documents["speech"] == 2
        assert found.rejected == {"superseded": 1}


def test_what_cannot_be_stored_is_rejected_whatever_the_loader(tmp_path):
    vote = {"vote_id": "h1-111.2009", "chamber": "h", "congress": 111, "date": "2009-03-01"}
    content = {
        "votes/1/data.json": json.dumps(vote | {"question": "half \ud800 a pair"}).encode(),
        "votes/2/data.json": json.dumps(vote | {"question": "a \0 character"}).encode(),
    }
    found = ingest([lay(tmp_path / "record", content)], tmp_path / "store", workers=1)
    assert (found.documents, found.rejected) == ({}, {"malformed-bytes": 2})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_rejected(record, tmp_path):
    (record / "README").rename(record / "1801-01-01-secret.txt")
    (record / "1801-01-01-secret.txt").chmod(0)
    assert ingest([record], tmp_path / "store", workers=1).rejected["unreadable-file"] == 1


def test_a_damaged_archive_gives_what_can_be_read(record, tmp_path):
    whole = packed(record, tmp_path / "record.tar.gz").read_bytes()
    torn = tmp_path / "torn.tar.gz"
    torn.write_bytes(whole[: len(whole) // 2])
    found = ingest([torn], tmp_path / "store", workers=1, **SETTINGS)
    assert found.rejected["unreadable-file"] >= 1
    assert 0 < sum(found.documents.values()) < sum(EXPECTED_DOCUMENTS.values())


def test_progress_reaches_the_whole(record, tmp_path):
    told = []
    ingest([record], tmp_path / "store", workers=1, progress=told.append)
    assert [step.done for step in told] == sorted(step.done for step in told)
    assert {(step.task, step.unit, step.label) for step in told} == {
        (str(record), "bytes", "record")
    }
    done, total = told[-1].done, told[-1].total
    beside = ("README", "hein/descr_111.txt")
    assert total == sum(len(data) for name, data in files().items() if name not in beside)
    assert done == total


def test_an_interrupted_run_can_be_resumed(record, tmp_path):
    def interrupt(step):
        if step.done > step.total // 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([record], tmp_path / "store", workers=2, progress=interrupt, **SETTINGS)
    done = len(Store(tmp_path / "store").manifest.partitions)
    assert done > 0
    assert ingest([record], tmp_path / "store", workers=1, **SETTINGS).skipped == done
    ingest([record], tmp_path / "clean", workers=1, **SETTINGS)
    assert tree(tmp_path / "store") == tree(tmp_path / "clean")
    assert timeless(tmp_path / "store") == timeless(tmp_path / "clean")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loaders": ["hansard"]}, "hansard"),
        ({"loaders": []}, "loaders"),
        ({"workers": 0}, "workers is 0"),
        ({"partition_size": 0}, "partition_size is 0"),
    ],
)
def test_a_setting_that_cannot_be_is_named(record, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        ingest([record], tmp_path / "store", **{"workers": 1} | arguments)


def test_only_the_named_loaders_read(record, tmp_path):
    found = ingest([record], tmp_path / "store", workers=1, loaders=["govtrack"])
    assert found.documents == {"vote": 28}


def test_two_ingestions_at_a_time_are_refused(record, tmp_path):
    store = Store(tmp_path / "store", create=True)
    with store.lock(), pytest.raises(StoreError, match="another process"):
        ingest([record], tmp_path / "store", workers=1)
