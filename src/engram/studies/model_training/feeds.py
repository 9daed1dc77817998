"""The data of a training: images, or recordings of event cameras in bins."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from engram import data
from engram.data.frames import SplitBy
from engram.data.images import Unreadable
from engram.errors import EngramError
from engram.train import EventFeed, Feed, ImageAugment, ImageFeed, Normal


class Feeds(NamedTuple):
    """The data of a training."""

    source: data.Dataset
    train: Feed
    validation: Feed
    test: Feed

    def inputs(self, count: int) -> Tensor:
        """The first test inputs, as a model takes them."""
        return self.test.batch(torch.arange(count), slice(None), 0)[0]


def read_feeds(
    spec: str,
    *,
    size: int | None,
    unreadable: Unreadable,
    limit: int | None,
    validation: float,
    seed: int,
    augment: ImageAugment | None,
    one_batch: int | None,
    steps: int | None,
    bins: SplitBy,
) -> Feeds:
    """Read the data of a training, and divide them.

    Args:
        spec: A dataset as for `engram.data.load`.
        size: Side in pixels to which the user's own images are scaled and cropped.
        unreadable: As in `engram.data.load`.
        limit: Maximum number of training examples, with classes in proportion; None uses all.
        validation: Share of them that selects the epoch.
        seed: Seed of the division and of the augmentation.
        augment: What is changed at random in training images.
        one_batch: Number of examples that are training, validation and test at once; None divides.
        steps: Number of bins of a recording.
        bins: Whether bins have equal durations or equal numbers of events.

    Raises:
        ValueError: If the data are of another kind, or do not fit the settings.
    """
    own = spec not in data.CATALOGUE
    source = data.load(spec, size=size if own else None, unreadable=unreadable)
    part = source.train
    if limit is not None and limit < len(part):
        _, part = data.split_off(part, limit / len(part), seed)
    taught, chosen = data.split_off(part, validation, seed)
    test = source.test
    if one_batch is not None:
        taught = chosen = test = taught.take(range(min(one_batch, len(taught))))
    if source.kind == "image":
        make = partial(ImageFeed, normal=Normal.of(taught.inputs), classes=len(source.classes))
        return Feeds(source, make(taught, augment=augment, seed=seed), make(chosen), make(test))
    if source.kind != "events" or source.sensor is None:
        raise EngramError(f"{spec} holds {source.kind}: choose a dataset of images or of events")
    if steps is None:
        raise EngramError(f"{spec} holds recordings of events: give steps, the number of bins")
    if augment not in (None, ImageAugment()):
        raise EngramError(f"augmentation is for images, and {spec} holds events: leave it out")
    binned = partial(EventFeed, sensor=source.sensor, steps=steps, by=bins)
    return Feeds(source, *map(binned, (taught, chosen, test)))
