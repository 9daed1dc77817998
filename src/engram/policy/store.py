"""Store: the segments of a record and their manifest, in a folder or under an s3:// URL.

What counts is `manifest.json`. Everything else is written whole under a name that its content or
its input gives it, before the manifest names it; so that a process that is killed leaves the store
as its manifest says, and files that nothing names, which the next ingestion removes.
"""

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from platformdirs import user_cache_path

FORMAT = 1
"""The version of the layout; a store of another one is refused."""

_MANIFEST = "manifest.json"
_LOCK = ".lock"
_FOLDERS = ("segments", "quarantine", "ids", "unread", "drafts")


class StoreError(ValueError):
    """A store that cannot be opened, read or written; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment of the store.

    Args:
        sha256: the hash of the file, which is its name.
        size: its length in bytes.
        documents: how many documents it holds.
        tokens: how many tokens they have.
        text_bytes: how many bytes their text has in UTF-8.
    """

    sha256: str
    size: int
    documents: int
    tokens: int
    text_bytes: int


@dataclass(frozen=True, slots=True)
class PartitionEntry:
    """A partition that has been read.

    Args:
        key: names what it read, by content.
        loader: the loader that read it.
        bytes: how many bytes it read.
        segment: the segment it made; None if nothing was accepted.
        doc_types: how many documents of each type were accepted.
        rejected: how many records were rejected, by reason.
    """

    key: str
    loader: str
    bytes: int
    segment: SegmentEntry | None
    doc_types: dict[str, int]
    rejected: dict[str, int]


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """An input that has been read to its end.

    Args:
        location: its path or URL, as given.
        sha256: the hash of the archive or file; of a folder, that of what was read in it.
        settings: what decides how it is divided.
        bytes: how many bytes the loaders read.
        files: how many files they read.
        unread: files that no loader reads: the first few names, and how many others.
        partitions: the keys of its partitions, in order.
    """

    location: str
    sha256: str
    settings: dict[str, Any]
    bytes: int
    files: int
    unread: dict[str, int]
    partitions: list[str]


@dataclass
class Manifest:
    """What a store holds, and where it came from."""

    format: int = FORMAT
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    updated: str = ""
    sources: list[SourceEntry] = field(default_factory=list)
    partitions: dict[str, PartitionEntry] = field(default_factory=dict)

    @property
    def segments(self) -> list[SegmentEntry]:
        """The segments, in the order in which they were committed."""
        return [entry.segment for entry in self.partitions.values() if entry.segment]

    @property
    def documents(self) -> dict[str, int]:
        """How many documents there are, by type."""
        return _sum(entry.doc_types for entry in self.partitions.values())

    @property
    def rejected(self) -> dict[str, int]:
        """How many records were rejected, by reason."""
        return _sum(entry.rejected for entry in self.partitions.values())

    def to_json(self) -> str:
        """The manifest as text, totals included."""
        totals = {
            "documents": self.documents,
            "rejected": self.rejected,
            "tokens": sum(segment.tokens for segment in self.segments),
            "segments": len(self.segments),
            "size": sum(segment.size for segment in self.segments),
        }
        whole = asdict(self) | {"partitions": [asdict(e) for e in self.partitions.values()]}
        return json.dumps({"totals": totals} | whole, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest that a text holds."""
        whole = json.loads(text)
        whole.pop("totals", None)
        entries = [
            PartitionEntry(
                **entry | {"segment": entry["segment"] and SegmentEntry(**entry["segment"])}
            )
            for entry in whole.pop("partitions")
        ]
        sources = [SourceEntry(**entry) for entry in whole.pop("sources")]
        return cls(**whole, sources=sources, partitions={entry.key: entry for entry in entries})


class Shelf:
    """A folder or bucket in which files are put whole; what a worker is given of a store.

    Args:
        location: a path or URL.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._fs, self._root = url_to_fs(location, use_listings_cache=False)
        self.local = isinstance(self._fs, LocalFileSystem)

    def __reduce__(self) -> tuple[type["Shelf"], tuple[str]]:
        return Shelf, (self.location,)

    def path(self, name: str) -> str:
        """Where a file stands in its file system."""
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """A local path for a file that is being written; gone afterwards, unless moved."""
        if self.local:
            folder = Path(self.path("drafts"))
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = Path(tempfile.gettempdir())
        draft = folder / f"{uuid4().hex}.sqlite"
        try:
            yield draft
        finally:
            for left in folder.glob(f"{draft.name}*"):  # SQLite may leave a journal beside it
                left.unlink(missing_ok=True)

    def put(self, draft: Path, name: str) -> None:
        """Give a finished draft its name, on disk or in the bucket."""
        if not self.local:
            self._fs.put_file(str(draft), self.path(name))
            return
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(target)

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that it is there whole or not at all."""
        if not self.local:
            self._fs.pipe_file(self.path(name), content)
            return
        with self.draft() as draft:
            draft.write_bytes(content)
            self.put(draft, name)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return self._fs.cat_file(self.path(name))

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to a local path."""
        self._fs.get_file(self.path(name), str(target))

    def names(self, folder: str = "") -> list[str]:
        """The names in a folder, sorted; none if it is not there."""
        try:
            infos = self._fs.ls(self.path(folder).rstrip("/"), detail=False)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in infos)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self._fs.exists(self.path(name)):
            self._fs.rm_file(self.path(name))


class Store:
    """A record that has been ingested.

    Args:
        location: a folder or an `s3://` URL.
        create: whether to make it, if it is not there.

    Raises:
        StoreError: if there is no store there, or one of another format.
    """

    def __init__(self, location: str | Path, create: bool = False) -> None:
        self.location = str(location)
        self.shelf = Shelf(self.location)
        self.manifest = self._open(create)

    def segments(self) -> list[Path]:
        """The segments as local files; of a remote store, fetched once into the user's cache.

        Raises:
            StoreError: if one is missing or is not what the manifest says.
        """
        return [self._local(segment) for segment in self.manifest.segments]

    def rejections(self) -> Iterator[dict[str, str]]:
        """What is in quarantine: reason, detail, origin, excerpt and source of each."""
        for key, entry in self.manifest.partitions.items():
            if entry.rejected:
                for line in self.shelf.read(f"quarantine/{key}.jsonl").splitlines():
                    yield json.loads(line)

    def unread(self, source: SourceEntry) -> Iterator[dict[str, str]]:
        """The files of an input that are not read: the name and the reason of each."""
        name = f"{source.sha256}.jsonl"
        if name in self.shelf.names("unread"):
            for line in self.shelf.read(f"unread/{name}").splitlines():
                yield json.loads(line)
            return
        for name, count in source.unread.items():  # as earlier versions kept them
            yield {"name": name, "reason": f"not recorded ({count})"}

    def save(self) -> None:
        """Write the manifest; from then on the store holds what it names."""
        self.shelf.write(_MANIFEST, self.manifest.to_json().encode())

    def sweep(self) -> None:
        """Remove the files that the manifest does not name, left by a process that was killed."""
        partitions = self.manifest.partitions
        named = {
            "segments": {f"{segment.sha256}.sqlite" for segment in self.manifest.segments},
            "quarantine": {f"{key}.jsonl" for key in partitions},
            "ids": {f"{key}.ids" for key in partitions},
            "unread": {f"{source.sha256}.jsonl" for source in self.manifest.sources},
            "drafts": set(),
        }
        for folder in _FOLDERS:
            for name in self.shelf.names(folder):
                if name not in named[folder]:
                    self.shelf.remove(f"{folder}/{name}")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes of this machine from ingesting into the store meanwhile.

        Raises:
            StoreError: if one is at it.
        """
        if not self.shelf.local:
            yield
            return
        lock = FileLock(self.shelf.path(_LOCK))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"another process is ingesting into {self.location}; wait until it has finished"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _open(self, create: bool) -> Manifest:
        names = self.shelf.names()
        if _MANIFEST in names:
            return self._load()
        if not create:
            raise StoreError(f"{self.location} holds no {_MANIFEST}: name a store, or ingest first")
        strange = [name for name in names if name not in (*_FOLDERS, _LOCK)]
        if strange:
            raise StoreError(
                f"{self.location} is not a store and holds {strange[0]!r}; name a new or empty "
                "folder"
            )
        if self.shelf.local:
            Path(self.shelf.path("")).mkdir(parents=True, exist_ok=True)
        return Manifest()

    def _load(self) -> Manifest:
        text = self.shelf.read(_MANIFEST)
        try:
            found = json.loads(text).get("format")
            if found != FORMAT:
                raise StoreError(
                    f"{self.location} is a store of format {found}, this version reads {FORMAT}; "
                    "ingest again into a new folder"
                )
            return Manifest.from_json(text.decode())
        except (LookupError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise StoreError(
                f"{self.location}/{_MANIFEST} is damaged ({error}); put back a copy, or ingest "
                "again into a new folder"
            ) from error

    def _local(self, segment: SegmentEntry) -> Path:
        name = f"segments/{segment.sha256}.sqlite"
        if self.shelf.local:
            path = Path(self.shelf.path(name))
            if not path.exists() or path.stat().st_size != segment.size:
                raise StoreError(
                    f"{path} is missing or damaged; put back a copy, or ingest again into a new "
                    "folder"
                )
            return path
        cache = user_cache_path("engram", appauthor=False) / "policy"
        cache.mkdir(parents=True, exist_ok=True)
        target = cache / f"{segment.sha256}.sqlite"
        with FileLock(cache / f"{segment.sha256}.lock"):
            if not target.exists():
                part = cache / f"{segment.sha256}.part"
                self.shelf.fetch(name, part)
                with part.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != segment.sha256:
                    part.unlink()
                    raise StoreError(
                        f"{self.location}/{name} is damaged: its sha256 is {found}; put back a copy"
                    )
                part.replace(target)
        return target


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
