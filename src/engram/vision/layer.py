"""The layers of vision models: convolution with batch norm, and neurons."""

import copy
import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar, final

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engram.neuron import IF, LIF, Neuron, Sigmoid
from engram.neuron.convolution import Conv2d
from engram.neuron.kernel.lif import Settings
from engram.neuron.kernel.shape import SHAPES, shape_of
from engram.vision.norm import BatchNorm

Model = TypeVar("Model", bound=nn.Module)

NeuronFactory = Callable[..., Neuron]
"""Makes the neurons of one layer: a class of `engram.neuron`, or a `functools.partial` of one."""

paper_lif = partial(LIF, detach_reset=True, surrogate=Sigmoid(4.0))
"""The LIF of Spikingformer and Spikformer: τ = 2, hard reset to 0, V_th = 1."""


@final
class ConvBN(nn.Module):
    """Convolution and batch norm; the norm treats every step of every image as one sample.

    The weights are stored channels-last, and therefore the activations are too.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the square kernel; the padding preserves the size at stride 1.
        stride: Step of the kernel.
        groups: Groups of channels that do not mix.
        bias: Whether the convolution has a bias of its own.
        padding: Pixels added on each side; None for what preserves the size at stride 1.
        eps: ε of the batch norm.
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
        padding: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2 if padding is None else padding,
            groups=groups,
            bias=bias,
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.bn: nn.Module = BatchNorm(out_channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised convolution of `(batch, …)` or `(time, batch, …)`."""
        y = self.bn(self.conv(x if x.ndim == 4 else x.flatten(0, 1)))
        return y if x.ndim == 4 else y.unflatten(0, x.shape[:2])

    def fold(self) -> None:
        """Fold the batch norm with its current statistics into the convolution, permanently."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
            self.conv.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            self.bn = nn.Identity()


def fire(conv: nn.Module, neuron: nn.Module, x: Tensor) -> Tensor:
    """`neuron(conv(x))`; in training, norm and neuron are one pass if a kernel supports them.

    Args:
        conv: Convolution and batch norm; kernels support a `ConvBN`.
        neuron: Neurons.
        x: Input `(time, batch, …)`.
    """
    settings = kernel_settings(neuron)
    if settings is None or not isinstance(conv, ConvBN) or not isinstance(conv.bn, BatchNorm):
        return neuron(conv(x))
    if _hooked(conv, conv.bn, neuron):
        return neuron(conv(x))
    y = conv.conv(x.flatten(0, 1))
    if conv.bn.serves(y):
        return conv.bn.fire(y, x.shape[0], settings).unflatten(0, x.shape[:2])
    return neuron(conv.bn(y).unflatten(0, x.shape[:2]))


def kernel_settings(neuron: nn.Module) -> Settings | None:
    """Settings of a LIF that starts from rest for the fused kernel; None for other neurons."""
    if not isinstance(neuron, IF | LIF) or neuron.carry:
        return None
    if type(neuron.surrogate) not in SHAPES:
        return None
    tau, resting = (neuron.tau, neuron.resting) if isinstance(neuron, LIF) else (math.inf, None)
    threshold, reset = neuron.threshold, neuron.reset
    if isinstance(tau, Tensor) or isinstance(threshold, Tensor) or isinstance(reset, Tensor):
        return None  # the kernel takes one value for all neurons
    if resting is not None:
        return None
    return Settings(
        tau,
        threshold,
        reset,
        neuron.decay_input,
        neuron.detach_reset,
        *shape_of(neuron.surrogate),
    )


def _hooked(*modules: nn.Module) -> bool:
    """Whether hooks observe the inputs or outputs of these modules."""
    return any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in modules)


@final
class Chain(nn.Sequential):
    """Layers along time, in order; a convolution and directly following neurons are fused."""

    def forward(self, input: Tensor) -> Tensor:
        """The output of the last layer for `(time, batch, …)`."""
        x, waiting = input, None
        for layer in _flat(self):
            if waiting is not None:
                x = fire(waiting, layer, x) if isinstance(layer, Neuron) else layer(waiting(x))
                waiting = None
            elif isinstance(layer, ConvBN):
                waiting = layer
            else:
                x = layer(x)
        return x if waiting is None else waiting(x)


def _flat(layers: nn.Sequential) -> Iterator[nn.Module]:
    """The layers in order, with nested sequences flattened."""
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer)
        else:
            yield layer


@final
class MaxPool(nn.Module):
    """3 × 3 max pooling with stride 2, which halves height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """Pools `(batch, …)` or `(time, batch, …)`."""
        pooled = nn.functional.max_pool2d(x if x.ndim == 4 else x.flatten(0, 1), 3, 2, 1)
        return pooled if x.ndim == 4 else pooled.unflatten(0, x.shape[:2])


def make_neuron(neuron: NeuronFactory, threshold: float = 1.0) -> Neuron:
    """Make the neurons of one layer.

    Args:
        neuron: Makes them; called with the keyword `threshold` if it accepts it.
        threshold: V_th, or the initial value of a learned one.
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
    """Repeat an activation `(batch, …)` at every step, keeping its memory layout."""
    return torch.cat([x] * steps).unflatten(0, (steps, x.shape[0]))


def fold(model: Model) -> Model:
    """Copy a model for inference, with each batch norm folded into the preceding convolution.

    The outputs equal those of `model.eval()` up to rounding; a neuron whose potential is within
    rounding errors of its threshold may fire in one and not in the other.

    Args:
        model: A trained model, which is not changed.
    """
    folded = copy.deepcopy(model).eval()
    for module in folded.modules():
        if isinstance(module, ConvBN):
            module.fold()
    return folded
