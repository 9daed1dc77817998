"""What every reader returns, and how the files it read are identified."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engram.data.dataset import DataError, Split, split_off


@dataclass(frozen=True, eq=False)
class Reading:
    """What a reader found in its files, before the catalogue adds what it knows.

    Args:
        train: The training split.
        test: The test split.
        files: The files or folders that were read.
        classes: A name for each label, where the files tell.
        notes: What the reader saw that a score must mention.
        sample_rate_hz: Samples a second, for audio.
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
    """A reading whose first examples train and whose others test.

    Args:
        everything: The examples to train on, then those to test on, if there are any.
        train_count: How many the first are. If that is all, a fifth of each class is split off
            to test on, and a note says so.
        files: The files or folders that were read.
        classes: A name for each label.
    """
    if train_count == len(everything):
        train, test = split_off(everything, 0.2, seed=0)
        note = "no test split was given: a fifth of each class was split off (seed 0)"
        return Reading(train, test, files, classes, (note,))
    train = everything.take(np.arange(train_count))
    test = everything.take(np.arange(train_count, len(everything)))
    return Reading(train, test, files, classes)


def require(path: Path) -> Path:
    """The path, if it exists; else a `DataError` that says what to put there."""
    if not path.exists():
        raise DataError(f"{path} is missing: put that file there, or name another folder")
    return path


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file; of a folder, that of its files' names and hashes in sorted order."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    tree = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        tree.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
    return tree.hexdigest()
