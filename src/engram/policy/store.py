"""Store: the segments of a record and their manifest, in a folder or under an s3:// URL.

What counts is `manifest.json`. Everything else is written whole under a name that its content or
its input gives it, before the manifest names it; so that a process that is killed leaves the store
as its manifest says, and files that nothing names, which the next ingestion removes.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from platformdirs import user_cache_path

FORMAT = 2
"""The version of the layout; a store of another one is refused."""

_MANIFEST = "manifest.json"
_LOCK = ".lock"
_FOLDERS = ("segments", "quarantine", "ids", "doubles", "unread", "drafts")
_STAMPS = "stamps.json"


_SHOWN = ("documents", "tokens", "view", "view_size")


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
        view: the hash of the file that says which of its documents count and under which names;
            empty if all count as they are.
        view_size: the length of that file in bytes.
    """

    sha256: str
    size: int
    documents: int
    tokens: int
    text_bytes: int
    view: str = ""
    view_size: int = 0

    @property
    def name(self) -> str:
        """Names the documents that count and what they say: "sha256" or "sha256-view"."""
        return f"{self.sha256}-{self.view}" if self.view else self.sha256


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
        run: the number of the ingestion that read it last.
        repeated: records that it holds twice, or in an older version, and that were left out.
        records: the hash of the file with its records of identity.
    """

    key: str
    loader: str
    bytes: int
    segment: SegmentEntry | None
    doc_types: dict[str, int]
    rejected: dict[str, int]
    run: int = 1
    repeated: int = 0
    records: str = ""

    @property
    def emptied(self) -> bool:
        """Whether all of its documents have a newer version, so that its segment is gone."""
        return self.segment is None and bool(self.doc_types)


@dataclass(frozen=True, slots=True)
class Counted:
    """What of a partition counts, after versions and doubles have been decided.

    Args:
        documents: how many documents.
        tokens: how many tokens they have.
        doc_types: how many documents of each type.
        view: the hash of the segment's view; empty if it has none.
        view_size: the view's length in bytes.
    """

    documents: int
    tokens: int
    doc_types: dict[str, int]
    view: str = ""
    view_size: int = 0


@dataclass(frozen=True, slots=True)
class Doubles:
    """The documents that are in the store more than once, each counted once.

    Args:
        two_sources: documents that two sources or more have.
        one_source: documents that one source has twice.
        listed: the hash of the file that lists the doubles; empty if there are none.
        compared: the hash of the file that holds the comparisons of texts.
    """

    two_sources: int = 0
    one_source: int = 0
    listed: str = ""
    compared: str = ""

    def describe(self) -> list[str]:
        """What a reader of an answer must know."""
        notes = []
        if self.two_sources:
            notes.append(
                f"{self.two_sources:,} documents are in two sources or more; each is counted once."
            )
        if self.one_source:
            notes.append(f"{self.one_source:,} documents are twice in one source; counted once.")
        return notes


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
        path: the location as an absolute path or URL.
    """

    location: str
    sha256: str
    settings: dict[str, Any]
    bytes: int
    files: int
    unread: dict[str, int]
    partitions: list[str]
    path: str = ""


@dataclass
class Manifest:
    """What a store holds, and where it came from.

    Args:
        format: the version of the layout.
        versions: of the software that wrote it.
        created: when.
        updated: when it was last changed.
        sources: the inputs that have been read to their end.
        partitions: by key, what has been read; what is not in `counted` waits for its input's end.
        counted: by key of a partition, what of it counts.
        doubles: the documents that are in the store more than once.
        unfinished: the inputs whose ingestion has not finished.
        retired: segments that the store held once and were replaced as a whole.
    """

    format: int = FORMAT
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    updated: str = ""
    sources: list[SourceEntry] = field(default_factory=list)
    partitions: dict[str, PartitionEntry] = field(default_factory=dict)
    counted: dict[str, Counted] = field(default_factory=dict)
    doubles: Doubles = field(default_factory=Doubles)
    unfinished: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)

    @property
    def segments(self) -> list[SegmentEntry]:
        """The segments that have documents that count, in the order of their commitment.

        Their documents and tokens are those that count.
        """
        found = []
        for key, counted in self.counted.items():
            segment = self.partitions[key].segment
            if segment and counted.documents:
                shown = {name: getattr(counted, name) for name in _SHOWN}
                found.append(replace(segment, **shown))
        return found

    @property
    def documents(self) -> dict[str, int]:
        """How many documents there are, by type."""
        return _sum(counted.doc_types for counted in self.counted.values())

    @property
    def rejected(self) -> dict[str, int]:
        """How many records were rejected, by reason, in the inputs as they were read last."""
        return _sum(self.partitions[key].rejected for key in self.current)

    @property
    def current(self) -> list[str]:
        """The keys of the partitions that the sources had when they were read last."""
        named = {key for source in self.sources for key in source.partitions}
        return [key for key in self.counted if key in named]

    def notes(self) -> list[str]:
        """What a reader of an answer must know of the store, a sentence each."""
        notes = self.doubles.describe()
        if self.unfinished:
            notes.append(
                f"The ingestion of {', '.join(self.unfinished)} has not finished, and nothing that "
                "it reads is counted yet; run it again if it was interrupted."
            )
        return notes

    def to_json(self) -> str:
        """The manifest as text, totals included."""
        totals = {
            "documents": self.documents,
            "rejected": self.rejected,
            "tokens": sum(segment.tokens for segment in self.segments),
            "segments": len(self.segments),
            "size": sum(segment.size + segment.view_size for segment in self.segments),
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
        counted = {key: Counted(**entry) for key, entry in whole.pop("counted").items()}
        return cls(
            **whole | {"doubles": Doubles(**whole["doubles"])},
            sources=sources,
            partitions={entry.key: entry for entry in entries},
            counted=counted,
        )


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

    def blocks(self, name: str) -> Iterator[bytes]:
        """The content of a file, block by block."""
        with self._fs.open(self.path(name), "rb") as file:
            while block := file.read(1 << 20):
                yield block

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

        A segment of which not everything counts is given as its view, which lies beside it. A file
        whose size or time of modification is not as when it was last hashed is hashed again.

        Raises:
            StoreError: if one is missing or is not what the manifest says.
        """
        entries = self.manifest.segments
        with Stamps(self.shelf) as stamps:
            return [self._local(entry, stamps) for entry in entries]

    def file(self, name: str, sha256: str) -> Path:
        """A file of the store as a local one, fetched if the store is remote.

        Args:
            name: its name in the store.
            sha256: its hash.
        """
        return Path(self.shelf.path(name)) if self.shelf.local else self._fetched(name, sha256)

    def rejections(self) -> Iterator[dict[str, str]]:
        """What is in quarantine: reason, detail, origin, excerpt and source of each."""
        for key in self.manifest.current:
            if self.manifest.partitions[key].rejected:
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

    def doubles(self) -> Iterator[dict[str, Any]]:
        """The documents that are in the store more than once: which is kept, which is not, why."""
        if self.manifest.doubles.listed:
            name = f"doubles/{self.manifest.doubles.listed}.jsonl"
            for line in self.shelf.read(name).splitlines():
                yield json.loads(line)

    def save(self) -> None:
        """Write the manifest; from then on the store holds what it names."""
        self.shelf.write(_MANIFEST, self.manifest.to_json().encode())

    def sweep(self) -> None:
        """Remove the files that the manifest does not name, left by a process that was killed."""
        partitions = self.manifest.partitions
        named = {
            "segments": {
                *(f"{e.segment.sha256}.sqlite" for e in partitions.values() if e.segment),
                *(f"{one.view}.view" for one in self.manifest.counted.values() if one.view),
            },
            "quarantine": {f"{key}.jsonl" for key in partitions},
            "ids": {f"{key}.ids" for key in partitions},
            "unread": {f"{source.sha256}.jsonl" for source in self.manifest.sources},
            "doubles": {
                f"{self.manifest.doubles.listed}.jsonl",
                f"{self.manifest.doubles.compared}.pairs",
            },
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
            with explained(self.location):
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
        strange = [name for name in names if name not in (*_FOLDERS, _LOCK, _STAMPS)]
        if strange:
            raise StoreError(
                f"{self.location} is not a store and holds {strange[0]!r}; name a new or empty "
                "folder"
            )
        if self.shelf.local:
            with explained(self.location):
                Path(self.shelf.path("")).mkdir(parents=True, exist_ok=True)
        return Manifest()

    def _load(self) -> Manifest:
        text = self.shelf.read(_MANIFEST)
        try:
            found = json.loads(text).get("format")
            if found != FORMAT:
                raise StoreError(
                    f"{self.location} is a store of format {found}, this version reads {FORMAT}; "
                    "ingest its sources again into a new folder"
                )
            return Manifest.from_json(text.decode())
        except (LookupError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise StoreError(
                f"{self.location}/{_MANIFEST} is damaged ({error}); put back a copy, or ingest "
                "again into a new folder"
            ) from error

    def _local(self, segment: SegmentEntry, stamps: "Stamps") -> Path:
        """A segment, or its view, with the segment beside it."""
        files = [(f"{segment.sha256}.sqlite", segment.sha256, segment.size)]
        if segment.view:
            files.append((f"{segment.view}.view", segment.view, segment.view_size))
        for name, sha256, size in files:
            path = self.file(f"segments/{name}", sha256)
            if self.shelf.local and not stamps.sound(path, sha256, size):
                raise StoreError(
                    f"{path} is missing or damaged: it is not the file that was ingested; run "
                    f"engram policy verify --repair --store {self.location}, or put back a copy"
                )
        return path

    def _fetched(self, name: str, sha256: str) -> Path:
        cache = user_cache_path("engram", appauthor=False) / "policy"
        cache.mkdir(parents=True, exist_ok=True)
        target = cache / name.rpartition("/")[2]
        with FileLock(cache / f"{sha256}.lock"):
            if not target.exists():
                part = cache / f"{sha256}.part"
                self.shelf.fetch(name, part)
                found = sha256_of(part)
                if found != sha256:
                    part.unlink()
                    raise StoreError(
                        f"{self.location}/{name} is damaged: its sha256 is {found}; put back a copy"
                    )
                part.replace(target)
        return target


class Stamps:
    """Sizes and times of files when they were last hashed, so that opening a store is quick.

    They are kept in the store, or if it cannot be written, in the user's cache. What changes a file
    changes its time, so that it is hashed again; damage of the disk itself does not, and is for
    `verify` to find.

    Args:
        shelf: the store's files.
    """

    def __init__(self, shelf: Shelf) -> None:
        own = Path(shelf.path(_STAMPS))
        cached = hashlib.sha256(str(own.absolute()).encode()).hexdigest()
        cache = user_cache_path("engram", appauthor=False) / "policy" / "stamps"
        self._places = [own, cache / f"{cached}.json"] if shelf.local else []
        self._known: dict[str, list[int]] = {}
        self._changed = False

    def __enter__(self) -> "Stamps":
        for place in reversed(self._places):
            try:
                self._known |= json.loads(place.read_bytes())
            except (OSError, ValueError):
                continue  # without stamps, files are hashed
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._changed:
            return
        for place in self._places:
            part = place.with_suffix(f".{uuid4().hex}")
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                part.write_text(json.dumps(self._known))
                part.replace(place)
                return
            except OSError:
                continue  # a store that may only be read: the next place

    def sound(self, path: Path, sha256: str, size: int) -> bool:
        """Whether a file is what it was, as far as its size, time and, if needed, hash tell.

        Args:
            path: the file.
            sha256: its hash.
            size: its length in bytes.
        """
        try:
            state = path.stat()
        except FileNotFoundError:
            return False
        if state.st_size != size:
            return False
        stamp = [state.st_size, state.st_mtime_ns]
        if self._known.get(path.name) != stamp:
            if sha256_of(path) != sha256:
                return False
            self._known[path.name] = stamp
            self._changed = True
        return True


@contextmanager
def explained(location: str) -> Iterator[None]:
    """Turn what the system says when it cannot write into an error with a remedy.

    Args:
        location: the store.

    Raises:
        StoreError: if the disk is full, a file may not grow, or the store may not be written.
    """
    try:
        yield
    except Exception as error:
        remedy = _remedy(error)
        if remedy is None:
            raise
        raise StoreError(
            f"{location} cannot be written ({error}): {remedy}. What had been finished is kept; "
            "the same command goes on from there"
        ) from error


def _remedy(error: Exception) -> str | None:
    """What helps against an error of the system; None if it is of another kind."""
    text = f"{type(error).__name__} {error}".lower()
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.ENOSPC, errno.EDQUOT) or "fullerror" in text or "disk is full" in text:
        return "the disk, or the temporary folder, is full; make room, or move the store"
    if code == errno.EFBIG:
        return "files may not grow so large; raise the limit (ulimit -f)"
    if code in (errno.EROFS, errno.EACCES, errno.EPERM) or "readonly" in text:
        return "it may only be read; give yourself the right to write, or name another store"
    if "ioerror" in text or "disk i/o error" in text or "cantopen" in text:
        return "the disk is full, a limit of size is reached (ulimit -f), or the disk fails"
    return None


def sha256_of(path: Path) -> str:
    """The hash of a local file.

    Args:
        path: the file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
