"""Shelf: the files of a store, on disk or in a bucket, written atomically; and system errors."""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from platformdirs import user_cache_path

from engram.data.reading import sha256_of
from engram.errors import EngramError

STAMPS = "stamps.json"
"""The file that records when the files of a store were last hashed."""


class StoreError(EngramError):
    """A store that cannot be opened, read or written; the message says what to do."""


class Shelf:
    """A folder or bucket in which files are written atomically; workers of a store get one.

    Args:
        location: A path or URL.

    Raises:
        StoreError: If nothing can be kept there.
    """

    def __init__(self, location: str) -> None:
        if not location.strip() or "\0" in location:
            raise StoreError(f"{location!r} names no store; give a folder or an s3:// URL")
        self.location = location
        try:
            self._fs, self._root = url_to_fs(location, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise StoreError(
                f"{location} cannot be opened ({error}); give a folder or an s3:// URL"
            ) from error
        self.local = isinstance(self._fs, LocalFileSystem)

    def __reduce__(self) -> tuple[type["Shelf"], tuple[str]]:
        return Shelf, (self.location,)

    def path(self, name: str) -> str:
        """The path of a file in its file system."""
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """A local path for a file that is being written; removed afterwards unless moved."""
        if self.local:
            folder = Path(self.path("drafts"))
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = Path(tempfile.gettempdir())
        draft = folder / f"{uuid4().hex}.sqlite"
        try:
            yield draft
        finally:
            for left in folder.glob(f"{draft.name}*"):  # SQLite may leave a journal next to it
                left.unlink(missing_ok=True)

    def put(self, draft: Path, name: str) -> None:
        """Move a finished draft to its final name, on disk or in the bucket."""
        if not self.local:
            self._fs.put_file(str(draft), self.path(name))
            return
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(target)

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically."""
        if not self.local:
            self._fs.pipe_file(self.path(name), content)
            return
        with self.draft() as draft:
            draft.write_bytes(content)
            self.put(draft, name)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return self._fs.cat_file(self.path(name))

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file block by block."""
        with self._fs.open(self.path(name), "rb") as file:
            while block := file.read(1 << 20):
                yield block

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to a local path."""
        self._fs.get_file(self.path(name), str(target))

    def names(self, folder: str = "") -> list[str]:
        """Return the sorted names in a folder; none if it does not exist."""
        try:
            infos = self._fs.ls(self.path(folder).rstrip("/"), detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:
            if self.local or isinstance(error, OSError):
                raise
            raise StoreError(
                f"{self.location} cannot be read ({error}); check the address, your credentials "
                "and the connection"
            ) from error
        return sorted(path.rstrip("/").rpartition("/")[2] for path in infos)

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        if self._fs.exists(self.path(name)):
            self._fs.rm_file(self.path(name))


class Stamps:
    """Sizes and times of files when they were last hashed, so that opening a store is fast.

    They are kept in the store or, if it is read-only, in the user's cache. A change of a file
    changes its time, so that it is hashed again; corruption of the disk does not, and is found by
    `verify`.

    Args:
        shelf: The store's files.
    """

    def __init__(self, shelf: Shelf) -> None:
        own = Path(shelf.path(STAMPS))
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
                continue  # the store is read-only: try the next place

    def sound(self, path: Path, sha256: str, size: int) -> bool:
        """Whether a file is unchanged, judged by its size, time and, if needed, hash.

        Args:
            path: The file.
            sha256: Its hash.
            size: Its length in bytes.
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
    """Turn a system error on writing into a `StoreError` with a remedy.

    Raises:
        StoreError: If the disk is full, a file size limit is reached, or the store is not writable.
    """
    try:
        yield
    except StoreError:
        raise  # it has a remedy already
    except Exception as error:
        remedy = _remedy(error)
        if remedy is None:
            raise
        raise StoreError(
            f"{location} cannot be written ({error}): {remedy}. Finished work is kept; run the "
            f"same command again to continue"
        ) from error


def _remedy(error: Exception) -> str | None:
    """The remedy for a system error; None if it is of another kind."""
    text = f"{type(error).__name__} {error}".lower()
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.ENOSPC, errno.EDQUOT) or "fullerror" in text or "disk is full" in text:
        return "the disk, or the temporary folder, is full; make room, or move the store"
    if code == errno.EFBIG:
        return "the file size limit is reached; raise it (ulimit -f)"
    if code in (errno.EROFS, errno.EACCES, errno.EPERM) or "readonly" in text:
        return "it is read-only; get write permission, or name another store"
    if "ioerror" in text or "disk i/o error" in text or "cantopen" in text:
        return "the disk is full, the file size limit is reached (ulimit -f), or the disk fails"
    return None
