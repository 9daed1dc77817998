"""The networks of the tasks, without their neurons."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn


class Body(NamedTuple):
    """Layers without time, and the size of the third axis of the neurons after each layer."""

    layers: list[nn.Module]
    channels: list[int]


def dense_body(shape: Sequence[int], width: int) -> Body:
    """(Linear, BatchNorm) twice."""
    layers: list[nn.Module] = [
        nn.Sequential(nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width))
        for inputs in (shape[0], width)
    ]
    return Body(layers, [width, width])


def column_body(shape: Sequence[int], width: int) -> Body:
    """The paper's network: three convolutions and a pool, twice, then a linear layer.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760, the network for sequential CIFAR.
    """
    sizes = [shape[0], *[width] * 6]
    convolutions = [
        nn.Sequential(nn.Conv1d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm1d(width))
        for inputs in sizes[:-1]
    ]
    convolutions[3].insert(0, nn.AvgPool1d(2))
    linear = nn.Linear(width * (shape[1] // 4), 2 * width)
    last = nn.Sequential(nn.AvgPool1d(2), nn.Flatten(), linear)
    return Body([*convolutions, last], [*sizes[1:], 2 * width])


def frame_body(shape: Sequence[int], width: int) -> Body:
    """Two convolutions that halve the image, then a linear layer; BatchNorm after each."""
    polarities, height, columns = shape
    pixels = -(-height // 4) * -(-columns // 4)
    sizes = [width, 2 * width, 8 * width]
    layers: list[nn.Module] = [
        nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs)
        )
        for inputs, outputs in ((polarities, sizes[0]), (sizes[0], sizes[1]))
    ]
    linear = nn.Linear(sizes[1] * pixels, sizes[2], bias=False)
    return Body([*layers, nn.Sequential(nn.Flatten(), linear, nn.BatchNorm1d(sizes[2]))], sizes)
