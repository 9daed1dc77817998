"""Measures the policy capability on the presidential corpus, and on a replica 100 times as large.

    ENGRAM_DATA=DIR python -m benchmarks.policy     # measures and writes docs/results/policy-*.json

The corpus is both archives in DIR/policy, `presidential-speeches` and `state-of-the-union`. The
replica is 100 copies of their segments, each a file of its own, in a temporary folder of 3 GB.
Times are of one process on one core; memory is the peak of a process of its own (Linux).
"""

import argparse
import gc
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engram import __version__
from engram.policy import analyzer
from engram.policy.document import Document
from engram.policy.embedded import EmbeddedEngine, segment
from engram.policy.ingestion.ingest import ingest
from engram.policy.store import Store
from engram.report.provenance import hardware

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ARCHIVES = ("presidential-speeches.tar.xz", "state-of-the-union.tar.xz")
TIMES = 100
"""How many times larger the replica is."""

QUERIES = {
    "phrase": '"tax cut"',
    "word": "tax",
    "proximity": (
        "{raise, increase, new, higher, impose, hike} NEAR/3 "
        "{tax, taxes, taxation, duty, duties, tariff, excise}"
    ),
    "common phrase": '"of the"',
}

PEAK = """
import re, sys
from pathlib import Path
from benchmarks import policy
getattr(policy, sys.argv[1])(*sys.argv[2:])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def timed(call: Callable[[], Any], rounds: int) -> list[float]:
    """Seconds of each of some calls, after one that does not count."""
    call()
    times = []
    gc.disable()
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    gc.enable()
    return times


def repeated(documents: list[Document], times: int) -> Iterator[Document]:
    """The documents so many times over, under new ids."""
    for i in range(times):
        for document in documents:
            yield replace(document, id=f"{document.id}/{i}")


def documents_of(paths: list[Path]) -> list[Document]:
    """All documents of some segments."""
    engine = EmbeddedEngine(paths)
    total = int(engine.tally("date:..2100", None).documents[0])
    return engine.fetch(engine.search("date:..2100", limit=total).ids)


def measure_writing(paths: list[Path], scratch: Path) -> dict[str, list[float]]:
    """Seconds of analysing the corpus, of writing its segment, and of the whole ingestion."""
    documents = documents_of(paths)

    def analyse() -> None:
        for document in documents:
            analyzer.joined(document.text)

    def write() -> None:
        (scratch / "written.sqlite").unlink(missing_ok=True)
        segment.write(scratch / "written.sqlite", documents)

    def take_in() -> None:
        shutil.rmtree(scratch / "again", ignore_errors=True)
        ingest([data() / name for name in ARCHIVES], scratch / "again", workers=1)

    return {
        "analyse": timed(analyse, 3),
        "write": timed(write, 3),
        "ingest": timed(take_in, 3),
    }


def measure_queries(paths: list[Path], backend: segment.Backend, rounds: int) -> dict[str, Any]:
    """Seconds of yearly series, of a page of context and of hits; the first of each not counted."""
    engine = EmbeddedEngine(paths, backend)
    calls: dict[str, Callable[[], Any]] = {
        f"yearly series, {name}": lambda query=query: engine.tally(query)
        for name, query in QUERIES.items()
    }
    calls["context page"] = lambda: engine.context(QUERIES["phrase"], limit=20, offset=100)
    calls["search page"] = lambda: engine.search(QUERIES["phrase"])
    found = {name: timed(call, rounds) for name, call in calls.items()}
    engine.close()
    return found


def sizes(paths: list[Path]) -> dict[str, int]:
    """Bytes of the segments, by part, and what they hold."""
    found = {"index": 0, "texts": 0, "file": 0}
    for path in paths:
        connection = segment.connect(path, "apsw")
        for name, size in connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
            part = "index" if name.startswith("terms") else "texts" if name == "texts" else None
            if part:
                found[part] += size
        connection.close()
        found["file"] += path.stat().st_size
    tally = EmbeddedEngine(paths).tally("date:..2100", None)
    text = sum(len(document.text.encode()) for document in documents_of(paths))
    counts = (tally.all_documents, tally.all_tokens)
    return found | dict(
        zip(("documents", "tokens"), (int(x[0]) for x in counts), strict=True), text=text
    )


def peak_writing(folder: str, times: str) -> None:
    """Write the corpus so many times over into one segment, for its peak of memory."""
    paths = sorted(Path(folder).glob("segments/*.sqlite"))
    target = Path(folder) / f"peak-{times}.sqlite"
    segment.write(target, repeated(documents_of(paths), int(times)))
    target.unlink()


def peak_series(folder: str, times: str) -> None:
    """Ask for the yearly series over so many copies, for its peak of memory."""
    engine = EmbeddedEngine(sorted(Path(folder).glob("copies/*.sqlite"))[: int(times)])
    for query in QUERIES.values():
        engine.tally(query)


def peak(name: str, folder: Path, times: int) -> float:
    """The peak of memory of one of the above in a process of its own, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, name, str(folder), str(times)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    return int(done.stdout.split()[-1]) / 1024


def data() -> Path:
    """The folder of the archives."""
    folder = os.environ.get("ENGRAM_DATA")
    if not folder:
        raise SystemExit("ENGRAM_DATA names no folder; it has to hold policy/*.tar.xz")
    return Path(folder) / "policy"


def entry(group: str, name: str, times: list[float], **info: Any) -> dict[str, Any]:
    """One measurement, as pytest-benchmark writes it."""
    stats = {
        "min": min(times),
        "max": max(times),
        "mean": statistics.mean(times),
        "stddev": statistics.stdev(times),
        "median": statistics.median(times),
        "rounds": len(times),
        "iterations": 1,
    }
    stats = {key: float(f"{value:.5g}") for key, value in stats.items()}
    print(f"{group:16} {name:28} {stats['median'] * 1e3:10.2f} ms", info or "", flush=True)
    return {
        "group": group,
        "name": f"{group}: {name}",
        "fullname": f"benchmarks/policy.py::{group}: {name}",
        "params": None,
        "extra_info": info,
        "options": {"timer": "perf_counter", "warmup": True, "disable_gc": True},
        "stats": stats,
    }


def measure(scratch: Path) -> dict[str, Any]:
    """Everything, with the corpus and its replica in a scratch folder."""
    store = scratch / "store"
    ingest([data() / name for name in ARCHIVES], store, workers=1)
    paths = [Path(path) for path in Store(store).segments()]
    found = sizes(paths)
    print(found, flush=True)
    entries = [
        entry("writing", name, times, mb_per_s=round(found["text"] / 1e6 / min(times), 2))
        for name, times in measure_writing(paths, scratch).items()
    ]
    copies = scratch / "store" / "copies"
    copies.mkdir()
    for i in range(TIMES):
        for j, path in enumerate(paths):
            shutil.copyfile(path, copies / f"{i:03}-{j:03}.sqlite")
    replica = sorted(copies.iterdir())
    for backend in ("apsw", "sqlite3"):
        times = measure_queries(paths, backend, rounds=20)
        entries += [entry(f"1x {backend}", name, seen) for name, seen in times.items()]
    times = measure_queries(replica, "apsw", rounds=3)
    entries += [entry(f"{TIMES}x apsw", name, seen) for name, seen in times.items()]
    few, many = len(paths), len(replica)
    peaks = {
        "write 1x": peak("peak_writing", store, 1),
        "write 4x": peak("peak_writing", store, 4),
        "series 1x": peak("peak_series", store, few),
        f"series {TIMES}x": peak("peak_series", store, many),
    }
    print(peaks, flush=True)
    return {"benchmarks": entries, "sizes": found, "peak_memory_mib": peaks}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--scratch", type=Path, help="where the temporary folder is made")
    settings = parser.parse_args()
    machine = hardware()
    with tempfile.TemporaryDirectory(dir=settings.scratch) as scratch:
        found = measure(Path(scratch))
    name = re.sub(r"\W+", "-", machine["processor"]).strip("-").lower()
    out = settings.out or RESULTS / f"policy-{name}-{machine['cores']}-cores.json"
    result = {
        "machine_info": machine | {"python_version": platform.python_version()},
        "commit_info": {"id": __version__, "dirty": False, "time": ""},
        "datetime": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": "5.0.0",
        "packages": packages(),
        **found,
    }
    out.write_text(
        json.dumps(result, separators=(",", ":")).replace('{"group"', '\n{"group"') + "\n"
    )
    print(out)


def packages() -> dict[str, str]:
    """Versions of the packages that the times depend on."""
    from importlib.metadata import version

    import apsw

    names = ("apsw", "numpy", "regex")
    return {name: version(name) for name in names} | {"sqlite": apsw.sqlite_lib_version()}


if __name__ == "__main__":
    main()
