"""kill -9 at random points: what is left opens, and resuming gives what a clean run gives."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from engram.policy.ingest import ingest
from engram.policy.store import Store, StoreError
from tests.policy.corpus import EXPECTED_DOCUMENTS, EXPECTED_REJECTED, SETTINGS, files
from tests.policy.test_ingest import holding, lay, timeless, tree

# The second file has duplicates in the first, so that a partition is written again at times.
_CHILD = """
import sys
from engram.policy.ingest import ingest

if __name__ == "__main__":
    _, record, store, workers = sys.argv
    print("begin", flush=True)
    ingest([record], store, workers=int(workers), partition_size=4_000, limit=100_000)
    print("end", flush=True)
"""


class Child:
    """An ingestion in a process group of its own."""

    def __init__(self, tmp_path, workers):
        script = tmp_path / "child.py"
        script.write_text(_CHILD)
        command = [sys.executable, script, tmp_path / "record", tmp_path / "store", str(workers)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def __enter__(self):
        assert self.process.stdout.readline() == "begin\n"
        return self

    def __exit__(self, *raised):
        self.kill()
        self.process.stdout.close()

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def survive(tmp_path, kills, workers, seed):
    """Kill an ingestion so many times, then finish it."""
    lay(tmp_path / "record", files())
    started = time.perf_counter()
    ingest([tmp_path / "record"], tmp_path / "clean", workers=1, **SETTINGS)
    takes = time.perf_counter() - started
    dice, progress = random.Random(seed), []
    for _ in range(kills):
        with Child(tmp_path, workers) as child:
            time.sleep(dice.uniform(0, 0.3 * takes))
            child.kill()
        try:
            store = Store(tmp_path / "store")
        except StoreError:
            assert not (tmp_path / "store" / "manifest.json").exists()
            continue
        assert len(holding(tmp_path / "store")) == sum(store.manifest.documents.values())
        progress.append(len(store.manifest.partitions))
    assert progress == sorted(progress), "what was committed was lost"
    ingest([tmp_path / "record"], tmp_path / "store", workers=1, **SETTINGS)
    assert Store(tmp_path / "store").manifest.documents == EXPECTED_DOCUMENTS
    assert Store(tmp_path / "store").manifest.rejected == EXPECTED_REJECTED
    assert tree(tmp_path / "store") == tree(tmp_path / "clean")
    assert timeless(tmp_path / "store") == timeless(tmp_path / "clean")


def test_three_kills(tmp_path):
    survive(tmp_path, kills=3, workers=1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_kills(tmp_path, workers):
    survive(tmp_path, kills=20, workers=workers, seed=workers)


def test_a_process_that_dies_on_its_own_says_what_to_do(tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b"The first."})
    with pytest.raises(StoreError, match="run again to resume"):
        ingest([record], tmp_path / "store", workers=2, write=_die)


def _die(path, documents):
    os.kill(os.getpid(), signal.SIGKILL)
