"""Images in one folder per class."""

from pathlib import Path

import numpy as np

from engram.data.dataset import DataError
from engram.data.encoded import from_encoded
from engram.data.images import Encoded, Unreadable
from engram.data.reading import Reading, require

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def read_imagefolder(
    folder: Path, size: tuple[int, int] | None, unreadable: Unreadable = "fail"
) -> Reading:
    """Read `train/<class>/*` and `test/<class>/*`, or `val` for `test`, or only `<class>/*`.

    Args:
        folder: Folder with `train` and `test`, or with a folder for each class.
        size: (height, width) to which images are scaled and cropped, or None if all have one size.
        unreadable: Whether an image that cannot be decoded is an error, or left out with a note.

    Returns:
        Images in order of class and path, decoded on demand. Without a test folder, a fifth of
        each class becomes the test split.

    Raises:
        DataError: If there is no image, a class is empty or absent from the training data, or the
            images cannot be combined.
    """
    train_root = folder / "train" if (require(folder) / "train").is_dir() else folder
    test_root = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    if test_root is not None and train_root == folder:
        raise DataError(f"{folder} has {test_root.name} but no train folder: add train/<class>/")
    classes = _classes(train_root)
    train_files, train_labels = _files(train_root, classes)
    test_files, test_labels = _files(test_root, classes) if test_root is not None else ([], [])
    labels = np.array(train_labels + test_labels, dtype=np.int64)
    roots = (train_root,) if test_root is None else (train_root, test_root)
    return from_encoded(
        train_files + test_files, labels, len(train_files), roots, classes, size, unreadable
    )


def _classes(root: Path) -> tuple[str, ...]:
    names = (entry.name for entry in root.iterdir() if entry.is_dir())
    classes = tuple(sorted(name for name in names if not name.startswith(".")))
    if not classes:
        raise DataError(
            f"{root} has no folders: put the images of each class in a folder of its own"
        )
    return classes


def _files(root: Path, classes: tuple[str, ...]) -> tuple[list[Encoded], list[int]]:
    unknown = set(_classes(root)) - set(classes)
    if unknown:
        raise DataError(
            f"{root} has the classes {sorted(unknown)}, which train does not have: add or remove "
            f"them"
        )
    encoded: list[Encoded] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        files = sorted(file for file in (root / name).rglob("*") if _is_picture(file))
        if not files:
            raise DataError(f"{root / name} holds no image: add some, or remove the class")
        encoded += [Encoded(file, str(file)) for file in files]
        labels += [label] * len(files)
    return encoded, labels


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")
