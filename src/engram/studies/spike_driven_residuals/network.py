"""The compared networks: equal in size, different in what their residuals add."""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from engram.vision import (
    Spikformer,
    Spikingformer,
    VisionModel,
    ms_resnet18,
    resnet18,
    sew_resnet18,
)

NetworkName = Literal[
    "spikingformer", "spikformer", "sew-add", "sew-and", "sew-iand", "ms-resnet", "ann"
]


class Shape(NamedTuple):
    """Settings shared by all networks.

    Attributes:
        classes: Number of classes of the head.
        channels: Number of channels of an image.
        dim: Channels per token; a ResNet begins with an eighth of them and ends with as many.
        depth: Number of blocks of a transformer.
        heads: Number of attention heads.
        steps: T, the number of time steps; the artificial network has one.
    """

    classes: int
    channels: int
    dim: int
    depth: int
    heads: int
    steps: int


class Network(NamedTuple):
    """A network of the comparison: its label, what its residuals add, and how to make it."""

    label: str
    adds: str
    make: Callable[[Shape], VisionModel]


def transformer(family: type[Spikingformer] | type[Spikformer], shape: Shape) -> VisionModel:
    """A spiking transformer whose tokenizer halves the image twice, as for CIFAR."""
    return family(
        shape.depth,
        shape.dim,
        shape.heads,
        steps=shape.steps,
        num_classes=shape.classes,
        in_channels=shape.channels,
        pools=(3, 4) if family is Spikingformer else (2, 3),
    )


def spiking_resnet(make: Callable[..., VisionModel], shape: Shape) -> VisionModel:
    """A spiking ResNet-18 for small images."""
    return make(
        num_classes=shape.classes,
        steps=shape.steps,
        in_channels=shape.channels,
        width=shape.dim // 8,
        small_images=True,
    )


def artificial(shape: Shape) -> VisionModel:
    """A ResNet-18 without spikes."""
    return resnet18(
        num_classes=shape.classes,
        in_channels=shape.channels,
        width=shape.dim // 8,
        small_images=True,
    )


NETWORKS: dict[str, Network] = {
    "spikingformer": Network("Spikingformer", "membranes", partial(transformer, Spikingformer)),
    "spikformer": Network("Spikformer", "spikes", partial(transformer, Spikformer)),
    "sew-add": Network("SEW-ResNet, ADD", "spikes", partial(spiking_resnet, sew_resnet18)),
    "sew-and": Network(
        "SEW-ResNet, AND",
        "nothing: spikes gate spikes",
        partial(spiking_resnet, partial(sew_resnet18, connection="AND")),
    ),
    "sew-iand": Network(
        "SEW-ResNet, IAND",
        "nothing: spikes gate spikes",
        partial(spiking_resnet, partial(sew_resnet18, connection="IAND")),
    ),
    "ms-resnet": Network("MS-ResNet", "membranes", partial(spiking_resnet, ms_resnet18)),
    "ann": Network("ResNet, no spikes", "real numbers", artificial),
}
