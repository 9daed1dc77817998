"""Ingestion: inputs into a store, partition by partition, in parallel and repeatable.

Partitions are read and written by processes, and committed in the order of the input. A store
therefore depends only on its inputs, not on the number of processes or on how often they were
stopped.
"""

import hashlib
import json
import platform
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from engram.data.files import Archive, Folder, Input, is_remote, open_inputs
from engram.errors import EngramError
from engram.policy import segment
from engram.policy.ingestion.build import Built, Write
from engram.policy.ingestion.outcome import SourceOutcome, gone_through, recorded
from engram.policy.ingestion.partition import Partition, Plan
from engram.policy.ingestion.pieces import sha256_at
from engram.policy.ingestion.reconcile import Outcome, reconcile
from engram.policy.ingestion.workers import Submit, worker_pool
from engram.policy.loader import LOADERS, TableFormat
from engram.policy.store import Doubles, PartitionEntry, SourceEntry, Store, explained
from engram.progress import Progress, Step, silent

if TYPE_CHECKING:
    from distributed import Client

PARTITION_SIZE = 16 << 20
"""Default number of bytes of input per partition."""

RECORD_LIMIT = 16 << 20
"""Default maximum length of a record, in bytes."""


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What a run added to a store.

    Args:
        documents: New documents, by type.
        rejected: Rejected records, by reason; each is in quarantine.
        partitions: Number of partitions read and committed.
        skipped: Number of partitions that were already in the store.
        sources_skipped: The inputs that were already in the store as a whole.
        text_bytes: Bytes of text of the documents read.
        updated: Documents that replaced an older version.
        unchanged: Documents that were read again and were already in the store.
        older: Documents that were read but of which the store has a newer version.
        repeated: Records that one input holds twice, or also in an older version.
        left: Documents in the store whose file is no longer in its input; they are kept unless
            `prune` is set.
        doubles: The duplicate documents of the store, each counted once.
        sources: The outcome for the files of each input, including archives in folders.
    """

    documents: dict[str, int]
    rejected: dict[str, int]
    partitions: int
    skipped: int
    sources_skipped: tuple[str, ...]
    text_bytes: int
    updated: int = 0
    unchanged: int = 0
    older: int = 0
    repeated: int = 0
    left: int = 0
    doubles: Doubles = field(default_factory=Doubles)
    sources: tuple[SourceOutcome, ...] = ()


def ingest(
    inputs: Iterable[str | Path],
    store: str | Path,
    *,
    workers: "int | str | Client | None" = None,
    loaders: Iterable[str] | None = None,
    partition_size: int = PARTITION_SIZE,
    limit: int = RECORD_LIMIT,
    table: TableFormat | None = None,
    prune: bool = False,
    progress: Progress = silent,
    write: Write = segment.write,
) -> Ingestion:
    """Read inputs into a store.

    Partitions that are already in the store are skipped; an interrupted run is continued.
    Documents are counted once all inputs have been read completely: a newer version of a document
    then replaces the older one, and a text that is in two sources is counted once; see
    `reconcile`.

    Args:
        inputs: Folders, archives (zip, tar) or files, as paths or `s3://` URLs.
        store: A folder or an `s3://` URL; made if it does not exist.
        workers: Number of local processes, or a Dask cluster: its scheduler's address or a client.
            None uses one process per available core.
        loaders: The names of the loaders to use, from `LOADERS`; None for all.
        partition_size: Bytes of input per partition.
        limit: The longest record in bytes; longer ones are rejected.
        table: How the user's own tables and texts are read; None if there are none.
        prune: Whether to remove documents whose file is no longer in its input.
        progress: Called to report progress.
        write: Writes a segment.

    Returns:
        What the run added.

    Raises:
        ValueError: If an input or a loader does not exist, or a setting is not positive.
        StoreError: If the store cannot be used.
    """
    if partition_size < 1 or limit < 1:
        raise EngramError(
            f"partition_size is {partition_size} and limit {limit}; give positive numbers of bytes"
        )
    only = tuple(LOADERS) if loaders is None else tuple(loaders)
    if not only or not set(only) <= set(LOADERS):
        raise EngramError(f"loaders are {only}; give some of {', '.join(LOADERS)}")
    opened = [source for name in inputs for source in open_inputs(str(name))]
    target = Store(store, create=True)
    with target.lock(), explained(target.location):
        target.sweep()
        with worker_pool(workers) as (submit, width):
            run = _Run(target, submit, width, progress, write)
            for source in opened:
                with closing(source):
                    run.read(source, Plan(partition_size, limit, only, table))
        run.finish(prune)
    return run.summary()


class _Run:
    """State of one ingestion, shared between its sources."""

    def __init__(
        self,
        store: Store,
        submit: Submit,
        width: int,
        progress: Progress,
        write: Write,
    ) -> None:
        self._store = store
        self._submit = submit
        self._width = width
        self._progress = progress
        self._write = write
        partitions = store.manifest.partitions
        self._last = max((entry.run for entry in partitions.values()), default=0)
        self._known = frozenset(key for key in partitions if self._there(key))
        waiting = partitions.keys() - store.manifest.counted.keys()
        self._number = self._last + (not waiting)
        self._changed = bool(waiting or store.manifest.unfinished)
        self._outcome = Outcome()
        self._closed: set[str] = set()
        self._added: list[PartitionEntry] = []
        self._skipped = 0
        self._sources_skipped: list[str] = []
        self._outcomes: list[SourceOutcome] = []

    def read(self, source: Input, plan: Plan) -> None:
        """Ingest one input into the store."""
        settings: dict[str, Any] = {
            "partition_size": plan.partition_size,
            "limit": plan.limit,
            "loaders": list(plan.only),
        }
        if plan.table is not None:
            settings["table"] = plan.table.to_bytes().decode()
        sha256 = sha256_at(source.location) if isinstance(source, Archive) else None
        if sha256 and self._has(sha256, settings):
            self._sources_skipped.append(source.location)
            entry = self._read_again(sha256, settings)
            self._outcomes.append(recorded(source.location, entry, self._store.unread(entry)))
            return
        total, done, keys, before = plan.size(source), 0, [], len(self._added)
        self._progress(reading(source.location, 0, total))
        for partition, built in self._built(source, plan):
            if built.key:
                keys.append(self._commit(source.location, built))
            done += partition.size
            self._progress(reading(source.location, done, total))
        self._close(source, plan, settings, sha256, keys, total)
        fresh = len(self._added) > before
        outcome = gone_through(
            source.location, plan, "read" if fresh or not keys else "already there"
        )
        if outcome.status != "empty" or isinstance(source, Archive) or not source.archives:
            self._outcomes.append(outcome)

    def finish(self, prune: bool) -> None:
        """Decide what is counted, once all inputs have been read."""
        manifest = self._store.manifest
        named = {key for source in manifest.sources for key in source.partitions}
        left = manifest.counted.keys() - named
        if not (self._changed or (prune and left)):
            return
        keys = [
            key
            for key in manifest.partitions
            if key in named or (key in manifest.counted and not prune)
        ]
        if prune:
            for key in left:
                gone = manifest.partitions.pop(key)
                manifest.retired += [gone.segment.sha256] if gone.segment else []
        self._outcome = reconcile(self._store, keys, frozenset(entry.key for entry in self._added))
        manifest.unfinished = [one for one in manifest.unfinished if one not in self._closed]
        waiting = manifest.partitions.keys() - manifest.counted.keys()
        if not waiting:
            manifest.unfinished = []
        elif not manifest.unfinished:  # partitions of inputs that have changed since
            for key in waiting:
                del manifest.partitions[key]
        self._save()
        self._store.sweep()

    def summary(self) -> Ingestion:
        """What was added."""
        rejected: Counter[str] = Counter()
        for entry in self._added:
            rejected.update(entry.rejected)
        found = self._outcome
        return Ingestion(
            found.documents,
            dict(sorted(rejected.items())),
            len(self._added),
            self._skipped,
            tuple(self._sources_skipped),
            sum(entry.segment.text_bytes for entry in self._added if entry.segment),
            updated=found.updated,
            unchanged=found.unchanged,
            older=found.older,
            repeated=sum(entry.repeated for entry in self._added),
            left=found.left,
            doubles=self._store.manifest.doubles,
            sources=tuple(self._outcomes),
        )

    def _has(self, sha256: str, settings: dict[str, Any]) -> bool:
        return self._recorded_as(sha256, settings) is not None

    def _recorded_as(self, sha256: str, settings: dict[str, Any]) -> SourceEntry | None:
        """The store's entry of an input whose partitions are all present."""
        for entry in self._store.manifest.sources:
            if entry.sha256 == sha256 and entry.settings == settings:
                return entry if all(map(self._there, entry.partitions)) else None
        return None

    def _there(self, key: str) -> bool:
        """Whether a partition need not be read again."""
        entry = self._store.manifest.partitions.get(key)
        return entry is not None and not (entry.emptied and entry.run < self._last)

    def _read_again(self, sha256: str, settings: dict[str, Any]) -> SourceEntry:
        entry = self._recorded_as(sha256, settings)
        assert entry is not None, "the input is there"
        for key in entry.partitions:
            self._renew(key)
        return entry

    def _renew(self, key: str) -> None:
        """Record that a partition was also read in this run, if others have been read since."""
        entry = self._store.manifest.partitions[key]
        if entry.run < self._last:
            self._store.manifest.partitions[key] = replace(entry, run=self._number)
            self._changed = True

    def _built(self, source: Input, plan: Plan) -> Iterator[tuple[Partition, Built]]:
        """Yield each partition and its result in order, with a bounded number in progress."""
        under_way: deque[tuple[Partition, Future[Built]]] = deque()
        arguments = (self._store.shelf, self._write, plan.limit, self._known)
        for partition in plan.partitions(source):
            under_way.append((partition, self._submit(partition, *arguments)))
            if len(under_way) >= self._width:
                first, future = under_way.popleft()
                yield first, future.result()
        for first, future in under_way:
            yield first, future.result()

    def _commit(self, location: str, built: Built) -> str:
        """Add a partition to the manifest; it is counted when the run has finished."""
        manifest = self._store.manifest
        if built.entry is None or built.key in {entry.key for entry in self._added}:
            self._skipped += 1
            self._renew(built.key)
            return built.key
        entry = replace(built.entry, run=self._number)
        manifest.partitions[built.key] = entry
        if location not in manifest.unfinished:
            manifest.unfinished.append(location)
        self._added.append(entry)
        self._changed = True
        self._save()
        return built.key

    def _close(
        self,
        source: Input,
        plan: Plan,
        settings: dict[str, Any],
        sha256: str | None,
        keys: list[str],
        size: int,
    ) -> None:
        """Record that an input has been read completely."""
        self._closed.add(source.location)
        unread = dict(plan.unread)
        listed = [json.dumps({"name": one.name, "reason": one.reason}) for one in plan.left_out]
        tree = sha256 or hashlib.sha256("\n".join((*keys, *listed)).encode()).hexdigest()
        if not plan.files and isinstance(source, Folder) and not unread:
            return  # a folder of archives
        if not self._has(tree, settings):
            if listed:
                self._store.shelf.write(f"unread/{tree}.jsonl", "\n".join(listed).encode())
            path = absolute(source.location)
            manifest = self._store.manifest
            manifest.sources = [
                entry
                for entry in manifest.sources
                if (entry.path, entry.settings) != (path, settings)
            ]
            manifest.sources.append(
                SourceEntry(source.location, tree, settings, size, plan.files, unread, keys, path)
            )
            self._changed = True
            self._save()

    def _save(self) -> None:
        manifest = self._store.manifest
        manifest.updated = datetime.now(UTC).isoformat(timespec="seconds")
        manifest.created = manifest.created or manifest.updated
        manifest.versions = {
            "engram": version("engram"),
            "python": platform.python_version(),
            "apsw": version("apsw"),
            "sqlite": apsw.sqlite_lib_version(),
        }
        self._store.save()


def absolute(location: str) -> str:
    """A location that does not depend on the working directory.

    Args:
        location: A path or URL.
    """
    return location if is_remote(location) else str(Path(location).absolute())


def reading(location: str, done: int, total: int) -> Step:
    """The progress of reading an input.

    Args:
        location: The input.
        done: Bytes that have been read.
        total: Bytes that it has.
    """
    return Step(location, done, total, "bytes", Path(location).name)
