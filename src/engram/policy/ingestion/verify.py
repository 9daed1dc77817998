"""Verify a store against its manifest, and repair it by reading damaged partitions again."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import apsw

from engram.data.files import InputError, open_inputs
from engram.policy import segment
from engram.policy.ingestion.build import build
from engram.policy.ingestion.ingest import absolute, reading
from engram.policy.ingestion.partition import Plan
from engram.policy.ingestion.reconcile import reconcile
from engram.policy.loader import TableFormat
from engram.policy.store import SegmentEntry, SourceEntry, Store, explained
from engram.progress import Progress, Step, silent


@dataclass(frozen=True, slots=True)
class Fault:
    """A deviation from the manifest.

    Args:
        file: The file in the store.
        problem: What is wrong.
        key: The partition that has to be read again; empty if there is none.
        sources: The inputs that hold the partition.
        documents: Number of its counted documents.
    """

    file: str
    problem: str
    key: str = ""
    sources: tuple[str, ...] = ()
    documents: int = 0


@dataclass(frozen=True, slots=True)
class Repair:
    """The result of a repair.

    Args:
        mended: The faults that were repaired.
        left: The faults that remain because their source is missing or has changed.
    """

    mended: tuple[Fault, ...]
    left: tuple[Fault, ...]


def verify(store: Store, progress: Progress = silent) -> list[Fault]:
    """Compare every file of a store with its manifest, to the last byte.

    Hashes are computed, SQLite checks the structure of each segment, and documents and terms are
    counted. An unfinished ingestion also is a fault.

    Args:
        store: The store.
        progress: Called to report progress.

    Returns:
        The faults; empty if there are none.
    """
    manifest, faults = store.manifest, []
    for done, key in enumerate(manifest.partitions, 1):
        sources = tuple(one.location for one in manifest.sources if key in one.partitions)
        counted = manifest.counted.get(key)
        for file, problem in _problems(store, key):
            documents = counted.documents if counted else 0
            faults.append(Fault(file, problem, key, sources, documents))
        progress(Step("partitions", done, len(manifest.partitions)))
    for name, ending in ((manifest.doubles.listed, "jsonl"), (manifest.doubles.compared, "pairs")):
        if name:
            file = f"doubles/{name}.{ending}"
            faults += [Fault(file, problem) for problem in _differs(store, file, name, None)]
    faults += [
        Fault("manifest.json", f"the ingestion of {location} has not finished", "", (location,))
        for location in manifest.unfinished
    ]
    return faults


def repair(store: Store, faults: list[Fault], progress: Progress = silent) -> Repair:
    """Read damaged partitions again from their sources, if these are unchanged.

    Nothing is discarded: a damaged partition that cannot be read again stays in the manifest, and
    queries refuse it, until the source or a copy of the file is restored.

    Args:
        store: The store.
        faults: The faults that `verify` found.
        progress: Called to report progress.

    Returns:
        What was repaired and what was not.
    """
    damaged = {fault.key for fault in faults if fault.key}
    with store.lock(), explained(store.location):
        for entry in list(store.manifest.sources):
            if damaged & {*entry.partitions}:
                _read_again(store, entry, damaged, progress)
        waiting = {fault.key for fault in verify(store) if fault.file.startswith("ids/")}
        if not waiting & store.manifest.counted.keys():
            reconcile(store, list(store.manifest.counted), frozenset())
        store.save()
        store.sweep()
    left = tuple(verify(store))
    still = {(fault.file, fault.key) for fault in left}
    files = {fault.key for fault in left if fault.key}
    mended = (
        fault
        for fault in faults
        if (fault.file, fault.key) not in still and not (fault.key and fault.key in files)
    )
    return Repair(tuple(mended), left)


def _read_again(store: Store, entry: SourceEntry, damaged: set[str], progress: Progress) -> None:
    """Rebuild the damaged partitions of a source, if it still exists."""
    settings, manifest = entry.settings, store.manifest
    table = settings.get("table")
    plan = Plan(
        settings["partition_size"],
        settings["limit"],
        tuple(settings["loaders"]),
        TableFormat.from_bytes(table.encode()) if table else None,
    )
    sound = frozenset(manifest.partitions.keys() - damaged)
    try:
        inputs = open_inputs(entry.path)
    except InputError:
        return  # the source is gone: its partitions are reported as not repaired
    for source in inputs:
        with closing(source):
            if absolute(source.location) != entry.path:
                continue
            total, done = plan.size(source), 0
            for partition in plan.partitions(source):
                built = build(partition, store.shelf, segment.write, plan.limit, sound)
                if built.entry and built.key in damaged:
                    old = manifest.partitions[built.key]
                    kept = None if old.emptied else built.entry.segment
                    manifest.partitions[built.key] = replace(built.entry, run=old.run, segment=kept)
                done += partition.size
                progress(reading(entry.location, done, total))


def _problems(store: Store, key: str) -> Iterator[tuple[str, str]]:
    """The faults of the files of a partition."""
    manifest = store.manifest
    entry, counted = manifest.partitions[key], manifest.counted.get(key)
    held = entry.segment
    if held:
        name = f"segments/{held.sha256}.sqlite"
        found = list(_differs(store, name, held.sha256, held.size))
        found = found or list(_inside(store, name, held))
        yield from ((name, problem) for problem in found)
    if counted and counted.view:
        name = f"segments/{counted.view}.view"
        problems = _differs(store, name, counted.view, counted.view_size)
        yield from ((name, problem) for problem in problems)
    name = f"ids/{key}.ids"
    yield from ((name, problem) for problem in _differs(store, name, entry.records, None))
    name = f"quarantine/{key}.jsonl"
    if entry.rejected:
        try:
            lines = len(store.shelf.read(name).splitlines())
            if lines != sum(entry.rejected.values()):
                yield name, f"it has {lines} of {sum(entry.rejected.values())} rejected records"
        except FileNotFoundError:
            yield name, "it is missing"


def _differs(store: Store, name: str, sha256: str, size: int | None) -> Iterator[str]:
    """Whether a file has changed since it was written."""
    digest, length = hashlib.sha256(), 0
    try:
        for block in store.shelf.blocks(name):
            digest.update(block)
            length += len(block)
    except FileNotFoundError:
        yield "it is missing"
        return
    except OSError as error:
        yield f"it cannot be read: {error}"
        return
    if size is not None and length != size:
        yield f"it has {length:,} bytes, not {size:,}"
    elif digest.hexdigest() != sha256:
        yield "its content has changed: the sha256 differs"


def _inside(store: Store, name: str, entry: SegmentEntry) -> Iterator[str]:
    """Check the integrity of a segment, and its numbers of documents and terms."""
    path = store.file(name, entry.sha256)
    try:
        with closing(segment.connect(path)) as opened:
            [(said,), *_] = opened.execute("PRAGMA integrity_check(1)").fetchall()
            if said != "ok":
                yield f"SQLite finds: {said}"
            [(documents, tokens)] = opened.execute(
                "SELECT count(*), coalesce(sum(tokens), 0) FROM documents"
            ).fetchall()
    except apsw.Error as error:
        yield f"SQLite cannot read it: {error}"
        return
    if (documents, tokens) != (entry.documents, entry.tokens):
        yield (
            f"it has {documents} documents of {tokens} terms, not {entry.documents} of "
            f"{entry.tokens}"
        )
