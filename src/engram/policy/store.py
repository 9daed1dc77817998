"""Store: the segments of a record and their manifest, in a folder or under an s3:// URL.

What counts is `manifest.json`. All other files are written atomically, under a name derived from
their content or input, before the manifest names them. A process that is killed therefore leaves
the store as its manifest says, and at most unreferenced files, which the next ingestion removes.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from engram.data.reading import sha256_of
from engram.policy.manifest import (
    FORMAT,
    Counted,
    Doubles,
    Manifest,
    PartitionEntry,
    SegmentEntry,
    SourceEntry,
)
from engram.policy.shelf import STAMPS, Shelf, Stamps, StoreError, explained

__all__ = [
    "FORMAT",
    "Counted",
    "Doubles",
    "Manifest",
    "PartitionEntry",
    "SegmentEntry",
    "Shelf",
    "SourceEntry",
    "Store",
    "StoreError",
    "explained",
]

_MANIFEST = "manifest.json"
_LOCK = ".lock"
_FOLDERS = ("segments", "quarantine", "ids", "doubles", "unread", "drafts")


class Store:
    """A record that has been ingested.

    Args:
        location: A folder or an `s3://` URL.
        create: Whether to create it if it does not exist.

    Raises:
        StoreError: If there is no store at the location, or one of another format.
    """

    def __init__(self, location: str | Path, create: bool = False) -> None:
        self.location = str(location)
        self.shelf = Shelf(self.location)
        self.manifest = self._open(create)

    def segments(self) -> list[Path]:
        """Return the segments as local files; those of a remote store are cached for the user.

        A segment that is only partly counted is returned as its view, which is in the same folder.
        A file whose size or modification time has changed since it was last hashed is hashed
        again.

        Raises:
            StoreError: If one is missing or does not match the manifest.
        """
        entries = self.manifest.segments
        with Stamps(self.shelf) as stamps:
            return [self._local(entry, stamps) for entry in entries]

    def file(self, name: str, sha256: str) -> Path:
        """Return a local copy of a file, fetched if the store is remote."""
        return Path(self.shelf.path(name)) if self.shelf.local else self._fetched(name, sha256)

    def rejections(self) -> Iterator[dict[str, str]]:
        """The quarantined records: reason, detail, origin, excerpt and source of each."""
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
        for name, count in source.unread.items():  # the format of earlier versions
            yield {"name": name, "reason": f"not recorded ({count})"}

    def doubles(self) -> Iterator[dict[str, Any]]:
        """The duplicate documents: which is kept, which is not, and why."""
        if self.manifest.doubles.listed:
            name = f"doubles/{self.manifest.doubles.listed}.jsonl"
            for line in self.shelf.read(name).splitlines():
                yield json.loads(line)

    def save(self) -> None:
        """Write the manifest, which commits the files that it names."""
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
        """Lock the store against ingestion by other processes of this machine.

        Raises:
            StoreError: If another process holds the lock.
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
            raise StoreError(f"{self.location} has no {_MANIFEST}: name a store, or ingest first")
        strange = [name for name in names if name not in (*_FOLDERS, _LOCK, STAMPS)]
        if strange:
            raise StoreError(
                f"{self.location} is not a store and contains {strange[0]!r}; name a new or empty "
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
        """A segment or, if it has one, its view, with the segment in the same folder."""
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
        return self.file(f"segments/{files[-1][0]}", files[-1][1])

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
