"""MobileNet: depthwise convolutions, each followed by a pointwise convolution."""

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from engram.errors import EngramError
from engram.vision.layer import ConvBN
from engram.vision.network import VisionModel
from engram.vision.resnet import initialise

STAGES = (
    ((64, 1),),
    ((128, 2), (128, 1)),
    ((256, 2), (256, 1)),
    ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    ((1024, 2), (1024, 1)),
)
"""Output channels and stride of the blocks of each stage."""


@final
class SeparableBlock(nn.Module):
    """A 3 × 3 convolution of each channel, then a 1 × 1 convolution, each with a ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = ConvBN(in_channels, in_channels, 3, stride=stride, groups=in_channels)
        self.pointwise = ConvBN(in_channels, out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        return self.relu(self.pointwise(self.relu(self.depthwise(x))))


@final
class MobileNetV1(VisionModel):
    """MobileNet-V1: an artificial network of one step.

    Args:
        num_classes: Number of classes of the head; 0 for no head.
        in_channels: Channels of the input.
        multiplier: Factor of all channels; the product with 32 must be an integer.
        small_images: Stem without stride.

    Raises:
        ValueError: The multiplier does not give an integer number of channels.

    References:
        Howard et al., "MobileNets", arXiv 1704.04861.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        multiplier: float = 1.0,
        small_images: bool = False,
    ) -> None:
        width = 32 * multiplier
        if width < 1 or width != int(width):
            raise EngramError(
                f"MobileNetV1(multiplier={multiplier!r}): 32 times the multiplier must be an "
                f"integer number of channels, as for 0.25, 0.5 or 0.75"
            )
        features = int(multiplier * STAGES[-1][-1][0])
        super().__init__(steps=1, in_channels=in_channels, num_features=features)
        self.stem = nn.Sequential(
            ConvBN(in_channels, int(width), 3, stride=1 if small_images else 2),
            nn.ReLU(inplace=True),
        )
        self.layers = nn.ModuleList()
        channels = int(width)
        for stage in STAGES:
            blocks = []
            for wide, stride in stage:
                blocks.append(SeparableBlock(channels, int(multiplier * wide), stride))
                channels = int(multiplier * wide)
            self.layers.append(nn.Sequential(*blocks))
        initialise(self)
        self.reset_classifier(num_classes)

    def stages(self) -> Sequence[nn.Module]:
        """The blocks between two changes of resolution."""
        return list(self.layers)


def mobilenet_v1(
    num_classes: int = 1000, *, in_channels: int = 3, small_images: bool = False
) -> MobileNetV1:
    """MobileNet-V1 of full width."""
    return MobileNetV1(num_classes, in_channels=in_channels, small_images=small_images)
