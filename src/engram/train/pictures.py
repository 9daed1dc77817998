"""Images as examples: read, subsampled, divided and standardised."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engram import data
from engram.errors import EngramError
from engram.train.examples import Examples


class Pictures(NamedTuple):
    """A dataset as images `(n, channels, height, width)`, standardised by the training part.

    Attributes:
        source: The dataset.
        train: Training images.
        validation: Validation images, which select the epoch.
        test: Test images, used once.
    """

    source: data.Dataset
    train: Examples
    validation: Examples
    test: Examples


def load_images(
    spec: str, *, size: int | None, limit: int | None, validation: float, seed: int
) -> tuple[data.Dataset, tuple[data.Split, data.Split, data.Split]]:
    """Load images, subsample the training part, and split off a validation part.

    Args:
        spec: A dataset as for `engram.data.load`.
        size: Side in pixels to which the user's own images are scaled and cropped.
        limit: Maximum number of training images, with classes in proportion; None uses all.
        validation: Share of them to split off.
        seed: Seed of both random choices.

    Returns:
        The dataset, and its training, validation and test part.

    Raises:
        ValueError: If the dataset holds no images, or cannot be read or split.
    """
    entry = data.CATALOGUE.get(spec)
    if entry and entry.kind != "image":
        images = [name for name, other in data.CATALOGUE.items() if other.kind == "image"]
        raise EngramError(
            f"{spec} holds {entry.kind or 'no examples'}, and this study reads images: "
            f"choose {', '.join(images)}, imagefolder:DIR or parquet:DIR"
        )
    source = data.load(spec, size=size)
    train = source.train
    if limit is not None and limit < len(train):
        _, train = data.split_off(train, limit / len(train), seed)
    return source, (*data.split_off(train, validation, seed), source.test)


def read_pictures(
    spec: str,
    *,
    size: int | None,
    limit: int | None,
    validation: float,
    seed: int,
    tested: int | None = None,
) -> Pictures:
    """Load images as `load_images` does, and standardise each channel by the training part.

    Args:
        spec: A dataset as for `engram.data.load`.
        size: Side in pixels to which images are scaled, and the user's own also cropped; None
            keeps their size.
        limit: As in `load_images`.
        validation: As in `load_images`.
        seed: As in `load_images`.
        tested: Maximum number of test images, chosen at random; None uses all.

    Raises:
        ValueError: As in `load_images`.
    """
    own = spec not in data.CATALOGUE
    source, (train, chosen, test) = load_images(
        spec, size=size if own else None, limit=limit, validation=validation, seed=seed
    )
    if tested is not None:
        rows = np.random.default_rng(seed).permutation(len(test))[:tested]
        test = test.take(np.sort(rows))
    splits = (train, chosen, test)
    parts = [_pixels(split, size) for split in splits]
    axes = (0, 2, 3)
    mean, deviation = parts[0].mean(axes, keepdim=True), parts[0].std(axes, keepdim=True)
    deviation[deviation == 0] = 1.0
    return Pictures(
        source,
        *(
            Examples((x - mean) / deviation, torch.from_numpy(split.labels))
            for x, split in zip(parts, splits, strict=True)
        ),
    )


def _pixels(split: data.Split, size: int | None) -> Tensor:
    """The images of a split as `(n, channels, height, width)`."""
    pixels = torch.from_numpy(np.stack(list(split.inputs))).float()
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.movedim(-1, 1)
    if size is None or pixels.shape[-2:] == (size, size):
        return pixels.contiguous()
    return F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)


def as_batch(inputs: Tensor, rows: Tensor) -> Tensor:
    """Pick pictures: a `Collate` of the training engine."""
    return inputs[rows]
