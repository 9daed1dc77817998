"""The network in which the neurons are compared, and images as sequences of rows."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import nn

from engram import data
from engram.neuron import Neuron
from engram.studies.comparison.network import SpikingNetwork
from engram.train import Examples
from engram.train.pictures import Pictures, load_images

NeuronName = Literal["if", "lif", "plif", "psn", "masked", "sliding"]


def row_network(
    features: int, hidden: int, classes: int, make: Callable[[], Neuron]
) -> SpikingNetwork:
    """(Linear, BatchNorm, neuron) twice, a linear readout, and the mean over time."""
    layers = [
        nn.Sequential(nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden))
        for width in (features, hidden)
    ]
    return SpikingNetwork(layers, nn.Linear(hidden, classes), [make() for _ in layers])


def read_images(
    spec: str, *, size: int | None, limit: int | None, validation: float, seed: int
) -> Pictures:
    """Images as sequences of rows `(n, time, features)`, standardised by the training part."""
    source, splits = load_images(spec, size=size, limit=limit, validation=validation, seed=seed)
    rows = [_rows(split) for split in splits]
    mean, deviation = rows[0].mean(), rows[0].std() or 1.0
    parts = [
        Examples(torch.from_numpy((x - mean) / deviation), torch.from_numpy(split.labels))
        for x, split in zip(rows, splits, strict=True)
    ]
    return Pictures(source, *parts)


def _rows(split: data.Split) -> np.ndarray:
    pixels = np.stack(list(split.inputs)).astype(np.float32)
    return pixels.reshape(*pixels.shape[:2], -1)
