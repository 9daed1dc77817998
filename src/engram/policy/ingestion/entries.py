"""Entries: the files and members of inputs, and those that are not opened."""

import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fsspec.core import url_to_fs

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".txz", ".tar.bz2")
"""The suffixes of supported archives."""

BLOCK = 1 << 20
"""Number of bytes read at a time."""

HIDDEN = "hidden: the name begins with a full stop"
"""The reason for leaving out a hidden file or folder."""


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
