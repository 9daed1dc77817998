"""Training: examples, images and their augmentation, and a short training loop."""

from engram.train.augment import Augmentation
from engram.train.examples import (
    Augment,
    Collate,
    Examples,
    Padded,
    batches,
    pad,
    time_first,
)
from engram.train.fit import History, cosine, fit, predict, rehearse
from engram.train.pictures import Pictures, as_batch, load_images, read_pictures

__all__ = [
    "Augment",
    "Augmentation",
    "Collate",
    "Examples",
    "History",
    "Padded",
    "Pictures",
    "as_batch",
    "batches",
    "cosine",
    "fit",
    "load_images",
    "pad",
    "predict",
    "read_pictures",
    "rehearse",
    "time_first",
]
