"""Layers that read spikes and have sparse weights: only weights that are not zero are visited.

`SparseSpikeConv` and `SparseSpikeLinear` are made from the layers of torch; `sparse_layers`
replaces layers of a model where that is measured to pay.
"""

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from engram.errors import EngramError
from engram.prune.kernel.spikes import (
    Geometry,
    SparseWeight,
    compress,
    expand,
    levels_of,
    spike_conv,
)

ROUNDS = 7
"""How often dense and sparse layers take turns when they are compared."""
GAIN = 0.98
"""A layer is replaced if its time falls below this share of the dense one."""


class _SparseSpikeLayer(nn.Module):
    """Keeps sparse weights as buffers; a layer without a bias has one of zeros.

    Args:
        weight: `(output, input of a group, …)`.
        bias: `(output,)`, or None.
        geometry: How the equivalent convolution moves.
    """

    pointers: Tensor
    indices: Tensor
    values: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> None:
        super().__init__()
        if weight.dtype != torch.float32 or weight.device.type != "cpu":
            raise EngramError(
                f"the weights are {weight.dtype} on {weight.device}; sparse layers take "
                "torch.float32 on the CPU: convert the model first"
            )
        found = compress(weight)
        self.shape, self.geometry, self.row = tuple(weight.shape), geometry, found.size
        self.register_buffer("pointers", found.pointers)
        self.register_buffer("indices", found.indices)
        self.register_buffer("values", found.values)
        bias = torch.zeros(len(weight)) if bias is None else bias.detach().clone()
        self.register_buffer("bias", bias)
        self._checked = False

    @property
    def sparsity(self) -> float:
        """The share of weights that are zero."""
        return 1 - len(self.values) / max(torch.Size(self.shape).numel(), 1)

    @property
    def weight(self) -> Tensor:
        """All weights, zeros included; made anew at each call."""
        return expand(self._sparse(), self.shape)

    def _sparse(self) -> SparseWeight:
        return SparseWeight(self.pointers, self.indices, self.values, self.row)

    def _multiply(self, x: Tensor) -> Tensor | None:
        if torch.is_grad_enabled() and x.requires_grad:
            raise EngramError("sparse layers have no gradient; call them under torch.no_grad()")
        y = spike_conv(x, self._sparse(), self.bias, self.geometry, self._checked)
        self._checked = True
        return y

    def _load_from_state_dict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, state_dict: Any, prefix: str, *args: Any
    ) -> None:
        """Take weights of another number of nonzeros, too; they are checked at the next call."""
        for name in ("indices", "values"):
            if (found := state_dict.get(f"{prefix}{name}")) is not None:
                setattr(self, name, torch.empty_like(found, device=self.bias.device))
        self._checked = False
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """What `repr` shows."""
        return f"{self.shape}, sparsity={self.sparsity:.4f}"


@final
class SparseSpikeConv(_SparseSpikeLayer):
    """A two-dimensional convolution of spikes, or of sums of spikes up to 255, with sparse weights.

    Other inputs are convolved densely: right, but slower than the layer that this one replaces.
    """

    @classmethod
    def from_dense(cls, conv: nn.Conv2d) -> Self:
        """Return the layer of equal weights.

        Args:
            conv: A convolution, whose weights are not changed.

        Raises:
            EngramError: If it pads otherwise than with zeros, or is not float32 on the CPU.
        """
        padding = conv.padding
        if conv.padding_mode != "zeros" or isinstance(padding, str):
            raise EngramError(
                f"the convolution pads {conv.padding_mode}, {padding!r}; sparse layers pad a "
                "number of zeros"
            )
        pairs = (conv.kernel_size, conv.stride, padding, conv.dilation)
        (kh, kw), (sh, sw), (ph, pw), (dh, dw) = pairs
        geometry = Geometry(
            conv.in_channels, conv.groups, (kh, kw), (sh, sw), (ph, pw), (dh, dw)
        )  # fmt: skip
        return cls(conv.weight, conv.bias, geometry)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of `(…, channels, height, width)`, with at most one axis before."""
        batch = x if x.ndim == 4 else x.unsqueeze(0)
        y = self._multiply(batch)
        if y is None:
            at = self.geometry
            y = functional.conv2d(
                batch, self.weight, self.bias, at.stride, at.padding, at.dilation, at.groups
            )
        return y if x.ndim == 4 else y.squeeze(0)


@final
class SparseSpikeLinear(_SparseSpikeLayer):
    """A linear map of spikes, or of sums of spikes up to 255, with sparse weights."""

    @classmethod
    def from_dense(cls, linear: nn.Linear) -> Self:
        """Return the layer of equal weights.

        Args:
            linear: A linear layer, whose weights are not changed.

        Raises:
            EngramError: If it is not float32 on the CPU.
        """
        one = (1, 1)
        geometry = Geometry(linear.in_features, 1, one, one, (0, 0), one)
        return cls(linear.weight, linear.bias, geometry)

    def forward(self, x: Tensor) -> Tensor:
        """The product of `(…, features)`."""
        y = self._multiply(x.reshape(-1, x.shape[-1], 1, 1))
        if y is None:
            return functional.linear(x, self.weight, self.bias)
        return y.reshape(*x.shape[:-1], len(self.bias))


class LayerChoice(NamedTuple):
    """What became of a layer.

    Attributes:
        name: The layer.
        taken: Whether it was replaced.
        reason: Why it was not; empty if it was.
        sparsity: The share of its weights that are zero.
        dense_s: Median time of the dense layer, in seconds; None if it was not measured.
        sparse_s: Median time of the sparse one.
    """

    name: str
    taken: bool
    reason: str
    sparsity: float
    dense_s: float | None = None
    sparse_s: float | None = None


def sparse_layers(model: nn.Module, x: Tensor) -> tuple[nn.Module, list[LayerChoice]]:
    """Copy a model for inference, with sparse layers where they are faster than the dense ones.

    Each convolution and linear layer that reads spikes is measured with what it receives when the
    model runs on x, with the current number of threads; the faster form stays.

    Args:
        model: A model in evaluation mode whose weights are pruned; it is not changed.
        x: An input of the size that the model will be used with.

    Returns:
        The copy, and a choice for each of its layers.
    """
    model = copy.deepcopy(model).eval()
    received = layer_inputs(model, x)
    choices = []
    for name, layer in list(model.named_modules()):
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        choice, sparse = _choose(name, layer, received.get(name))
        choices.append(choice)
        if sparse is not None:
            model.set_submodule(name, sparse)
    if any(choice.taken for choice in choices):
        # sparse layers read and write images channel by channel
        model.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    return model, choices


def layer_inputs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What each convolution and linear layer of a model receives first, by name.

    Args:
        model: A model in evaluation mode.
        x: Its input.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_layer: nn.Module, args: tuple[Any, ...]) -> None:
            found.setdefault(name, args[0].detach())

        return hook

    handles = [
        layer.register_forward_pre_hook(keep(name))
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    try:
        with torch.inference_mode():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _choose(
    name: str, layer: nn.Conv2d | nn.Linear, x: Tensor | None
) -> tuple[LayerChoice, nn.Module | None]:
    sparsity = float((layer.weight == 0).float().mean())

    def left(reason: str) -> tuple[LayerChoice, None]:
        return LayerChoice(name, False, reason, sparsity), None

    if x is None:
        return left("it did not run")
    if x.dtype != torch.float32 or levels_of(x) is None:
        return left("it reads other numbers than spikes")
    kind = SparseSpikeConv if isinstance(layer, nn.Conv2d) else SparseSpikeLinear
    try:
        sparse = kind.from_dense(layer)  # pyright: ignore[reportArgumentType]
    except EngramError as error:
        return left(str(error))
    with torch.inference_mode():
        wanted, got = layer(x), sparse(x)
    if wanted.shape != got.shape or not torch.allclose(wanted, got, rtol=1e-4, atol=1e-4):
        return left(f"a {type(layer).__name__} computes something else")
    dense_s, sparse_s = compare(layer, sparse, x)
    taken = sparse_s < GAIN * dense_s
    reason = "" if taken else "the dense layer is as fast"
    choice = LayerChoice(name, taken, reason, sparsity, dense_s, sparse_s)
    return choice, sparse if taken else None


def compare(dense: nn.Module, sparse: nn.Module, x: Tensor) -> tuple[float, float]:
    """Median seconds of two layers that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for layer in (dense, sparse):
            layer(x)
        for _ in range(ROUNDS):
            for layer, seen in zip((dense, sparse), times, strict=True):
                start = time.perf_counter()
                layer(x)
                seen.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])
