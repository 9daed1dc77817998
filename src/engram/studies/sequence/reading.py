"""From datasets to sequences: pixels, columns, events and sounds in order."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from engram import data
from engram.data.frames import event_frames
from engram.data.sound import log_mel
from engram.errors import EngramError
from engram.train import Collate, Examples, pad, time_first

FRAMES = 20
"""Number of time bins per event recording."""


class Options(NamedTuple):
    """Options of a task's sequences: full or reduced length, and the order of the pixels."""

    full: bool = False
    permutation_seed: int | None = None


class Sequences(NamedTuple):
    """A dataset as sequences.

    Attributes:
        source: The dataset.
        collate: Collates examples to a batch.
        T: Number of steps of the longest training sequence.
        shape: Shape of a step.
        train: Training examples.
        validation: Validation examples, which select the epoch.
        test: The dataset's own test examples.
    """

    source: data.Dataset
    collate: Collate
    T: int
    shape: tuple[int, ...]
    train: Examples
    validation: Examples
    test: Examples


def read_pixels(source: data.Dataset, parts: Sequence[data.Split], options: Options) -> Sequences:
    """Images pixel by pixel, row by row or in one random order; at half resolution unless full."""
    pixels = [np.stack(list(part.inputs)).astype(np.float32) for part in parts]
    if not options.full:
        pixels = [halved(images) for images in pixels]
    T = pixels[0][0].size
    order = np.arange(T)
    if options.permutation_seed is not None:
        order = np.random.default_rng(options.permutation_seed).permutation(T)
    return _of_one_length(source, parts, [x.reshape(len(x), T, 1)[:, order] for x in pixels])


def halved(images: np.ndarray) -> np.ndarray:
    """Pictures (n, height, width) at half resolution: means of 2 × 2 pixels."""
    n, height, width = images.shape
    return images.reshape(n, height // 2, 2, width // 2, 2).mean((2, 4))


def read_columns(source: data.Dataset, parts: Sequence[data.Split], _options: Options) -> Sequences:
    """Images column by column from the left, each (channels, height)."""
    pixels = [np.stack(list(part.inputs)).astype(np.float32) for part in parts]
    return _of_one_length(source, parts, [x.transpose(0, 2, 3, 1) for x in pixels])


def read_events(source: data.Dataset, parts: Sequence[data.Split], _options: Options) -> Sequences:
    """Events counted in time bins, each (polarity, height, width); counted batch by batch."""
    if source.sensor is None:
        raise EngramError(f"{source.name} does not state its sensor size; choose another")
    examples = [Examples(part.inputs, torch.from_numpy(part.labels)) for part in parts]
    collate = partial(collate_events, sensor=source.sensor)
    return Sequences(source, collate, FRAMES, (2, *source.sensor), *examples)


def collate_events(
    recordings: Sequence[np.ndarray], rows: Int64[Tensor, " batch"], *, sensor: tuple[int, int]
) -> Float[Tensor, "time batch 2 height width"]:
    """Frames of some recordings, `FRAMES` of each."""
    counts = [event_frames(recordings[row], sensor, T=FRAMES) for row in rows.tolist()]
    return torch.from_numpy(np.stack(counts, axis=1))


def read_sounds(source: data.Dataset, parts: Sequence[data.Split], _options: Options) -> Sequences:
    """Log-mel spectra step by step, each band standardised by the training part."""
    if source.sample_rate_hz is None:
        raise EngramError(f"{source.name} does not state its sample rate; choose another")
    spectra = [[log_mel(wave, source.sample_rate_hz) for wave in part.inputs] for part in parts]
    seen = np.concatenate(spectra[0])
    mean, deviation = seen.mean(0), seen.std(0) + 1e-6
    examples = [
        Examples(
            [torch.from_numpy((x - mean) / deviation) for x in sounds],
            torch.from_numpy(part.labels),
        )
        for sounds, part in zip(spectra, parts, strict=True)
    ]
    return Sequences(source, pad, max(map(len, spectra[0])), seen.shape[1:], *examples)


def _of_one_length(
    source: data.Dataset, parts: Sequence[data.Split], arrays: Sequence[np.ndarray]
) -> Sequences:
    """Arrays (n, time, channels, …), each channel standardised by the training part."""
    train = arrays[0]
    others = tuple(axis for axis in range(train.ndim) if axis != 2)
    mean, deviation = train.mean(others, keepdims=True), train.std(others, keepdims=True) + 1e-6
    examples = [
        Examples(
            torch.from_numpy(np.ascontiguousarray((x - mean[0]) / deviation[0])),
            torch.from_numpy(part.labels),
        )
        for x, part in zip(arrays, parts, strict=True)
    ]
    return Sequences(source, time_first, train.shape[1], train.shape[2:], *examples)
