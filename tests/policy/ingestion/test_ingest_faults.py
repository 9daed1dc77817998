"""kill -9 at random points: what is left opens, and resuming gives what a clean run gives."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engram.policy.ingestion.ingest import ingest
from engram.policy.store import Store, StoreError
from tests.policy.corpus import EXPECTED_DOCUMENTS, EXPECTED_REJECTED, SETTINGS, files
from tests.policy.ingestion.test_ingest import holding, lay, timeless, tree

FINE: dict[str, Any] = SETTINGS | {"partition_size": 1_500}

# It prints a line at the beginning and one a partition. Some partitions hold duplicates of earlier
# ones, and so are written twice.
_CHILD = """
import sys
from engram.policy.ingestion.ingest import ingest

if __name__ == "__main__":
    _, record, store, workers = sys.argv
    ingest(
        [record],
        store,
        workers=int(workers),
        partition_size=1_500,
        limit=100_000,
        progress=lambda step: print(step, flush=True),
    )
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
        return self

    def wait_for(self, lines):
        for _ in range(lines):
            self.process.stdout.readline()

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
    ingest([tmp_path / "record"], tmp_path / "clean", workers=1, **FINE)
    dice, progress = random.Random(seed), [0]
    for _ in range(kills):
        with Child(tmp_path, workers) as child:
            child.wait_for(dice.randint(0, 1 + progress[-1] + 2))
            time.sleep(dice.uniform(0, 0.05))
            child.kill()
        try:
            store = Store(tmp_path / "store")
        except StoreError:
            assert not (tmp_path / "store" / "manifest.json").exists()
            continue
        assert len(holding(tmp_path / "store")) == sum(store.manifest.documents.values())
        progress.append(len(store.manifest.partitions))
    assert progress == sorted(progress), "what was committed was lost"
    assert len(set(progress)) > kills // 4, "the kills did not come at different points"
    ingest([tmp_path / "record"], tmp_path / "store", workers=1, **FINE)
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


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_processes_end_when_their_parent_is_killed(tmp_path):
    lay(tmp_path / "record", files())
    with Child(tmp_path, 2) as child:
        child.wait_for(3)
        started = members_of(child.process.pid)
        assert len(started) >= 2
        os.kill(child.process.pid, signal.SIGKILL)
        child.process.wait()
        deadline = time.monotonic() + 30
        while members_of(child.process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert members_of(child.process.pid) == []


def members_of(group):
    """The processes of a group but its first, from /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == group and int(path.parent.name) != group and state != "Z":
            found.append(int(path.parent.name))
    return found


def test_a_process_that_dies_on_its_own_says_what_to_do(tmp_path):
    record = lay(tmp_path / "record", {"1800-01-01-x.txt": b"The first."})
    with pytest.raises(StoreError, match="run again to resume"):
        ingest([record], tmp_path / "store", workers=2, write=_die)


def _die(path, documents) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


_PEAK = """
import sys
from engram.policy.ingestion.ingest import ingest

if __name__ == "__main__":
    ingest([sys.argv[1]], sys.argv[2], workers=1, partition_size=1 << 20)
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_record(tmp_path):
    (tmp_path / "peak.py").write_text(_PEAK)
    peaks = []
    for number in (4_000, 32_000):
        record = tmp_path / str(number)
        text = b"The duties on imports were reduced, and the revenue of the year increased. " * 12
        about = b"111%06d|H|20090106|1|Mr. A|A|A|Ohio|M|1|2|a|3|4\n"
        content = {
            "speeches_111.txt": b"".join(b"111%06d|%s\n" % (n, text) for n in range(number)),
            "descr_111.txt": b"".join(about % n for n in range(number)),
        }
        lay(record, content)
        command = [sys.executable, tmp_path / "peak.py", record, tmp_path / f"store-{number}"]
        peaks.append(int(subprocess.check_output(command)))
    assert peaks[1] < 1.15 * peaks[0], f"{peaks} KiB for 1 and 8 times the record"
