"""The files of a folder that may be pictures."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SYSTEM_FOLDERS = {"@eadir", "#recycle", "$recycle.bin", "system volume information", "__macosx"}
SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


class Found(NamedTuple):
    """A file of a folder.

    Attributes:
        path: Its absolute path.
        size: Its bytes.
        mtime_ns: When it was changed, in nanoseconds.
    """

    path: str
    size: int
    mtime_ns: int


def walk(root: Path) -> Iterator[Found]:
    """The files below a folder, in the order of their names.

    Hidden files and folders and those of systems are left out. A link to a folder is followed
    once: a folder that was visited under another name is not visited again.

    Args:
        root: The folder.
    """
    visited: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        about = os.stat(folder)  # noqa: PTH116  os.walk speaks in words
        if (about.st_dev, about.st_ino) in visited:
            folders.clear()
            continue
        visited.add((about.st_dev, about.st_ino))
        folders[:] = sorted(name for name in folders if _ours(name, SYSTEM_FOLDERS))
        for name in sorted(files):
            path = os.path.join(folder, name)  # noqa: PTH118
            if _ours(name, SYSTEM_FILES):
                try:
                    about = os.stat(path)  # noqa: PTH116
                except OSError:  # a link that leads nowhere, or a file that has just gone
                    continue
                yield Found(path, about.st_size, about.st_mtime_ns)


def _ours(name: str, system: set[str]) -> bool:
    return not name.startswith(".") and name.lower() not in system
