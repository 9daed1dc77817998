"""Archives: tar and zip files, whose members are read once and in order."""

import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from engram.policy.ingestion.entries import (
    BLOCK,
    HIDDEN,
    File,
    LeftOut,
    is_remote,
    open_location,
    shown,
)

_COMPRESSIONS = {".gz": "gzip", ".tgz": "gzip", ".xz": "xz", ".txz": "xz", ".bz2": "bz2"}
_UNPACK_AT_MOST = 1 << 30
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


class Archive:
    """A tar or zip archive, whose members are read once and in order.

    Args:
        location: A path or URL.
        beside: Matches the names of companions, members that are read together with others; they
            are kept in a temporary folder until the archive is closed. A tar archive below one
            gibibyte is kept there decompressed; a larger one is decompressed twice.
    """

    def __init__(self, location: str, beside: Any) -> None:
        self.location = location
        self._beside = beside
        self._kept: tempfile.TemporaryDirectory[str] | None = None
        self._names: dict[str, Path | None] = {}
        self._source = location
        self.damage: str | None = None
        self.left_out: list[LeftOut] = []

    def survey(self) -> Iterator[File]:
        """List the members' names and sizes once, and keep the companions."""
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
        """Yield the members in order; read each one before advancing to the next.

        Members that are left out are noted.
        """
        yield from self._members()

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

    def _decompress(self, plain: Path) -> None:
        fs, path = open_location(self.location)
        compression = _COMPRESSIONS.get(Path(path).suffix.lower())
        if compression is None or fs.size(path) > _UNPACK_AT_MOST:
            return
        with fs.open(path, "rb", compression=compression) as packed, plain.open("wb") as file:
            # read1 returns the data before a break; read would return nothing of that block
            while block := self._next(packed.read1):
                file.write(block)
        self._source = str(plain)

    def _next(self, read: Callable[[int], bytes]) -> bytes:
        """The next block of a stream; None where the archive is damaged."""
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

    def _members(self) -> Iterator[File]:
        read = _read_zip if self.location.lower().endswith(".zip") else _read_tar
        fs, path = open_location(self._source)
        self.left_out = []
        with fs.open(path, "rb") as file:
            try:
                for member in read(file):
                    if isinstance(member, LeftOut):
                        self.left_out.append(member)
                    elif member.name.rpartition("/")[2].startswith("."):
                        self.left_out.append(LeftOut(member.name, HIDDEN))
                    else:
                        yield member
            except DAMAGE as error:
                self._note(error)


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
