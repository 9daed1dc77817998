"""EfficientNet-Lite0: inverted residual blocks with ReLU6."""

import re
from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from engram.vision.layer import ConvBN
from engram.vision.network import Naming, VisionModel
from engram.vision.resnet import initialise

EPS = 1e-3
"""ε of the batch norms, as in the published weights; torch's default is 1e-5."""

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, first stride, expansion and output channels of each stage."""


@final
class SamePad(nn.Module):
    """The padding "SAME" of TensorFlow: an output has ⌈size / stride⌉ pixels per side.

    An odd number of added pixels leaves the larger part at the right and at the bottom.

    Args:
        kernel_size: Side of the kernel of the following convolution.
        stride: Its stride.
    """

    def __init__(self, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """The padded batch `(…, height, width)`."""
        top, bottom = self._added(x.shape[-2])
        left, right = self._added(x.shape[-1])
        return nn.functional.pad(x, (left, right, top, bottom))

    def _added(self, size: int) -> tuple[int, int]:
        outputs = -(-size // self.stride)
        total = max((outputs - 1) * self.stride + self.kernel_size - size, 0)
        return total // 2, total - total // 2


def same_conv(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution and its batch norm after `SamePad`."""
    conv = ConvBN(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        groups=groups,
        padding=0,
        eps=EPS,
    )
    return nn.Sequential(SamePad(kernel_size, stride), conv)


@final
class InvertedBlock(nn.Module):
    """Expansion, depthwise convolution and linear projection, with a shortcut where it fits.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the depthwise kernel.
        stride: Stride of the depthwise convolution.
        expansion: Ratio of the middle channels to those of the input; 1 for no expansion.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.expand = ConvBN(in_channels, width, eps=EPS) if expansion > 1 else None
        self.expand_relu = nn.ReLU6() if expansion > 1 else None
        self.depthwise = same_conv(width, width, kernel_size, stride=stride, groups=width)
        self.relu = nn.ReLU6()
        self.project = ConvBN(width, out_channels, eps=EPS)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        y = x
        if self.expand is not None and self.expand_relu is not None:
            y = self.expand_relu(self.expand(y))
        y = self.project(self.relu(self.depthwise(y)))
        return x + y if self.shortcut else y


@final
class EfficientNetLite0(VisionModel):
    """EfficientNet-Lite0: an artificial network of one step, with ReLU6 as its only nonlinearity.

    Each of the 16 blocks is a stage, and the last convolution is the 17th.

    Args:
        num_classes: Number of classes of the head; 0 for no head.
        in_channels: Channels of the input.

    References:
        Tan, Le, "EfficientNet", ICML 2019, arXiv 1905.11946; the Lite variants have neither
        squeeze-and-excitation nor swish.
    """

    def __init__(self, num_classes: int = 1000, *, in_channels: int = 3) -> None:
        super().__init__(steps=1, in_channels=in_channels, num_features=1280)
        self.stem = nn.Sequential(same_conv(in_channels, 32, 3, stride=2), nn.ReLU6())
        blocks, channels = [], 32
        for count, kernel_size, first_stride, expansion, wide in STAGES:
            for number in range(count):
                stride = first_stride if number == 0 else 1
                blocks.append(InvertedBlock(channels, wide, kernel_size, stride, expansion))
                channels = wide
        self.layers = nn.ModuleList(blocks)
        self.last = nn.Sequential(ConvBN(channels, 1280, eps=EPS), nn.ReLU6())
        self.namings = (Naming("efficientnet_lite", published_key),)
        initialise(self)
        self.reset_classifier(num_classes)

    def stages(self) -> Sequence[nn.Module]:
        """The 16 blocks and the last convolution."""
        return [*self.layers, self.last]


efficientnet_lite0 = EfficientNetLite0
"""The preset: its only size."""

_PUBLISHED = (
    (r"^stem\.0\.1\.conv\.", "_conv_stem."),
    (r"^stem\.0\.1\.bn\.", "_bn0."),
    (r"^last\.0\.conv\.", "_conv_head."),
    (r"^last\.0\.bn\.", "_bn1."),
    (r"^head\.", "_fc."),
    (r"^layers\.", "_blocks."),
    (r"\.expand\.conv\.", "._expand_conv."),
    (r"\.expand\.bn\.", "._bn0."),
    (r"\.depthwise\.1\.conv\.", "._depthwise_conv."),
    (r"\.depthwise\.1\.bn\.", "._bn1."),
    (r"\.project\.conv\.", "._project_conv."),
    (r"\.project\.bn\.", "._bn2."),
)


def published_key(key: str) -> str:
    """The name of a weight in the published file."""
    for ours, theirs in _PUBLISHED:
        key = re.sub(ours, theirs, key)
    return key
