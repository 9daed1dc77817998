"""The layers that every vision model is made of: convolution with batch norm, and its neurons."""

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engram.neuron import LIF, Neuron, Sigmoid
from engram.vision.norm import BatchNorm

Model = TypeVar("Model", bound=nn.Module)

NeuronFactory = Callable[..., Neuron]
"""Makes the neurons of one layer: a class of `engram.neuron`, or a `functools.partial` of one."""

paper_lif = partial(LIF, detach_reset=True, surrogate=Sigmoid(4.0))
"""The LIF of Spikingformer and Spikformer: τ = 2, hard reset to 0, V_th = 1."""


@final
class ConvBN(nn.Module):
    """Convolution, then batch norm: every step of every image is one sample of the norm.

    The weights lie channels-last, so that the activations do, too.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the square kernel; the padding keeps the size at stride 1.
        stride: Step of the kernel.
        groups: Groups of channels that do not mix.
        bias: Whether the convolution has a bias of its own.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=bias,
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.bn: nn.Module = BatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """The normalised convolution of `(batch, …)` or `(time, batch, …)`, shaped alike."""
        y = self.bn(self.conv(x if x.ndim == 4 else x.flatten(0, 1)))
        return y if x.ndim == 4 else y.unflatten(0, x.shape[:2])

    def fold(self) -> None:
        """Puts the batch norm, with the statistics it has, into the convolution, for good."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
            self.conv.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            self.bn = nn.Identity()


@final
class MaxPool(nn.Module):
    """Largest of each 3 × 3 square, every second one: half the height and half the width."""

    def forward(self, x: Tensor) -> Tensor:
        """Pools `(batch, …)` or `(time, batch, …)`."""
        pooled = nn.functional.max_pool2d(x if x.ndim == 4 else x.flatten(0, 1), 3, 2, 1)
        return pooled if x.ndim == 4 else pooled.unflatten(0, x.shape[:2])


def make_neuron(neuron: NeuronFactory, threshold: float = 1.0) -> Neuron:
    """The neurons of one layer, firing from `threshold` on; one that they learn starts there.

    Args:
        neuron: Makes them; called with the keyword `threshold` if it takes one.
        threshold: V_th.
    """
    parameters = inspect.signature(neuron).parameters.values()
    if any(p.name == "threshold" or p.kind is p.VAR_KEYWORD for p in parameters):
        return neuron(threshold=threshold)
    made = neuron()
    learned = getattr(made, "threshold", None)
    if isinstance(learned, nn.Parameter):
        nn.init.constant_(learned, threshold)
    return made


def repeat_steps(x: Tensor, steps: int) -> Tensor:
    """An activation `(batch, …)` shown at every step: `(time, batch, …)`, laid out as it was."""
    return torch.cat([x] * steps).unflatten(0, (steps, x.shape[0]))


def attend(
    q: Float[Tensor, "time batch channels height width"],
    k: Float[Tensor, "time batch channels height width"],
    v: Float[Tensor, "time batch channels height width"],
    *,
    heads: int,
    scale: float,
) -> Float[Tensor, "time batch channels height width"]:
    """Attention without softmax: scale · q(kᵀv) in each head, or scale · (qkᵀ)v if that is cheaper.

    Of spikes, both products are integers, and the orders agree to the last bit.

    Args:
        q: Queries; a pixel is a token.
        k: Keys.
        v: Values.
        heads: Heads, which share the channels.
        scale: Factor of the result.
    """
    # (time, batch, head, channel, token): the transpose of how the equation is written
    size = q.shape[3:]
    q, k, v = (s.flatten(3).unflatten(2, (heads, -1)) for s in (q, k, v))
    channels, tokens = q.shape[-2:]
    mixed = (v @ k.mT) @ q if channels <= tokens else v @ (k.mT @ q)
    return (scale * mixed).flatten(2, 3).unflatten(3, size)


def check_heads(name: str, dim: int, heads: int) -> None:
    """Raises ValueError unless the channels divide among the heads, and by 8."""
    if dim < 8 or dim % 8:
        raise ValueError(f"{name}(dim={dim}): the tokenizer widens from dim/8, a whole number")
    if heads < 1 or dim % heads:
        raise ValueError(
            f"{name}(dim={dim}, heads={heads}): the heads share the channels equally; choose a "
            f"number of heads that divides {dim}"
        )


def fold(model: Model) -> Model:
    """A copy of a model for inference, each batch norm folded into the convolution before it.

    The outputs are those of `model.eval()` up to rounding; a neuron that is charged to within
    rounding of its threshold may fire in one and not in the other.

    Args:
        model: A trained model; it stays as it is.
    """
    folded = copy.deepcopy(model).eval()
    for module in folded.modules():
        if isinstance(module, ConvBN):
            module.fold()
    return folded
