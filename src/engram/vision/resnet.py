"""ResNet, and the frame of its spiking relatives: a stem, stages of residual blocks, a head."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import final

from torch import Tensor, nn

from engram.errors import EngramError
from engram.vision.layer import ConvBN, MaxPool
from engram.vision.network import Naming, VisionModel

BlockFactory = Callable[[int, int, int], nn.Module]
"""Makes a residual block from its input channels, its width, and its first stride."""

DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Number of blocks per stage, by the number of layers; bottlenecks from 50 layers on."""
EXPANSION = 4
"""Ratio of a bottleneck's output width to its middle width."""


@final
class ResNet(VisionModel):
    """A residual network along time with arbitrary blocks.

    Args:
        stem: The layers without time before the first stage.
        entry: A layer along time after the stem; None for none.
        block: Makes the blocks.
        depths: Number of blocks per stage; each stage doubles the width.
        width: Width of the first stage, and channels of the stem.
        expansion: Ratio of a block's output channels to its width.
        first_stride: Stride of the first stage; the others have 2.
        last: A layer after the last block; None for none.
        num_classes: Number of classes of the head; 0 for no head.
        steps: T, the number of time steps per image.
        in_channels: Channels of the input.
        naming: How published checkpoints name the weights.
        others: How checkpoints of other publications name them.
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
        """The entry, if any, and the stages of blocks."""
        return [*([] if self.entry is None else [self.entry]), *self.layers]


@final
class ResidualBlock(nn.Module):
    """ReLU(F(x) + shortcut(x)), with a ReLU between the convolutions of F.

    Args:
        convolutions: F.
        shortcut: Maps x to the shape of F(x); None if the shapes agree.
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
    """The 1 × 1 convolution of a shortcut that changes shape, or of every shortcut; else None."""
    if stride == 1 and in_channels == out_channels and not always:
        return None
    return ConvBN(in_channels, out_channels, stride=stride)


def stem_of(in_channels: int, width: int, small_images: bool) -> ConvBN:
    """7 × 7 with stride 2; for small images 3 × 3 with stride 1."""
    if small_images:
        return ConvBN(in_channels, width, 3)
    return ConvBN(in_channels, width, 7, stride=2)


def entry_of(activation: nn.Module, small_images: bool) -> nn.Module:
    """The first activation and its pooling; small images are not pooled."""
    return activation if small_images else nn.Sequential(activation, MaxPool())


def start_norm(conv: ConvBN, weight: float, bias: float = 0.0) -> None:
    """Initialise the weight and the bias of a batch norm."""
    assert isinstance(conv.bn, nn.BatchNorm2d)
    nn.init.constant_(conv.bn.weight, weight)
    nn.init.constant_(conv.bn.bias, bias)


def initialise(model: nn.Module) -> None:
    """Initialise every convolution by Kaiming's normal weights, with fan-out."""
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
        num_classes: Number of classes of the head; 0 for no head.
        in_channels: Channels of the input.
        width: Width of the first stage.
        small_images: 3 × 3 stem without stride and pooling, as usual for CIFAR.

    Raises:
        ValueError: There is no ResNet with that number of layers.

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
"""ResNets for comparison with spiking networks; see `resnet`."""


def depths_of(layers: int) -> tuple[int, ...]:
    """Return the number of blocks per stage.

    Raises:
        ValueError: There is no ResNet with that number of layers.
    """
    if layers not in DEPTHS:
        raise EngramError(f"there is no ResNet of {layers} layers: choose one of {list(DEPTHS)}")
    return DEPTHS[layers]


_PUBLISHED = (
    (r"^stem\.(conv|bn)\.", r"\g<1>1."),
    (r"^head\.", "fc."),
    (r"\.shortcut\.conv\.", ".downsample.0."),
    (r"\.shortcut\.bn\.", ".downsample.1."),
)


def published_key(key: str) -> str:
    """The name of a weight in torchvision, and in SpikingJelly's SEW-ResNet."""
    for ours, theirs in _PUBLISHED:
        key = re.sub(ours, theirs, key)
    key = re.sub(r"\.convs\.(\d+)\.(conv|bn)\.", lambda m: f".{m[2]}{int(m[1]) + 1}.", key)
    return re.sub(r"^layers\.(\d+)\.", lambda m: f"layer{int(m[1]) + 1}.", key)
