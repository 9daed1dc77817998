"""Ingestion: inputs into a store, partition by partition, in parallel, and again without harm.

Partitions are read and written by processes, and committed in the order of the input. So a store
depends only on what went in: not on how many processes there were, nor on how often they were
stopped.
"""

import hashlib
import json
import platform
import sqlite3
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from engram.policy.ingestion.archive import Archive
from engram.policy.ingestion.build import ID_BYTES, Built, Write, build
from engram.policy.ingestion.inputs import Folder, Input, open_inputs, sha256_at
from engram.policy.ingestion.partition import Partition, Plan, kind_of_name
from engram.policy.ingestion.workers import Submit, worker_pool
from engram.policy.loader import LOADERS, TableFormat
from engram.policy.store import PartitionEntry, SourceEntry, Store

if TYPE_CHECKING:
    from distributed import Client

PARTITION_SIZE = 16 << 20
"""Bytes of input a partition, unless told otherwise."""

RECORD_LIMIT = 16 << 20
"""The longest record that is read, in bytes, unless told otherwise."""

Progress = Callable[[str, int, int | None], None]
"""Called with the input's location, the bytes that are done, and the bytes in all."""


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """What became of the files of one input.

    Args:
        location: its path or URL, as given.
        status: "read" if anything is new, "already there" if all that is read is in the store,
            "nothing readable" if no loader reads any of its files, "empty" if it has none.
        files: how many files and members the loaders read, superseded ones included.
        beside: how many are read together with others, as tables of speakers are.
        superseded: how many have a better form beside them, which is read instead.
        unread: how many are not read, by reason.
        kinds: how many are not read, by the ending of their names.
    """

    location: str
    status: str
    files: int
    beside: int
    superseded: int
    unread: dict[str, int]
    kinds: dict[str, int]


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What one run added to a store.

    Args:
        documents: accepted documents, by type.
        rejected: rejected records, by reason; each is in quarantine.
        partitions: how many partitions were read and committed.
        skipped: how many were already there.
        sources_skipped: the inputs that were already there as a whole.
        text_bytes: how many bytes of text the accepted documents have.
        sources: what became of the files of each input, archives in folders included.
    """

    documents: dict[str, int]
    rejected: dict[str, int]
    partitions: int
    skipped: int
    sources_skipped: tuple[str, ...]
    text_bytes: int
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
    progress: Progress | None = None,
    write: Write | None = None,
) -> Ingestion:
    """Read inputs into a store.

    What is already in the store is skipped; what an earlier run left undone is done. Of two
    documents with one id, the first in the order of the input is kept, over all runs.

    Args:
        inputs: folders, archives (zip, tar) or files, as paths or `s3://` URLs.
        store: a folder or an `s3://` URL; made if it is not there.
        workers: how many local processes, or a Dask cluster: its scheduler's address or a client.
            None takes as many processes as this one may use cores.
        loaders: the names of the loaders to use, from `LOADERS`; None for all.
        partition_size: bytes of input a partition.
        limit: the longest record in bytes; longer ones are rejected.
        table: how tables and texts of one's own are read; without it no loader reads them.
        progress: told how far it is.
        write: writes a segment; None for this package's own.

    Returns:
        What this run added.

    Raises:
        ValueError: if an input or a loader is not there, or a setting is not positive.
        StoreError: if the store cannot be used.
    """
    if partition_size < 1 or limit < 1:
        raise ValueError(
            f"partition_size is {partition_size} and limit {limit}; give positive numbers of bytes"
        )
    only = tuple(LOADERS) if loaders is None else tuple(loaders)
    if not only or not set(only) <= set(LOADERS):
        raise ValueError(f"loaders are {only}; give some of {', '.join(LOADERS)}")
    make = Plan(partition_size, limit, only, table)
    opened = [source for name in inputs for source in open_inputs(str(name), make.beside)]
    target = Store(store, create=True)
    with target.lock():
        target.sweep()
        with worker_pool(workers) as (submit, width), _Ids(target) as ids:
            run = _Run(target, ids, submit, width, progress or _silent, write or _own_writer())
            for source in opened:
                with closing(source):
                    run.read(source, Plan(partition_size, limit, only, table))
    return run.summary()


class _Run:
    """One ingestion: what it shares between its sources."""

    def __init__(
        self,
        store: Store,
        ids: "_Ids",
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
        self._known = frozenset(store.manifest.partitions)
        self._ids = ids
        self._added: list[PartitionEntry] = []
        self._skipped = 0
        self._sources_skipped: list[str] = []
        self._outcomes: list[SourceOutcome] = []

    def read(self, source: Input, plan: Plan) -> None:
        """Bring one input into the store."""
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
            self._outcomes.append(self._recorded(source.location, sha256, settings))
            return
        total, done, keys, before = plan.size(source), 0, [], len(self._added)
        self._progress(source.location, 0, total)
        for partition, built in self._built(source, plan):
            if built.key:
                keys.append(self._commit(partition, built, plan.limit))
            done += partition.size
            self._progress(source.location, done, total)
        self._close(source, plan, settings, sha256, keys, total)
        fresh = len(self._added) > before
        outcome = _outcome(source.location, plan, "read" if fresh or not keys else "already there")
        if outcome.status != "empty" or isinstance(source, Archive) or not source.archives:
            self._outcomes.append(outcome)

    def summary(self) -> Ingestion:
        """What was added."""
        documents: Counter[str] = Counter()
        rejected: Counter[str] = Counter()
        for entry in self._added:
            documents.update(entry.doc_types)
            rejected.update(entry.rejected)
        return Ingestion(
            dict(sorted(documents.items())),
            dict(sorted(rejected.items())),
            len(self._added),
            self._skipped,
            tuple(self._sources_skipped),
            sum(entry.segment.text_bytes for entry in self._added if entry.segment),
            tuple(self._outcomes),
        )

    def _has(self, sha256: str, settings: dict[str, Any]) -> bool:
        return any(
            entry.sha256 == sha256 and entry.settings == settings
            for entry in self._store.manifest.sources
        )

    def _recorded(self, location: str, sha256: str, settings: dict[str, Any]) -> SourceOutcome:
        """What the store says of an input that it holds as a whole."""
        entry = next(
            entry
            for entry in self._store.manifest.sources
            if entry.sha256 == sha256 and entry.settings == settings
        )
        reasons: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        for one in self._store.unread(entry):
            reasons[one["reason"]] += 1
            kinds[kind_of_name(one["name"])] += 1
        status = "already there" if entry.files else "nothing readable" if kinds else "empty"
        return SourceOutcome(location, status, entry.files, 0, 0, {**reasons}, {**kinds})

    def _built(self, source: Input, plan: Plan) -> Iterator[tuple[Partition, Built]]:
        """Each partition and what was made of it, in order, with a bounded number under way."""
        under_way: deque[tuple[Partition, Future[Built]]] = deque()
        arguments = (self._store.shelf, self._write, plan.limit, self._known)
        for partition in plan.partitions(source):
            under_way.append((partition, self._submit(partition, *arguments)))
            if len(under_way) >= self._width:
                first, future = under_way.popleft()
                yield first, future.result()
        for first, future in under_way:
            yield first, future.result()

    def _commit(self, partition: Partition, built: Built, limit: int) -> str:
        """Put a partition into the manifest, without what earlier ones hold already."""
        if built.key in self._store.manifest.partitions:
            self._skipped += 1
            return built.key
        assert built.entry is not None, "a partition that is not known was built"
        twice = self._ids.add(built.ids)
        if twice:
            if built.entry.segment:
                self._store.shelf.remove(f"segments/{built.entry.segment.sha256}.sqlite")
            arguments = (self._store.shelf, self._write, limit, frozenset())
            built = build(partition, *arguments, exclude=frozenset(twice))
            assert built.entry is not None
        self._store.manifest.partitions[built.key] = built.entry
        self._added.append(built.entry)
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
        """Record that an input has been read to its end."""
        unread = dict(plan.unread)
        listed = [json.dumps({"name": one.name, "reason": one.reason}) for one in plan.left_out]
        tree = sha256 or hashlib.sha256("\n".join((*keys, *listed)).encode()).hexdigest()
        if not plan.files and isinstance(source, Folder) and not unread:
            return  # a folder of archives
        if not self._has(tree, settings):
            if listed:
                self._store.shelf.write(f"unread/{tree}.jsonl", "\n".join(listed).encode())
            self._store.manifest.sources.append(
                SourceEntry(source.location, tree, settings, size, plan.files, unread, keys)
            )
            self._save()

    def _save(self) -> None:
        manifest = self._store.manifest
        manifest.updated = datetime.now(UTC).isoformat(timespec="seconds")
        manifest.created = manifest.created or manifest.updated
        manifest.versions = {
            "engram": version("engram"),
            "python": platform.python_version(),
            "apsw": version("apsw"),
            "sqlite": sqlite3.sqlite_version,
        }
        self._store.save()


class _Ids:
    """The ids that the store holds, on disk, so that memory does not grow with them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = tempfile.TemporaryDirectory(prefix="engram-")
        self._table: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._table is not None:
            self._table.close()
        self._folder.cleanup()

    def add(self, ids: bytes) -> list[bytes]:
        """Add hashes; those that were there already are returned."""
        if self._table is None:
            self._table = self._open()
        return self._insert(self._table, ids)

    def _open(self) -> sqlite3.Connection:
        table = sqlite3.connect(Path(self._folder.name) / "ids.sqlite", isolation_level=None)
        table.execute("PRAGMA journal_mode = OFF")
        table.execute("PRAGMA synchronous = OFF")
        table.execute("CREATE TABLE ids (id BLOB PRIMARY KEY) WITHOUT ROWID")
        for key in self._store.manifest.partitions:
            self._insert(table, self._store.shelf.read(f"ids/{key}.ids"))
        return table

    @staticmethod
    def _insert(table: sqlite3.Connection, ids: bytes) -> list[bytes]:
        twice = []
        table.execute("BEGIN")
        for start in range(0, len(ids), ID_BYTES):
            one = ids[start : start + ID_BYTES]
            if not table.execute("INSERT OR IGNORE INTO ids VALUES (?)", (one,)).rowcount:
                twice.append(one)
        table.execute("COMMIT")
        return twice


def _outcome(location: str, plan: Plan, status: str) -> SourceOutcome:
    """What became of the files of an input that has been gone through."""
    reasons = Counter(one.reason for one in plan.left_out)
    kinds = Counter(kind_of_name(one.name) for one in plan.left_out)
    if not plan.files:
        status = "nothing readable" if plan.left_out else "empty"
    counts = (plan.files, plan.beside_others, plan.superseded)
    return SourceOutcome(location, status, *counts, dict(reasons), dict(kinds))


def _own_writer() -> Write:
    from engram.policy.embedded import segment  # noqa: PLC0415 - loads the analyzer and SQLite

    return segment.write


def _silent(name: str, done: int, total: int | None) -> None:
    pass
