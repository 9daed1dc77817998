"""Damage is found; what the sources still hold is mended; errors of the system lose nothing."""

import errno
import os
import random
import shutil
import subprocess
import sys

import pytest

from engram.policy.ingestion import ingest, repair, verify
from engram.policy.store import Shelf, Store, StoreError
from tests.policy.corpus import EXPECTED_DOCUMENTS, SETTINGS, files
from tests.policy.ingestion.test_identity import prose, two_archives
from tests.policy.ingestion.test_ingest import holding, lay, timeless, tree


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A store with views, quarantine, doubles and several segments."""
    root = tmp_path_factory.mktemp("sound")
    record = lay(root / "record", files())
    ingest([record, *two_archives(root, prose(1))], root / "store", workers=1, **SETTINGS)
    return root / "store"


@pytest.fixture
def store(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "store")


def test_a_sound_store_has_no_faults(sound):
    assert verify(Store(sound)) == []


def flip(path):
    data = bytearray(path.read_bytes())
    data[random.Random(0).randrange(100, len(data))] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def lose(path):
    path.unlink()


@pytest.mark.parametrize("damage", [flip, cut, lose])
@pytest.mark.parametrize(
    "pattern", ["segments/*.sqlite", "segments/*.view", "ids/*.ids", "doubles/*.jsonl"]
)
def test_damage_is_found_and_mended(sound, store, damage, pattern):
    before = tree(store)
    damaged = sorted(store.glob(pattern), key=lambda path: path.stat().st_size)[-1]
    damage(damaged)
    faults = verify(Store(store))
    assert [fault.file for fault in faults] == [damaged.relative_to(store).as_posix()]
    done = repair(Store(store), faults)
    assert (done.left, len(done.mended)) == ((), 1)
    assert tree(store) == before
    assert verify(Store(store)) == []


def test_a_query_refuses_a_segment_whose_bytes_have_changed(store):
    for segment in Store(store).segments():
        assert segment.exists()
    flip(max((store / "segments").glob("*.sqlite"), key=lambda path: path.stat().st_size))
    with pytest.raises(StoreError, match=r"damaged.*verify --repair"):
        Store(store).segments()


def test_a_sound_store_is_not_hashed_each_time_it_is_opened(store, monkeypatch):
    Store(store).segments()
    monkeypatch.setattr("engram.policy.shelf.sha256_of", lambda path: 1 / 0)
    assert Store(store).segments()


def test_what_cannot_be_mended_is_said_and_kept(sound, tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b"The first."})
    ingest([record], tmp_path / "store", workers=1)
    shutil.rmtree(record)
    cut(next((tmp_path / "store" / "segments").iterdir()))
    manifest = timeless(tmp_path / "store")
    faults = verify(Store(tmp_path / "store"))
    done = repair(Store(tmp_path / "store"), faults)
    assert (done.mended, done.left) == ((), tuple(faults))
    assert (faults[0].sources, faults[0].documents) == ((str(record),), 1)
    assert timeless(tmp_path / "store") == manifest
    lay(record, {"1800-01-01-x.txt": b"The first."})
    assert repair(Store(tmp_path / "store"), faults).left == ()


def test_a_half_finished_store_says_so_and_counts_what_it_held_before(sound, store, tmp_path):
    before = holding(store)
    more = lay(tmp_path / "more", {f"190{n}-01-01-y.txt": b"More. " * 500 for n in range(9)})

    def stop(step):
        if step.done > step.total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([more], store, workers=1, progress=stop, **SETTINGS)
    assert holding(store) == before
    [note] = [one for one in Store(store).manifest.notes() if "not finished" in one]
    assert str(more) in note
    assert [fault.file for fault in verify(Store(store))] == ["manifest.json"]
    ingest([more], store, workers=1, **SETTINGS)
    assert len(holding(store)) == len(before) + 9
    assert verify(Store(store)) == []


def test_an_ingestion_of_something_else_does_not_count_half_an_input(store, tmp_path):
    more = lay(tmp_path / "more", {f"190{n}-01-01-y.txt": b"More. " * 500 for n in range(9)})

    def stop(step):
        if step.done > step.total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([more], store, workers=1, progress=stop, **SETTINGS)
    before = len(holding(store))
    ingest([lay(tmp_path / "x", {"1950-01-01-z.txt": b"One."})], store, workers=1, **SETTINGS)
    assert len(holding(store)) == before + 1
    assert any("not finished" in one for one in Store(store).manifest.notes())


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "write permission"),
        (errno.EACCES, "write permission"),
    ],
)
def test_an_error_of_the_system_is_one_line_with_a_remedy(tmp_path, monkeypatch, code, remedy):
    record = lay(tmp_path / "record", files())
    put = Shelf.put
    calls = []

    def failing(self, draft, name):
        calls.append(name)
        if len(calls) > 20:
            raise OSError(code, os.strerror(code))
        put(self, draft, name)

    monkeypatch.setattr(Shelf, "put", failing)
    with pytest.raises(StoreError, match=rf"{remedy}.*same command again to continue") as caught:
        ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("cannot be written") == 1
    monkeypatch.setattr(Shelf, "put", put)
    found = ingest([record], tmp_path / "store", workers=1, **SETTINGS)
    assert found.skipped > 0
    assert Store(tmp_path / "store").manifest.documents == EXPECTED_DOCUMENTS


_LIMITED = """
import resource, sys
from engram.policy.ingestion import ingest
from engram.policy.store import StoreError

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    try:
        ingest([sys.argv[1]], sys.argv[2], workers=int(sys.argv[3]))
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_limit_on_the_size_of_files_is_told(tmp_path, workers):
    texts = {f"180{n}-01-01-x.txt": prose(n, 4_000).encode() for n in range(5)}
    record = lay(tmp_path / "record", texts)
    (tmp_path / "limited.py").write_text(_LIMITED)
    command = [sys.executable, tmp_path / "limited.py", record, tmp_path / "store", workers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ulimit -f" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    ingest([record], tmp_path / "store", workers=1)
    assert Store(tmp_path / "store").manifest.documents == {"speech": 5}
