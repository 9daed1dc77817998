"""MS-ResNet: residual blocks on membranes, whose convolutions read spikes."""

import re
from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron import LIF, Rectangle
from engram.vision.layer import ConvBN, NeuronFactory, fire, make_neuron
from engram.vision.network import Naming
from engram.vision.resnet import ResNet, projection, residual_convolutions, start_norm, stem_of

THRESHOLD = 0.5
PAPER_NEURON = partial(
    LIF, tau=4 / 3, decay_input=False, detach_reset=True, surrogate=Rectangle(1.0)
)
"""The neuron of the published networks: V decays to a quarter at each step."""

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 104: (3, 8, 32, 8)}
"""Number of blocks per stage, by the number of layers."""


@final
class MSBlock(nn.Module):
    """F(x) + shortcut(x) on membrane potentials, with neurons before each convolution of F.

    Args:
        convolutions: F without its neurons.
        shortcut: Maps x to the shape of F(x); None if the shapes agree.
        neuron: Makes the neurons.
    """

    def __init__(
        self,
        convolutions: Sequence[ConvBN],
        shortcut: nn.Module | None,
        neuron: NeuronFactory,
    ) -> None:
        super().__init__()
        self.neurons = nn.ModuleList(make_neuron(neuron, THRESHOLD) for _ in convolutions)
        self.convs = nn.ModuleList(convolutions)
        self.shortcut = shortcut
        *inner, outer = convolutions
        for conv in inner:
            start_norm(conv, THRESHOLD)
        start_norm(outer, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """One block, along time."""
        first, *others = self.neurons
        *inner, outer = self.convs
        spikes = first(x)
        for conv, neuron in zip(inner, others, strict=True):
            spikes = fire(conv, neuron, spikes)
        return outer(spikes) + (x if self.shortcut is None else self.shortcut(x))


@final
class PooledProjection(nn.Module):
    """A shortcut of the 104-layer network: average pooling with `stride`, then 1 × 1 ConvBN."""

    def __init__(self, projection: ConvBN, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.projection = projection

    def forward(self, x: Tensor) -> Tensor:
        """The shortcut of `(time, batch, …)`."""
        pooled = nn.functional.avg_pool2d(x.flatten(0, 1), self.stride, ceil_mode=True)
        return self.projection(pooled.unflatten(0, x.shape[:2]))


@final
class DeepStem(nn.Module):
    """Stem of the 104-layer network: 3 × 3 convolutions, the first with stride 2, and a norm."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, stride=2, padding=1),
            nn.Conv2d(width, width, 3, padding=1),
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.last = ConvBN(width, width, 3, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """The membranes of `(batch, …)` or `(time, batch, …)`."""
        y = self.last(self.convs(x.flatten(0, x.ndim - 4)))
        return y.unflatten(0, x.shape[:-3])


def ms_resnet(
    layers: int = 18,
    num_classes: int = 1000,
    steps: int = 6,
    *,
    neuron: NeuronFactory = PAPER_NEURON,
    in_channels: int = 3,
    width: int = 64,
    small_images: bool = False,
) -> ResNet:
    """A residual network whose shortcuts carry membranes.

    Args:
        layers: 18, 34 or 104; the last has a deep stem and shortcuts that pool.
        num_classes: Number of classes of the head; 0 for no head.
        steps: T, the number of time steps per image.
        neuron: Makes the neurons, with threshold 0.5.
        in_channels: Channels of the input.
        width: Width of the first stage.
        small_images: 3 × 3 stem and first stage without stride, as usual for CIFAR.

    Raises:
        ValueError: There is no MS-ResNet with that number of layers.

    References:
        Hu et al., "Advancing spiking neural networks towards deep residual learning", TNNLS 2024,
        arXiv 2112.08954.
    """
    if layers not in DEPTHS:
        raise EngramError(f"there is no MS-ResNet of {layers} layers: choose one of {list(DEPTHS)}")
    deep = layers == 104

    def block(channels: int, inner: int, stride: int) -> MSBlock:
        shortcut = projection(channels, inner, 1 if deep else stride, always=stride > 1)
        if shortcut is not None:
            start_norm(shortcut, THRESHOLD)
            if deep:
                shortcut = PooledProjection(shortcut, stride)
        return MSBlock(residual_convolutions(channels, inner, stride, False), shortcut, neuron)

    if deep and not small_images:
        stem = DeepStem(in_channels, width)
        start_norm(stem.last, THRESHOLD)
    else:
        stem = stem_of(in_channels, width, small_images)
        start_norm(stem, THRESHOLD)
    return ResNet(
        stem,
        None,
        block,
        DEPTHS[layers],
        width=width,
        first_stride=1 if small_images else 2,
        last=make_neuron(neuron, THRESHOLD),
        num_classes=num_classes,
        steps=steps,
        in_channels=in_channels,
        naming=Naming("ms-resnet", published_key),
        others=() if deep else (Naming("spikingjelly", spikingjelly_key),),
    )


ms_resnet18 = partial(ms_resnet, 18)
ms_resnet34 = partial(ms_resnet, 34)
ms_resnet104 = partial(ms_resnet, 104)
"""The paper's sizes for ImageNet; see `ms_resnet`."""


_PUBLISHED = (
    (r"^stem\.conv\.", "conv1.0."),
    (r"^stem\.bn\.", "conv1.1.bn."),
    (r"^stem\.convs\.", "conv1."),
    (r"^stem\.last\.conv\.", "conv1.2."),
    (r"^stem\.last\.bn\.", "conv1.3.bn."),
    (r"^head\.", "fc."),
    (r"\.shortcut\.projection\.conv\.", ".shortcut.1."),
    (r"\.shortcut\.projection\.bn\.", ".shortcut.2.bn."),
    (r"\.shortcut\.conv\.", ".shortcut.0."),
    (r"\.shortcut\.bn\.", ".shortcut.1.bn."),
    (r"\.convs\.0\.conv\.", ".residual_function.1."),
    (r"\.convs\.0\.bn\.", ".residual_function.2.bn."),
    (r"\.convs\.1\.conv\.", ".residual_function.4."),
    (r"\.convs\.1\.bn\.", ".residual_function.5.bn."),
)


def published_key(key: str) -> str:
    """The name of a weight in the code of the paper's authors."""
    for ours, theirs in _PUBLISHED:
        key = re.sub(ours, theirs, key)
    return re.sub(r"^layers\.(\d+)\.", lambda m: f"conv{int(m[1]) + 2}_x.", key)


_SPIKINGJELLY = (
    (r"^stem\.conv\.", "stem.0."),
    (r"^stem\.bn\.", "stem.1."),
    (r"\.shortcut\.conv\.", ".downsample.0."),
    (r"\.shortcut\.bn\.", ".downsample.1."),
)


def spikingjelly_key(key: str) -> str:
    """The name of a weight in SpikingJelly 2.0."""
    for ours, theirs in _SPIKINGJELLY:
        key = re.sub(ours, theirs, key)
    key = re.sub(r"\.convs\.(\d+)\.(conv|bn)\.", lambda m: f".{m[2]}{int(m[1]) + 1}.", key)
    return re.sub(r"^layers\.(\d+)\.", lambda m: f"layer{int(m[1]) + 1}.", key)
