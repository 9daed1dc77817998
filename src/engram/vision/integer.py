"""Convolutions of spikes in integer arithmetic, on the matrix units of a processor.

Each weight is an integer multiple of a power of two, in three digits of 8 bits, with at least 22
bits for the largest weight of its output channel. The convolution of spikes with each digit is
exact, and only the sum of the three digits and the bias is rounded, whereas a convolution in
float32 rounds at each addition.
"""

import os
from functools import cache
from typing import Any, TypeVar, final

import torch
from torch import Tensor, nn

from engram.kernel.eager import unwatched
from engram.neuron.backend import backend
from engram.vision.kernel.whole import add_digits, to_bytes
from engram.vision.layer import ConvBN, fold
from engram.vision.network import VisionModel

Model = TypeVar("Model", bound=VisionModel)

DIGITS, BASE = 3, 256
LARGEST = 127 * (1 + BASE + BASE**2)
"""The largest weight representable by three digits, in units."""
CHUNK = 1 << 21
"""Bytes of output per thread per call, about the size of a second-level cache."""


@final
class FixedPointConv(nn.Module):
    """A convolution in integer arithmetic for integer inputs, in floating point otherwise.

    Args:
        conv: The convolution, in float32 and in one group.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self._packed: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of `(batch, channels, height, width)`."""
        if torch.is_grad_enabled() or not (
            unwatched(x, self.conv.weight) and backend(x.device) == "numba"
        ):
            return self.conv(x)
        x = x.contiguous(memory_format=torch.channels_last)
        spikes = to_bytes(x) if x.dtype == torch.float32 and x.numel() else None
        return self.conv(x) if spikes is None else self.accumulate(spikes)

    def accumulate(self, spikes: Tensor) -> Tensor:
        """The convolution of bytes, a few images at a time, digit by digit."""
        size = self.conv(spikes[:0].float()).shape[1:]
        y = torch.empty((len(spikes), *size), memory_format=torch.channels_last)
        bias = torch.zeros(len(y[0])) if self.conv.bias is None else self.conv.bias
        images = max(1, CHUNK * torch.get_num_threads() // y[:1].nbytes)
        digits = self.packed(spikes)
        for part, some in zip(y.split(images), spikes.split(images), strict=True):
            low, middle, high = (self.convolve(some, *digit) for digit in digits)
            add_digits(part, low, middle, high, bias)
        return y

    def convolve(self, spikes: Tensor, packed: Tensor, unit: Tensor) -> Tensor:
        """The convolution with one digit, as float32."""
        zeros = torch.zeros(len(unit), dtype=torch.int64)
        return torch.ops.onednn.qconv_pointwise(
            *(spikes, 1.0, 0, packed, unit, zeros, None, *self.geometry(), 1),
            *(1.0, 0, torch.float32, "none", [], ""),
        )

    def packed(self, spikes: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each digit of the weights in the processor's layout, and its unit per channel."""
        if not self._packed:
            for digit, unit in digits_of(self.conv.weight.detach()):
                packed = torch.ops.onednn.qconv_prepack(
                    digit, unit, 1.0, 0, *self.geometry(), 1, list(spikes.shape)
                )
                self._packed.append((packed, unit))
        return self._packed

    def geometry(self) -> tuple[list[int], list[int], list[int]]:
        """Stride, padding and dilation."""
        conv = self.conv
        assert not isinstance(conv.padding, str)
        return list(conv.stride), list(conv.padding), list(conv.dilation)

    def __getstate__(self) -> dict[str, Any]:
        """A copy repacks its weights."""
        return self.__dict__ | {"_packed": []}


def digits_of(weight: Tensor) -> list[tuple[Tensor, Tensor]]:
    """A weight as Σ digit · unit, digits in int8 and units by output channel, smallest first.

    Args:
        weight: `(out_channels, …)`.
    """
    largest = weight.double().abs().flatten(1).amax(1)
    unit = torch.exp2((torch.where(largest > 0, largest, 1.0) / LARGEST).log2().ceil())
    rest = (weight.double() / unit.view(-1, *[1] * (weight.ndim - 1))).round().long()
    found = []
    for place in range(DIGITS):
        digit = (rest + BASE // 2) % BASE - BASE // 2
        rest = (rest - digit) // BASE
        found.append((digit.to(torch.int8), (unit * BASE**place).float()))
    return found


@cache
def has_matrix_unit() -> bool:
    """Whether the processor has a matrix unit for bytes (AMX) that torch can and may use.

    Without it, or if an environment variable forbids it to oneDNN, sums of products of bytes
    saturate.
    """
    allowed = [os.environ.get(f"{name}_MAX_CPU_ISA", "ALL") for name in ("ONEDNN", "DNNL")]
    if not all(isa.upper() in ("ALL", "DEFAULT") or "AMX" in isa.upper() for isa in allowed):
        return False
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return supported is not None and supported() and hasattr(torch.ops.onednn, "qconv_pointwise")


def fold_to_fixed_point(model: Model) -> Model:
    """`fold`, with integer convolutions if the processor has units for them.

    The outputs equal those of `fold` up to float32 rounding errors.

    Args:
        model: A trained model, which is not changed.
    """
    folded = fold(model)
    if has_matrix_unit():
        stem = set(folded.stem.modules())
        for module in folded.modules():
            if isinstance(module, ConvBN) and module not in stem and module.conv.groups == 1:
                module.conv = FixedPointConv(module.conv)  # pyright: ignore[reportAttributeAccessIssue]
    return folded
