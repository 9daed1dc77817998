"""Inputs: folders, archives and files, local or remote, as pieces of bounded size."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from engram.errors import EngramError
from engram.policy.ingestion.archive import Archive
from engram.policy.ingestion.entries import (
    BLOCK,
    HIDDEN,
    File,
    LeftOut,
    is_archive,
    kind_of,
    open_location,
    shown,
)


class InputError(EngramError):
    """An input cannot be found or opened; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole file, or those of its lines that begin in a range of bytes.

    Args:
        origin: Display name of the file and of its archive.
        name: The path inside the input.
        start: The first byte of the range.
        stop: The byte after its last.
        url: Where to read it; None if `data` holds it.
        data: Its bytes, if they come from an archive.
        cut: Whether the range may begin or end inside a line.
        companions: URLs of its companion files, or their bytes, by role.
    """

    origin: str
    name: str
    start: int
    stop: int
    url: str | None = None
    data: bytes | None = None
    cut: bool = False
    companions: dict[str, str | bytes] = field(default_factory=dict)


class Folder:
    """A folder, or one file of it, whose files can be read anywhere and in any order.

    Links to folders are followed, and each folder is read once. Other than regular files, such as
    named pipes, are never opened. `archives` is the number of archives in the folder, which are
    inputs of their own.

    Args:
        location: A path or URL.
        only: The name of the one file meant, or None for all.
    """

    def __init__(self, location: str, only: str | None = None) -> None:
        self.location = location
        self.left_out: list[LeftOut] = []
        self.archives = 0
        self._only = only
        self._fs, self._root = open_location(location)
        self._local = isinstance(self._fs, LocalFileSystem)

    def close(self) -> None:
        """Do nothing: a folder keeps no temporary files."""

    def files(self) -> Iterator[File]:
        """Yield the files in order of name, folder by folder; files left out are noted."""
        self.left_out = []
        if self._only:
            yield File(self._only, self._fs.size(self._path(self._only)))
        elif self._local:
            yield from self._walk_local(self._root, {})
        else:
            yield from self._walk(self._root)

    def _walk(self, folder: str) -> Iterator[File]:
        for info in sorted(self._fs.ls(folder, detail=True), key=lambda info: info["name"]):
            path = info["name"].rstrip("/")
            if path == folder.rstrip("/"):
                continue
            name = self._name(path)
            if path.rpartition("/")[2].startswith("."):
                self._leave(name, HIDDEN)
            elif info["type"] == "directory":
                yield from self._walk(path)
            elif not (folder == self._root and is_archive(path)):
                yield File(name, info["size"])

    def _walk_local(self, folder: str, seen: dict[tuple[int, int], str]) -> Iterator[File]:
        status = Path(folder).stat()
        key, here = (status.st_dev, status.st_ino), self._name(folder) or "."
        if key in seen:
            self._leave(here, f"a link to {shown(seen[key])}, which is already read")
            return
        seen[key] = here
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            self._leave(here, f"the folder cannot be listed: {error.strerror}")
            return
        for base in names:
            path = f"{folder.rstrip('/')}/{base}"
            name = self._name(path)
            if base.startswith("."):
                self._leave(name, HIDDEN)
                continue
            kind, size = kind_of(path)
            if kind == "folder":
                yield from self._walk_local(path, seen)
            elif kind != "file":
                self._leave(name, kind)
            elif not (folder == self._root and is_archive(path)):
                yield File(name, size)

    def _leave(self, name: str, reason: str) -> None:
        self.left_out.append(LeftOut(name, reason))

    def _name(self, path: str) -> str:
        return path[len(self._root) :].lstrip("/")

    def has(self, name: str) -> bool:
        """Whether the folder holds a file that can be opened."""
        path = self._path(name)
        return kind_of(path)[0] == "file" if self._local else self._fs.exists(path)

    def url(self, name: str) -> str:
        """Where to read a file."""
        return self._fs.unstrip_protocol(self._path(name))

    def companion(self, name: str) -> str:
        """Where to read a companion file."""
        return self.url(name)

    def origin(self, name: str) -> str:
        """A file's name for display."""
        return f"{self.location.rstrip('/')}/{shown(name)}"

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


Input = Folder | Archive


def open_inputs(location: str, beside: Any) -> list[Input]:
    """Open a path or URL: a folder and the archives in it, an archive, or a file.

    Args:
        location: A path or URL.
        beside: Matches the names of companions, files that are read together with others.

    Raises:
        InputError: If it does not exist.
    """
    fs, root = open_location(location)
    try:
        if fs.isdir(root):
            below = sorted(info["name"] for info in fs.ls(root, detail=True))
            packed = [path for path in below if is_archive(path) and _is_file(fs, path)]
            urls = [fs.unstrip_protocol(path) if "://" in location else path for path in packed]
            folder = Folder(location)
            folder.archives = len(urls)
            return [folder, *(Archive(url, beside) for url in urls)]
        if not fs.exists(root):
            raise FileNotFoundError(root)
        if isinstance(fs, LocalFileSystem) and (kind := kind_of(root)[0]) != "file":
            raise InputError(f"{location} is {kind}; name a folder, an archive or a regular file")
    except (OSError, ImportError) as error:
        raise InputError(
            f"{location} cannot be opened ({type(error).__name__}): name a folder, an archive, a "
            "file, or an s3:// URL that exists and that your credentials may read"
        ) from error
    if is_archive(root):
        return [Archive(location, beside)]
    folder, _, name = location.rstrip("/").rpartition("/")
    return [Folder(folder or ".", only=name)]


def _is_file(fs: Any, path: str) -> bool:
    return not isinstance(fs, LocalFileSystem) or kind_of(path)[0] == "file"


def sha256_at(location: str) -> str:
    """The SHA-256 of the file at a path or URL."""
    digest = hashlib.sha256()
    fs, path = open_location(location)
    with fs.open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read(piece: Piece, limit: int) -> tuple[bytes, int, str | None]:
    """The bytes of a piece.

    A line belongs to the range in which its first byte lies.

    Args:
        piece: What to read.
        limit: The longest line, in bytes, that is read.

    Returns:
        The bytes, their position in the file, and lines left out because they are too long.

    Raises:
        OSError: If the file cannot be read.
    """
    if piece.data is not None:
        return piece.data, piece.start, None
    fs, path = open_location(piece.url or "")
    with fs.open(path, "rb") as file:
        if not piece.cut:
            return file.read(), 0, None
        begin = _line_start(file, piece.start)
        if begin >= piece.stop:
            return b"", begin, None
        file.seek(begin)
        data = file.read(piece.stop - begin)
        tail = b"" if data.endswith(b"\n") else _to_newline(file, limit)
        if tail is not None:
            return data + tail, begin, None
        whole = data.rfind(b"\n") + 1
        return data[:whole], begin, f"the line at byte {begin + whole} is over {limit:,} bytes"


def read_companion(url: str) -> bytes:
    """The bytes of a file beside others; empty if it does not exist."""
    fs, path = open_location(url)
    try:
        with fs.open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def stream_lines(stream: IO[bytes], block: int) -> Iterator[tuple[int, bytes, str | None]]:
    """Divide a stream between lines.

    Args:
        stream: The bytes of a file.
        block: Maximum number of bytes in a run; a longer line is left out.

    Yields: Position of a run, its bytes, and lines left out after it.
    """
    start, rest, skipping = 0, b"", False
    while True:
        read = stream.read(block - len(rest))
        data = rest + read
        if skipping:
            end = data.find(b"\n") + 1
            start, data = start + (end or len(data)), data[end:] if end else b""
            skipping = not end and bool(read)
        whole = len(data) if not read else data.rfind(b"\n") + 1
        if not whole and len(data) >= block:
            yield start, b"", f"the line at byte {start} is over {block:,} bytes"
            start, data, skipping = start + len(data), b"", True
        elif whole:
            yield start, data[:whole], None
        start, rest = start + whole, data[whole:]
        if not read:
            return


def _line_start(file: IO[bytes], position: int) -> int:
    """Position of the first line that begins at or after a position."""
    if position == 0:
        return 0
    file.seek(position - 1)
    at = position - 1
    while block := file.read(BLOCK):
        found = block.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(block)
    return at


def _to_newline(file: IO[bytes], limit: int) -> bytes | None:
    """The bytes up to the end of the line; None if it does not end within the limit."""
    found = b""
    while len(found) <= limit:
        block = file.read(min(BLOCK, limit))
        end = block.find(b"\n") + 1
        found += block[:end] if end else block
        if end or not block:
            return found
    return None
