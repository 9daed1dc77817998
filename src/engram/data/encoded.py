"""A dataset from encoded images and their labels."""

from pathlib import Path

import numpy as np

from engram.data.dataset import Split
from engram.data.images import Encoded, Unreadable, open_images, readable
from engram.data.reading import Reading, divide


def from_encoded(
    encoded: list[Encoded],
    labels: np.ndarray,
    train_count: int,
    files: tuple[Path, ...],
    classes: tuple[str, ...],
    size: tuple[int, int] | None,
    unreadable: Unreadable,
) -> Reading:
    """Divide encoded images into the splits, after those that cannot be read.

    Args:
        encoded: The training images, followed by the test images, if any.
        labels: Class indices, (n,) int64.
        train_count: Number of training images.
        files: The files or folders that were read.
        classes: Name of each label.
        size: (height, width) to which images are scaled and cropped, or None if all have one size.
        unreadable: Whether an image that cannot be decoded is an error, or left out with a note.

    Raises:
        DataError: If images cannot be read or combined.
    """
    kept, note = readable(encoded, unreadable)
    images = open_images([encoded[i] for i in np.flatnonzero(kept)], size)
    split = Split(images, labels[kept])
    return divide(split, int(kept[:train_count].sum()), files, classes, (note,) if note else ())
