"""Read files in folders, tar archives and zip archives without unpacking to disk."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from engram.data.dataset import DataError

_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
)


def sources(path: Path, pattern: str) -> tuple[Path, ...]:
    """Return the sources to read files from whose names match a pattern.

    Args:
        path: An archive; a folder that holds such files, at any depth; or one that holds archives.
        pattern: A file-name pattern such as `*.wav`.

    Returns:
        The archive, the folder, or the folder's archives in sorted order.

    Raises:
        DataError: If the folder holds neither.
    """
    if path.is_file() or next(path.rglob(pattern), None) is not None:
        return (path,)
    archives = tuple(sorted(file for file in path.iterdir() if file.name.endswith(_SUFFIXES)))
    if not archives:
        raise DataError(
            f"{path} holds no {pattern} and no archive ({', '.join(_SUFFIXES)}): "
            "put the files there, or name another folder"
        )
    return archives


def members(source: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """The files of one source whose names match the pattern.

    Args:
        source: A folder or an archive, from `sources`.
        pattern: A file-name pattern such as `*.wav`.

    Yields:
        The path inside the source, with forward slashes, and the content.

    Raises:
        DataError: If the archive is damaged or of another format.
    """
    if source.is_dir():
        for file in sorted(source.rglob(pattern)):
            if _wanted(file.name, pattern):
                yield file.relative_to(source).as_posix(), file.read_bytes()
        return
    read = _read_zip if zipfile.is_zipfile(source) else _read_tar
    try:
        yield from read(source, pattern)
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise DataError(
            f"{source} is not a complete zip or tar archive ({reason}): "
            "replace it with a complete copy"
        ) from error


def _read_zip(source: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            if _wanted(name, pattern):
                yield name, archive.read(name)


def _read_tar(source: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(source) as archive:
        for member in archive:
            file = archive.extractfile(member) if _wanted(member.name, pattern) else None
            if file is not None:
                yield member.name, file.read()


def _wanted(name: str, pattern: str) -> bool:
    base = PurePosixPath(name).name
    return fnmatch(base, pattern) and not base.startswith(".")
