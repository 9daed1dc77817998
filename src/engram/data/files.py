"""Files in folders, tar and zip archives, local or remote, listed and read without unpacking."""

import lzma
import os
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from engram.errors import EngramError

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".txz", ".tar.bz2")
"""The suffixes of supported archives."""

BLOCK = 1 << 20
"""Number of bytes read at a time."""

DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # a compression method that zipfile does not support
)
"""The exceptions that the libraries raise for a damaged archive."""

_COMPRESSIONS = {".gz": "gzip", ".tgz": "gzip", ".xz": "xz", ".txz": "xz", ".bz2": "bz2"}
_HIDDEN = "hidden: the name begins with a full stop"
_UNPACK_AT_MOST = 1 << 30


class InputError(EngramError):
    """An input cannot be found or opened; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of an input.

    Args:
        name: The path inside the input, with forward slashes.
        size: Its length in bytes.
        stream: A stream of its bytes, if they can only be read in order, as in an archive.
    """

    name: str
    size: int
    stream: IO[bytes] | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or member that is not opened.

    Args:
        name: Its path inside the input.
        reason: The reason.
    """

    name: str
    reason: str


class Folder:
    """A folder, or one file of it, whose files can be read anywhere and in any order.

    Links to folders are followed, and each folder is read once. Only regular files are opened.
    `archives` is the number of archives in the folder, which are inputs of their own.

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
                self.left_out.append(LeftOut(name, _HIDDEN))
            elif info["type"] == "directory":
                yield from self._walk(path)
            elif not (folder == self._root and is_archive(path)):
                yield File(name, info["size"])

    def _walk_local(self, folder: str, seen: dict[tuple[int, int], str]) -> Iterator[File]:
        status = Path(folder).stat()
        key, here = (status.st_dev, status.st_ino), self._name(folder) or "."
        if key in seen:
            self.left_out.append(
                LeftOut(here, f"a link to {shown(seen[key])}, which is already read")
            )
            return
        seen[key] = here
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            self.left_out.append(LeftOut(here, f"the folder cannot be listed: {error.strerror}"))
            return
        for base in names:
            path = f"{folder.rstrip('/')}/{base}"
            name = self._name(path)
            if base.startswith("."):
                self.left_out.append(LeftOut(name, _HIDDEN))
                continue
            kind, size = kind_of(path)
            if kind == "folder":
                yield from self._walk_local(path, seen)
            elif kind != "file":
                self.left_out.append(LeftOut(name, kind))
            elif not (folder == self._root and is_archive(path)):
                yield File(name, size)

    def _name(self, path: str) -> str:
        return path[len(self._root) :].lstrip("/")

    def has(self, name: str) -> bool:
        """Whether the folder holds a file that can be opened."""
        path = self._path(name)
        return kind_of(path)[0] == "file" if self._local else self._fs.exists(path)

    def url(self, name: str) -> str:
        """Where to read a file."""
        return self._fs.unstrip_protocol(self._path(name))

    companion = url

    def origin(self, name: str) -> str:
        """A file's name for display."""
        return f"{self.location.rstrip('/')}/{shown(name)}"

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


class Archive:
    """A tar or zip archive, whose members are read once and in order.

    `damage` says why the archive cannot be read to its end, and is None if it can.

    Args:
        location: A path or URL.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._kept: tempfile.TemporaryDirectory[str] | None = None
        self._names: dict[str, Path | None] = {}
        self._source = location
        self.damage: str | None = None
        self.left_out: list[LeftOut] = []

    def survey(self, beside: Callable[[str], object]) -> Iterator[File]:
        """List the members' names and sizes once, and keep the companions.

        Args:
            beside: Matches the names of companions, members that are read together with others;
                they are kept in a temporary folder until the archive is closed. A compressed tar
                archive below one gibibyte is kept there too, decompressed; a larger one is
                decompressed twice.
        """
        self._kept = tempfile.TemporaryDirectory(prefix="engram-")
        folder = Path(self._kept.name)
        self._decompress(folder / "plain.tar")
        for member in self.files():
            self._names[member.name] = None
            if beside(member.name) and member.stream is not None:
                kept = folder / str(len(self._names))
                self._copy(member.stream.read, kept)
                self._names[member.name] = kept
            yield File(member.name, member.size)

    def files(self) -> Iterator[File]:
        """Yield the members in order; read each one before advancing to the next.

        Members that are left out are noted.
        """
        fs, path = open_location(self._source)
        self.left_out = []
        with fs.open(path, "rb") as file:
            try:
                for member in _read_zip(file) if self._is_zip(file) else _read_tar(file):
                    if isinstance(member, LeftOut):
                        self.left_out.append(member)
                    elif member.name.rpartition("/")[2].startswith("."):
                        self.left_out.append(LeftOut(member.name, _HIDDEN))
                    else:
                        yield member
            except DAMAGE as error:
                self._note(error)

    def has(self, name: str) -> bool:
        """Whether the archive holds a member."""
        return name in self._names

    def companion(self, name: str) -> str:
        """Where to read a companion member."""
        kept = self._names[name]
        return str(kept) if kept else ""

    def origin(self, name: str) -> str:
        """A member's name for display."""
        return f"{self.location}!{shown(name)}"

    def close(self) -> None:
        """Remove the members that were kept."""
        if self._kept:
            self._kept.cleanup()
            self._kept = None

    def _is_zip(self, file: IO[bytes]) -> bool:
        if is_archive(self.location):
            return self.location.lower().endswith(".zip")
        found = zipfile.is_zipfile(file)
        file.seek(0)
        return found

    def _decompress(self, plain: Path) -> None:
        fs, path = open_location(self.location)
        compression = _COMPRESSIONS.get(Path(path).suffix.lower())
        if compression is None or fs.size(path) > _UNPACK_AT_MOST:
            return
        with fs.open(path, "rb", compression=compression) as packed:
            # read1 returns the data before a break; read would return nothing of that block
            self._copy(packed.read1, plain)
        self._source = str(plain)

    def _copy(self, read: Callable[[int], bytes], target: Path) -> None:
        """Copy a stream up to its end, or to where the archive is damaged."""
        with target.open("wb") as file:
            while block := self._next(read):
                file.write(block)

    def _next(self, read: Callable[[int], bytes]) -> bytes:
        """The next block of a stream; empty where the archive is damaged."""
        try:
            return read(BLOCK)
        except DAMAGE as error:
            self._note(error)
            return b""

    def _note(self, error: Exception) -> None:
        if isinstance(error, OSError) and is_remote(self.location):
            raise error
        reason = str(error).partition("\n")[0] or type(error).__name__
        self.damage = f"the archive is truncated or damaged: {reason}"


Input = Folder | Archive


def open_inputs(location: str) -> list[Input]:
    """Open a path or URL: a folder and the archives in it, an archive, or a file.

    Args:
        location: A path or URL.

    Raises:
        InputError: If it does not exist.
    """
    try:
        fs, root = open_location(location)
        if fs.isdir(root):
            below = sorted(info["name"] for info in fs.ls(root, detail=True))
            packed = [path for path in below if is_archive(path) and _is_file(fs, path)]
            urls = [fs.unstrip_protocol(path) if "://" in location else path for path in packed]
            folder = Folder(location)
            folder.archives = len(urls)
            return [folder, *(Archive(url) for url in urls)]
        if not fs.exists(root):
            raise FileNotFoundError(root)
        if isinstance(fs, LocalFileSystem) and (kind := kind_of(root)[0]) != "file":
            raise InputError(f"{location} is {kind}; name a folder, an archive or a regular file")
    except Exception as error:
        if not (is_remote(location) or isinstance(error, OSError)):
            raise
        raise InputError(
            f"{location} cannot be opened ({type(error).__name__}): name a folder, an archive, a "
            "file, or an s3:// URL that exists and that your credentials may read"
        ) from error
    if is_archive(root):
        return [Archive(location)]
    folder, _, name = location.rstrip("/").rpartition("/")
    return [Folder(folder or ".", only=name)]


def _is_file(fs: Any, path: str) -> bool:
    return not isinstance(fs, LocalFileSystem) or kind_of(path)[0] == "file"


def shown(name: str) -> str:
    """A file's name for display: unprintable and formatting characters are escaped."""
    return "".join(
        letter
        if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        else letter.encode("unicode_escape").decode("ascii")
        for letter in name
    )


def kind_of(path: str) -> tuple[str, int]:
    """The kind of a local path, "file", "folder" or why it is not opened; and a file's size."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return "a broken link" if Path(path).is_symlink() else "it does not exist", 0
    except OSError as error:  # a link to itself, a folder that may not be entered
        return f"it cannot be opened: {error.strerror}", 0
    for test, kind in (
        (stat.S_ISREG, "file"),
        (stat.S_ISDIR, "folder"),
        (stat.S_ISFIFO, "a named pipe, which is never opened"),
        (stat.S_ISSOCK, "a socket, which is never opened"),
        (stat.S_ISCHR, "a device, which is never opened"),
        (stat.S_ISBLK, "a device, which is never opened"),
    ):
        if test(status.st_mode):
            return kind, status.st_size
    return "neither a file nor a folder", 0


def is_archive(path: str) -> bool:
    """Whether a path has the suffix of an archive."""
    return path.lower().endswith(ARCHIVES)


def is_remote(location: str) -> bool:
    """Whether a failure to read may be a transient network error."""
    return "://" in location and not location.startswith("file://")


def open_location(location: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it."""
    # A cache of listings would grow with the corpus and miss what other processes write.
    return url_to_fs(location, use_listings_cache=False)


def _read_tar(file: IO[bytes]) -> Iterator[File | LeftOut]:
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        while (member := archive.next()) is not None:
            name = _member_name(member.name)
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield File(name, member.size, stream)
            elif member.issym() or member.islnk():
                yield LeftOut(name, f"a link to {shown(member.linkname)}")
            elif not member.isdir():
                yield LeftOut(name, "neither a file nor a folder: a device or a named pipe")
            archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  # else they are kept


def _read_zip(file: IO[bytes]) -> Iterator[File | LeftOut]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = _member_name(info.filename)
            if info.is_dir():
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                yield LeftOut(name, "a link")
            elif info.flag_bits & 1:
                yield LeftOut(name, "encrypted: unpack the archive with its password")
            else:
                with archive.open(info) as stream:
                    yield File(name, info.file_size, stream)


def _member_name(name: str) -> str:
    """A member's path with forward slashes: archives made on Windows may hold backslashes."""
    return name.replace("\\", "/").removeprefix("./")
