"""The result of a reader, and the identification of its files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engram.data.dataset import DataError, Split, split_off


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
    everything: Split, train_count: int, files: tuple[Path, ...], classes: tuple[str, ...]
) -> Reading:
    """A reading whose first examples are for training and the others for testing.

    Args:
        everything: The training examples, followed by the test examples, if any.
        train_count: Number of training examples. If these are all, a fifth of each class is split
            off for testing, with a note.
        files: The files or folders that were read.
        classes: Name of each label.
    """
    if train_count == len(everything):
        train, test = split_off(everything, 0.2, seed=0)
        note = "no test split was given: a fifth of each class was split off (seed 0)"
        return Reading(train, test, files, classes, (note,))
    train = everything.take(np.arange(train_count))
    test = everything.take(np.arange(train_count, len(everything)))
    return Reading(train, test, files, classes)


def require(path: Path) -> Path:
    """Return the path if it exists; otherwise raise a `DataError` with the remedy."""
    if not path.exists():
        raise DataError(f"{path} is missing: put that file there, or name another folder")
    return path


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, or of the sorted names and hashes of a folder's files."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    tree = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        tree.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
    return tree.hexdigest()
