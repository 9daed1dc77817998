"""What a reader of a dataset reads, and returns."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import numpy as np

from engram.data.dataset import DataError, Split, split_off
from engram.data.files import ARCHIVES, DAMAGE, Archive, Folder, is_archive, shown


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of a reader, without the facts of the catalogue.

    Args:
        train: The training split.
        test: The test split.
        files: The files or folders that were read.
        classes: Name of each label, if the files state it.
        notes: Notes of the reader that must accompany a score.
        sample_rate_hz: Samples per second, for audio.
    """

    train: Split
    test: Split
    files: tuple[Path, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sample_rate_hz: float | None = None


def divide(
    everything: Split,
    train_count: int,
    files: tuple[Path, ...],
    classes: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Reading:
    """A reading whose first examples are for training and the others for testing.

    Args:
        everything: The training examples, followed by the test examples, if any.
        train_count: Number of training examples. If these are all, a fifth of each class is split
            off for testing, with a note.
        files: The files or folders that were read.
        classes: Name of each label.
        notes: Notes that must accompany a score.
    """
    if train_count == len(everything):
        train, test = split_off(everything, 0.2, seed=0)
        note = "no test split was given: a fifth of each class was split off (seed 0)"
        return Reading(train, test, files, classes, (*notes, note))
    train = everything.take(np.arange(train_count))
    test = everything.take(np.arange(train_count, len(everything)))
    return Reading(train, test, files, classes, notes)


def require(path: Path) -> Path:
    """Return the path if it exists; otherwise raise a `DataError` with the remedy."""
    if not path.exists():
        raise DataError(f"{path} is missing: put that file there, or name another folder")
    return path


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
    archives = tuple(sorted(file for file in path.iterdir() if is_archive(file.name)))
    if not archives:
        raise DataError(
            f"{path} holds no {pattern} and no archive ({', '.join(ARCHIVES)}): "
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
        DataError: If the archive is damaged or of another format, or a file cannot be opened.
    """
    if source.is_dir():
        opened = Folder(str(source))
        for file in opened.files():
            if _wanted(file.name, pattern):
                yield file.name, (source / file.name).read_bytes()
    else:
        opened = Archive(str(source))
        try:
            for file in opened.files():
                if file.stream is not None and _wanted(file.name, pattern):
                    yield file.name, file.stream.read()
        except DAMAGE as error:
            raise _damaged(source, str(error)) from error
        if opened.damage:
            raise _damaged(source, opened.damage)
    for left in opened.left_out:
        if _wanted(left.name, pattern):
            raise DataError(f"{source}: {shown(left.name)} cannot be read: {left.reason}")


def _damaged(source: Path, reason: str) -> DataError:
    reason = reason.partition("\n")[0].rstrip(":")
    return DataError(
        f"{source} is not a complete zip or tar archive ({reason}): replace it with a complete copy"
    )


def _wanted(name: str, pattern: str) -> bool:
    base = PurePosixPath(name).name
    return fnmatch(base, pattern) and not base.startswith(".")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, or of the sorted names and hashes of a folder's files."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    tree = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        tree.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
    return tree.hexdigest()
