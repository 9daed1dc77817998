"""Inputs: folders, archives and files, local or remote, as pieces of bounded size."""

import hashlib
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fsspec.core import url_to_fs

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".txz", ".tar.bz2")
_COMPRESSIONS = {".gz": "gzip", ".tgz": "gzip", ".xz": "xz", ".txz": "xz", ".bz2": "bz2"}
_BLOCK = 1 << 20
_UNPACK_AT_MOST = 1 << 30
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # a compression that zipfile does not know
)
"""What the libraries raise where an archive is damaged."""


class InputError(ValueError):
    """Input that cannot be found or opened; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of an input.

    Args:
        name: the path inside the input, with forward slashes.
        size: its length in bytes.
        stream: its bytes, where they only come in order, as from an archive.
    """

    name: str
    size: int
    stream: IO[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole file, or the lines of it that begin in a range of bytes.

    Args:
        origin: names the file, and the archive it is in, for a reader.
        name: the path inside the input.
        start: the first byte of the range.
        stop: the byte after its last.
        url: where to read it; None if `data` holds it.
        data: its bytes, where they came out of an archive.
        cut: whether the range may begin or end inside a line.
        companions: where the files beside it are, by role; or their bytes.
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

    Args:
        location: a path or URL.
        only: the name of the one file meant, or None for all.
    """

    def __init__(self, location: str, only: str | None = None) -> None:
        self.location = location
        self._only = only
        self._fs, self._root = _open(location)

    def close(self) -> None:
        """Nothing is kept."""

    def files(self) -> Iterator[File]:
        """The files in the order of their names, folder by folder."""
        if self._only:
            yield File(self._only, self._fs.size(self._path(self._only)))
            return
        yield from self._walk(self._root)

    def _walk(self, folder: str) -> Iterator[File]:
        for info in sorted(self._fs.ls(folder, detail=True), key=lambda info: info["name"]):
            path = info["name"].rstrip("/")
            base = path.rpartition("/")[2]
            if base.startswith(".") or path == folder.rstrip("/"):
                continue
            if info["type"] == "directory":
                yield from self._walk(path)
            elif not (folder == self._root and is_archive(path)):
                yield File(path[len(self._root) :].lstrip("/"), info["size"])

    def has(self, name: str) -> bool:
        """Whether the folder holds a file."""
        return self._fs.exists(self._path(name))

    def url(self, name: str) -> str:
        """Where to read a file."""
        return self._fs.unstrip_protocol(self._path(name))

    def companion(self, name: str) -> str:
        """Where to read a file that stands beside another."""
        return self.url(name)

    def origin(self, name: str) -> str:
        """A file's name for a reader."""
        return f"{self.location.rstrip('/')}/{name}"

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


class Archive:
    """A tar or zip archive: its members come in order, and are read once.

    Args:
        location: a path or URL.
        beside: tells by their names the members that others are read with; they are kept in a
            temporary folder until the archive is closed. So is, decompressed, a tar archive of
            less than a gibibyte; a larger one is decompressed twice.
    """

    def __init__(self, location: str, beside: Any) -> None:
        self.location = location
        self._beside = beside
        self._kept: tempfile.TemporaryDirectory[str] | None = None
        self._names: dict[str, Path | None] = {}
        self._source = location
        self.damage: str | None = None

    def survey(self) -> Iterator[File]:
        """The members' names and sizes, once, keeping those that stand beside others."""
        self._kept = tempfile.TemporaryDirectory(prefix="engram-")
        folder = Path(self._kept.name)
        self._decompress(folder / "plain.tar")
        for member in self._members():
            self._names[member.name] = None
            if self._beside(member.name) and member.stream is not None:
                kept = folder / str(len(self._names))
                with kept.open("wb") as file:
                    while block := self._next(member.stream.read):
                        file.write(block)
                self._names[member.name] = kept
            yield File(member.name, member.size)

    def files(self) -> Iterator[File]:
        """The members in their order; read each one before going on to the next."""
        yield from self._members()

    def has(self, name: str) -> bool:
        """Whether the archive holds a member."""
        return name in self._names

    def companion(self, name: str) -> str:
        """Where to read a member that stands beside another."""
        kept = self._names[name]
        return str(kept) if kept else ""

    def origin(self, name: str) -> str:
        """A member's name for a reader."""
        return f"{self.location}!{name}"

    def close(self) -> None:
        """Remove what was kept."""
        if self._kept:
            self._kept.cleanup()
            self._kept = None

    def _decompress(self, plain: Path) -> None:
        fs, path = _open(self.location)
        compression = _COMPRESSIONS.get(Path(path).suffix.lower())
        if compression is None or fs.size(path) > _UNPACK_AT_MOST:
            return
        with fs.open(path, "rb", compression=compression) as packed, plain.open("wb") as file:
            # read1 gives what there is before a break; read would give nothing of that block
            while block := self._next(packed.read1):
                file.write(block)
        self._source = str(plain)

    def _next(self, read: Callable[[int], bytes]) -> bytes:
        """The next block of a stream; none where the archive is damaged."""
        try:
            return read(_BLOCK)
        except DAMAGE as error:
            self._note(error)
            return b""

    def _note(self, error: Exception) -> None:
        if isinstance(error, OSError) and is_remote(self.location):
            raise error
        reason = str(error).partition("\n")[0] or type(error).__name__
        self.damage = f"the archive breaks off or is damaged: {reason}"

    def _members(self) -> Iterator[File]:
        read = _read_zip if self.location.lower().endswith(".zip") else _read_tar
        fs, path = _open(self._source)
        with fs.open(path, "rb") as file:
            try:
                for member in read(file):
                    if not member.name.rpartition("/")[2].startswith("."):
                        yield member
            except DAMAGE as error:
                self._note(error)


Input = Folder | Archive


def open_inputs(location: str, beside: Any) -> list[Input]:
    """What a path or URL names: a folder and the archives in it, an archive, or a file.

    Args:
        location: a path or URL.
        beside: tells by their names the files that others are read with.

    Raises:
        InputError: if there is nothing.
    """
    fs, root = _open(location)
    try:
        if fs.isdir(root):
            below = sorted(info["name"] for info in fs.ls(root, detail=True))
            packed = [path for path in below if is_archive(path)]
            urls = [fs.unstrip_protocol(path) if "://" in location else path for path in packed]
            return [Folder(location), *(Archive(url, beside) for url in urls)]
        if not fs.exists(root):
            raise FileNotFoundError(root)
    except (OSError, ImportError) as error:
        raise InputError(
            f"{location} cannot be opened ({type(error).__name__}): name a folder, an archive, a "
            "file, or an s3:// URL that exists and that your credentials may read"
        ) from error
    if is_archive(root):
        return [Archive(location, beside)]
    folder, _, name = location.rstrip("/").rpartition("/")
    return [Folder(folder or ".", only=name)]


def is_archive(path: str) -> bool:
    """Whether a path's ending is an archive's."""
    return path.lower().endswith(ARCHIVES)


def is_remote(location: str) -> bool:
    """Whether a failure to read may be the network's, and so pass."""
    return "://" in location and not location.startswith("file://")


def sha256_at(location: str) -> str:
    """The SHA-256 of the file at a path or URL."""
    digest = hashlib.sha256()
    fs, path = _open(location)
    with fs.open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read(piece: Piece, limit: int) -> tuple[bytes, int, str | None]:
    """The bytes of a piece.

    A line belongs to the range in which its first byte lies.

    Args:
        piece: what to read.
        limit: the longest line, in bytes, that is read.

    Returns:
        The bytes, where in the file they begin, and what was left out because it is too long.

    Raises:
        OSError: if the file cannot be read.
    """
    if piece.data is not None:
        return piece.data, piece.start, None
    fs, path = _open(piece.url or "")
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
    """The bytes of a file beside others; empty if it is not there."""
    fs, path = _open(url)
    try:
        with fs.open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def stream_lines(stream: IO[bytes], block: int) -> Iterator[tuple[int, bytes, str | None]]:
    """Cut a stream between lines.

    Args:
        stream: the bytes of a file.
        block: the most bytes in a run; a line longer than this is left out.

    Yields:
        Where a run begins, its bytes, and what was left out after it.
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


def _open(location: str) -> tuple[Any, str]:
    # A cache of listings would grow with the corpus and miss what other processes write.
    return url_to_fs(location, use_listings_cache=False)


def _line_start(file: IO[bytes], position: int) -> int:
    """Where the first line begins at or after a position."""
    if position == 0:
        return 0
    file.seek(position - 1)
    at = position - 1
    while block := file.read(_BLOCK):
        found = block.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(block)
    return at


def _to_newline(file: IO[bytes], limit: int) -> bytes | None:
    """The bytes up to the end of the line; None if it does not end within the limit."""
    found = b""
    while len(found) <= limit:
        block = file.read(min(_BLOCK, limit))
        end = block.find(b"\n") + 1
        found += block[:end] if end else block
        if end or not block:
            return found
    return None


def _read_tar(file: IO[bytes]) -> Iterator[File]:
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        while (member := archive.next()) is not None:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield File(member.name.removeprefix("./"), member.size, stream)
            archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  # else they are kept


def _read_zip(file: IO[bytes]) -> Iterator[File]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as stream:
                    yield File(info.filename, info.file_size, stream)
