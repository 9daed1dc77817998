"""ResNet, and the frame of its spiking relatives: a stem, stages of residual blocks, a head."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import final

from torch import Tensor, nn

from engram.vision.layer import ConvBN, MaxPool
from engram.vision.network import Naming, VisionModel

BlockFactory = Callable[[int, int, int], nn.Module]
"""Makes a residual block from its input's channels, its width, and the stride it begins with."""

DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks a stage, by the number of layers; from 50 on the blocks are bottlenecks."""
EXPANSION = 4
"""How many times wider than its middle a bottleneck's output is."""


@final
class ResNet(VisionModel):
    """A residual network along time, whatever its blocks are.

    Args:
        stem: The layers without time before the first stage.
        entry: What an activation passes after the stem, once it runs along time; None for nothing.
        block: Makes the blocks.
        depths: Blocks a stage; each stage doubles the width.
        width: Width of the first stage, and channels of the stem.
        expansion: How many times wider than its width a block's output is.
        first_stride: Stride of the first stage; the others have 2.
        last: What follows the last block; None for nothing.
        num_classes: Classes of the head; 0 for none.
        steps: T, how many steps an image is shown.
        in_channels: Channels of the input.
        naming: How published checkpoints name the weights.
        others: How checkpoints of other publications do.
    """

    def __init__(
        self,
        stem: nn.Module,
        entry: nn.Module | None,
        block: BlockFactory,
        depths: Sequence[int],
        *,
        width: int = 64,
        expansion: int = 1,
        first_stride: int = 1,
        last: nn.Module | None = None,
        num_classes: int = 1000,
        steps: int = 1,
        in_channels: int = 3,
        naming: Naming,
        others: Sequence[Naming] = (),
    ) -> None:
        features = width * 2 ** (len(depths) - 1) * expansion
        super().__init__(steps=steps, in_channels=in_channels, num_features=features)
        self.namings = (naming, *others)
        self.stem = stem
        self.entry = entry
        self.layers = nn.ModuleList()
        channels = width
        for stage, depth in enumerate(depths):
            inner = width * 2**stage
            blocks = []
            for number in range(depth):
                stride = 1 if number else 2 if stage else first_stride
                blocks.append(block(channels, inner, stride))
                channels = inner * expansion
            if last is not None and stage == len(depths) - 1:
                blocks.append(last)
            self.layers.append(nn.Sequential(*blocks))
        initialise(self)
        self.reset_classifier(num_classes)

    def stages(self) -> list[nn.Module]:
        """The entry, where there is one, and the stages of blocks."""
        return [*([] if self.entry is None else [self.entry]), *self.layers]


@final
class ResidualBlock(nn.Module):
    """ReLU(F(x) + shortcut(x)), with a ReLU between the convolutions of F.

    Args:
        convolutions: F.
        shortcut: Brings x to the shape of F(x); None where it has it.
    """

    def __init__(self, convolutions: Sequence[ConvBN], shortcut: ConvBN | None) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convolutions)
        self.shortcut = shortcut
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        y = x
        for number, conv in enumerate(self.convs):
            y = conv(self.relu(y) if number else y)
        return self.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def residual_convolutions(
    in_channels: int, width: int, stride: int, bottleneck: bool
) -> list[ConvBN]:
    """Two 3 × 3 convolutions; or a bottleneck, whose 3 × 3 convolution has the stride."""
    if bottleneck:
        return [
            ConvBN(in_channels, width),
            ConvBN(width, width, 3, stride=stride),
            ConvBN(width, EXPANSION * width),
        ]
    return [ConvBN(in_channels, width, 3, stride=stride), ConvBN(width, width, 3)]


def projection(
    in_channels: int, out_channels: int, stride: int, *, always: bool = False
) -> ConvBN | None:
    """The 1 × 1 convolution of a shortcut that changes shape, or of every one; else None."""
    if stride == 1 and in_channels == out_channels and not always:
        return None
    return ConvBN(in_channels, out_channels, stride=stride)


def stem_of(in_channels: int, width: int, small_images: bool) -> ConvBN:
    """7 × 7 with stride 2; for small images 3 × 3 with stride 1."""
    if small_images:
        return ConvBN(in_channels, width, 3)
    return ConvBN(in_channels, width, 7, stride=2)


def entry_of(activation: nn.Module, small_images: bool) -> nn.Module:
    """The first activation, and the pooling after it; small images are not pooled."""
    return activation if small_images else nn.Sequential(activation, MaxPool())


def start_norm(conv: ConvBN, weight: float, bias: float = 0.0) -> None:
    """Initialises the weight and the bias of a batch norm."""
    assert isinstance(conv.bn, nn.BatchNorm2d)
    nn.init.constant_(conv.bn.weight, weight)
    nn.init.constant_(conv.bn.bias, bias)


def initialise(model: nn.Module) -> None:
    """Kaiming's normal weights, by outputs, in every convolution."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def resnet(
    layers: int = 18,
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    width: int = 64,
    small_images: bool = False,
) -> ResNet:
    """The artificial network: one step, no spikes.

    Args:
        layers: 18, 34, 50, 101 or 152.
        num_classes: Classes of the head; 0 for none.
        in_channels: Channels of the input.
        width: Width of the first stage.
        small_images: 3 × 3 stem without stride and pooling, as usual for CIFAR.

    Raises:
        ValueError: There is no ResNet of so many layers.

    References:
        He et al., "Deep residual learning for image recognition", CVPR 2016, arXiv 1512.03385.
    """
    depths, bottleneck = depths_of(layers), layers >= 50
    expansion = EXPANSION if bottleneck else 1

    def block(channels: int, inner: int, stride: int) -> ResidualBlock:
        return ResidualBlock(
            residual_convolutions(channels, inner, stride, bottleneck),
            projection(channels, inner * expansion, stride),
        )

    return ResNet(
        stem_of(in_channels, width, small_images),
        entry_of(nn.ReLU(inplace=True), small_images),
        block,
        depths,
        width=width,
        expansion=expansion,
        num_classes=num_classes,
        in_channels=in_channels,
        naming=Naming("torchvision", published_key),
    )


resnet18 = partial(resnet, 18)
resnet34 = partial(resnet, 34)
resnet50 = partial(resnet, 50)
"""The sizes that spiking networks are compared with; see `resnet`."""


def depths_of(layers: int) -> tuple[int, ...]:
    """Blocks a stage.

    Raises:
        ValueError: There is no ResNet of so many layers.
    """
    if layers not in DEPTHS:
        raise ValueError(f"there is no ResNet of {layers} layers: choose one of {list(DEPTHS)}")
    return DEPTHS[layers]


_PUBLISHED = (
    (r"^stem\.(conv|bn)\.", r"\g<1>1."),
    (r"^head\.", "fc."),
    (r"\.shortcut\.conv\.", ".downsample.0."),
    (r"\.shortcut\.bn\.", ".downsample.1."),
)


def published_key(key: str) -> str:
    """The name that torchvision gives a weight, and SpikingJelly in a SEW-ResNet."""
    for ours, theirs in _PUBLISHED:
        key = re.sub(ours, theirs, key)
    key = re.sub(r"\.convs\.(\d+)\.(conv|bn)\.", lambda m: f".{m[2]}{int(m[1]) + 1}.", key)
    return re.sub(r"^layers\.(\d+)\.", lambda m: f"layer{int(m[1]) + 1}.", key)
