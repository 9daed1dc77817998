"""Measures the policy capability on the presidential corpus, and on a replica 100 times as large.

    ENGRAM_DATA=DIR python -m benchmarks.policy     # measures and writes docs/results/policy-*.json

The corpus is both archives in DIR/policy, `presidential-speeches` and `state-of-the-union`. The
replica is 100 copies of their segments, each a file of its own, in a temporary folder of 3 GB.
Times are of one process on one core; memory is the peak of a process of its own (Linux).
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import harness
from engram.policy import analyzer, segment
from engram.policy.document import Document
from engram.policy.embedded import EmbeddedEngine
from engram.policy.ingestion.ingest import ingest
from engram.policy.store import Store

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

    calls = {"analyse": analyse, "write": write, "ingest": take_in}
    return harness.interleave(calls, 3, warm=False)


def measure_queries(engines: dict[str, EmbeddedEngine], rounds: int) -> list[harness.Result]:
    """Time yearly series, a page of context and a page of hits; the engines take turns."""
    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    for group, engine in engines.items():
        for name, query in QUERIES.items():
            calls[group, f"yearly series, {name}"] = partial(engine.tally, query)
        phrase = QUERIES["phrase"]
        calls[group, "context page"] = partial(engine.context, phrase, limit=20, offset=100)
        calls[group, "search page"] = partial(engine.search, phrase)
    times = harness.interleave(calls, rounds, warm=False)
    for engine in engines.values():
        engine.close()
    return [entry(group, name, seen) for (group, name), seen in times.items()]


def sizes(paths: list[Path]) -> dict[str, int]:
    """Bytes of the segments, by part, and what they hold."""
    found = {"index": 0, "texts": 0, "file": 0}
    for path in paths:
        connection = segment.connect(path)
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


def peak_writing(folder: str, times: str) -> float:
    """Return the peak of memory of writing the corpus a number of times into one segment."""
    paths = sorted(Path(folder).glob("segments/*.sqlite"))
    target = Path(folder) / f"peak-{times}.sqlite"
    segment.write(target, repeated(documents_of(paths), int(times)))
    target.unlink()
    return harness.peak_memory()


def peak_series(folder: str, copies: str) -> float:
    """Return the peak of memory of the yearly series over a number of copies."""
    engine = EmbeddedEngine(sorted(Path(folder).glob("copies/*.sqlite"))[: int(copies)])
    for query in QUERIES.values():
        engine.tally(query)
    return harness.peak_memory()


def data() -> Path:
    """The folder of the archives."""
    folder = os.environ.get("ENGRAM_DATA")
    if not folder:
        raise SystemExit("ENGRAM_DATA names no folder; it has to hold policy/*.tar.xz")
    return Path(folder) / "policy"


def entry(group: str, name: str, times: list[float], **info: Any) -> harness.Result:
    """One measurement."""
    found = harness.entry("policy", group, f"{group}: {name}", times, **info)
    print(f"{group:16} {name:28} {found['stats']['median'] * 1e3:10.2f} ms", info or "", flush=True)
    return found


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
    entries += measure_queries({"1x apsw": EmbeddedEngine(paths)}, rounds=20)
    entries += measure_queries({f"{TIMES}x apsw": EmbeddedEngine(replica)}, rounds=3)
    peaks = {
        name: harness.in_own_process("benchmarks.policy", function, store, count)
        for name, function, count in (
            ("write 1x", "peak_writing", 1),
            ("write 4x", "peak_writing", 4),
            ("series 1x", "peak_series", len(paths)),
            (f"series {TIMES}x", "peak_series", len(replica)),
        )
    }
    print(peaks, flush=True)
    return {"benchmarks": entries, "sizes": found, "peak_memory_mib": peaks}


def main() -> None:
    """Measure and write."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--scratch", type=Path, help="where the temporary folder is made")
    settings = parser.parse_args()
    facts = harness.machine()
    with tempfile.TemporaryDirectory(dir=settings.scratch) as scratch:
        found = measure(Path(scratch))
    out = settings.out or harness.RESULTS / harness.file_name("policy", facts)
    harness.write(out, harness.result(facts, packages(), found.pop("benchmarks"), **found))
    print(out)


def packages() -> dict[str, str]:
    """Versions of the packages that the times depend on."""
    import apsw

    names = ("apsw", "numpy", "regex")
    return harness.package_versions(names) | {"sqlite": apsw.sqlite_lib_version()}


if __name__ == "__main__":
    main()
