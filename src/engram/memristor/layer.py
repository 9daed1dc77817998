"""Layers of stochastic bits, which compose in a `nn.Sequential` and pass signed errors back."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, final, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from engram.errors import EngramError
from engram.memristor.functional import (
    SPREAD,
    UNIT,
    Address,
    Derivative,
    Noise,
    Purpose,
    check_probabilities,
    comparator,
    on_grid,
    probability_table,
    read_noise,
    sample,
    whole,
)

Mode = Literal["sampled", "mean", "frozen"]
_UNIFORM = probability_table()


class _Stochastic(nn.Module):
    """What has draws of its own: the address of a pass is set by `drawing`."""

    def __init__(self, layer: int, seed: int) -> None:
        super().__init__()
        self.mode: Mode = "sampled"
        self.address = Address(seed, layer)
        self.samples: Tensor | None = None

    def numbers(self, count: int, places: int = 1) -> Tensor:
        """The number of each sample, or of each of its places."""
        own = torch.arange(count) if self.samples is None else self.samples
        if len(own) != count:
            raise EngramError(
                f"{len(own)} numbers of samples for a batch of {count}; give one each"
            )
        return own if places == 1 else (own[:, None] * places + torch.arange(places)).flatten()


@final
class StochasticBits(_Stochastic):
    """Inputs between 0 and 1 as bits of that probability.

    Args:
        layer: Number of the layer, which no other layer of the network has.
        seed: Seed of the draws.
    """

    def __init__(self, layer: int = 0, *, seed: int = 0) -> None:
        super().__init__(layer, seed)

    def forward(self, x: Tensor) -> Tensor:
        """Bits, in the shape of `(batch, …)`."""
        check_probabilities(x)
        if self.mode == "mean":
            return x
        rows = (x.detach().flatten(1).double() / UNIT).round()
        bits = sample(rows, _UNIFORM, self.address, Purpose.INPUT, self.numbers(len(x)))
        return bits.view(x.shape).to(x.dtype)


class BinaryStochastic(_Stochastic, ABC):
    """A layer of weights whose outputs are stochastic bits.

    Args:
        shape: Shape of the weight, outputs first.
        layer: Number of the layer, which no other layer of the network has.
        gain: k of the comparator.
        deviation: Standard deviation of the weights at the start.
        limit: Largest magnitude of a weight.
        output: Whether the error of the outputs is t − y, without a derivative bit.
        derivative: The derivative bit: whether the forward bit differs from a second sample
            (shared), whether two samples of their own differ (fresh), or always 1 (none).
        dead_zone: Magnitude of Wδ, in the unit of a weight, up to which an error is 0.
        noise: Noise of the comparator.
        read_noise: Standard deviation of a read of one weight, from read to read, in the unit of
            a weight. It is white, Gaussian and independent, so the sum of a read has √n times it
            for n active rows, with that of the bias; the comparator must be Gaussian too.
        seed: Seed of the weights and of the draws.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        layer: int,
        *,
        gain: float = 8.0,
        deviation: float = 0.2,
        limit: float = 1.0,
        output: bool = False,
        derivative: Derivative = "shared",
        dead_zone: float = 0.0,
        noise: Noise = "logistic",
        read_noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(layer, seed)
        for name, given, known in (
            ("noise", noise, get_args(Noise)),
            ("derivative", derivative, get_args(Derivative)),
        ):
            if given not in known:
                raise EngramError(f"{name}={given!r}: choose from {', '.join(known)}")
        if not 0 <= dead_zone < math.inf:
            raise EngramError(f"dead_zone={dead_zone}: give 0 or more, in the unit of a weight")
        if not 0 <= read_noise < math.inf or (read_noise > 0 and noise != "gaussian"):
            raise EngramError(
                f"read_noise={read_noise} with noise={noise!r}: give 0 or more, in the unit of a "
                "weight, and noise='gaussian' where it is not 0"
            )
        if not 0 < limit <= 1024:
            raise EngramError(f"limit={limit}: give the largest weight, above 0 up to 1024")
        self.gain, self.limit, self.output = gain, limit, output
        self.derivative: Derivative = derivative
        self.dead_zone = dead_zone
        self.noise, self.read_noise = noise, read_noise
        self.table = comparator(gain, noise)
        generator = torch.Generator().manual_seed(seed * 4096 + layer)
        weight = torch.randn(shape, generator=generator) * deviation
        self.weight = nn.Parameter(on_grid(weight, limit))
        self.bias = nn.Parameter(torch.zeros(shape[0]))

    def sums(self, x: Tensor) -> Tensor:
        """The sums z in units, exact for bits, `(batch, output, …)`."""
        z = self.read(x.detach().double(), whole(self.weight))
        return z + whole(self.bias).view(-1, *[1] * (z.ndim - 2))

    @abstractmethod
    def read(self, x: Tensor, weight: Tensor) -> Tensor:
        """The products that a crossbar sums."""

    @abstractmethod
    def counted(self, x: Tensor, errors: Tensor) -> Tensor:
        """Σ xᵀδ over the batch, in the shape of the weight."""

    @abstractmethod
    def read_back(self, shape: torch.Size, errors: Tensor, weight: Tensor) -> Tensor:
        """Wδ, in the shape of the input."""

    def factors(self, x: Tensor) -> Tensor:
        """√(s² + σ²n)/s: what read noise adds to that of the comparator, (batch, …, place)."""
        rows = self.read(x.detach().double(), torch.ones_like(self.weight[:1]).double()) + 1
        return (1 + rows * (self.read_noise * self.gain / SPREAD) ** 2).sqrt()

    def fire(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Bits of the outputs for bits x, and the derivative bits."""
        z, factors = self.sums(x), self._flat_factors(x)
        y = self.bits(z, Purpose.FORWARD, factors)
        if self.output or self.derivative == "none":
            return y, torch.ones_like(y)
        second = self.bits(z, Purpose.DERIVATIVE, factors)
        first = y if self.derivative == "shared" else self.bits(z, Purpose.FRESH, factors)
        return y, (first != second).to(y.dtype)

    def _flat_factors(self, x: Tensor) -> np.ndarray | None:
        return self.factors(x).flatten().numpy() if self.read_noise else None

    def bits(self, z: Tensor, purpose: Purpose, factors: np.ndarray | None = None) -> Tensor:
        """A sample of the outputs for sums z, whose thresholds have factors for each place."""
        flat = z.flatten(2).transpose(1, 2).flatten(0, 1) if z.ndim > 2 else z
        places = flat.shape[0] // max(z.shape[0], 1)
        found = sample(
            flat, self.table, self.address, purpose, self.numbers(len(z), places), factors
        )
        if z.ndim == 2:
            return found
        return found.view(len(z), places, -1).transpose(1, 2).reshape(z.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Bits of the outputs for bits x; in other modes their means, or bits without noise."""
        if self.mode == "sampled":
            if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
                return _Fire.apply(x, self.weight, self.bias, self)  # pyright: ignore[reportReturnType]
            return self.bits(self.sums(x), Purpose.FORWARD, self._flat_factors(x)).to(x.dtype)
        z = self.sums(x) * UNIT
        if self.mode == "frozen":
            return (z > 0).to(x.dtype)
        if self.noise == "logistic":
            return (self.gain * z).sigmoid().to(x.dtype)
        return torch.special.ndtr(self.gain / SPREAD * z / self.factors(x)).to(x.dtype)

    def errors(self, gradient: Tensor, d: Tensor) -> Tensor:
        """δ: the negative gradient, or its sign beyond the dead zone where a derivative is set."""
        if self.output:
            return -gradient
        return -gradient.sign() * (gradient.abs() > self.dead_zone) * d

    def counts(self, x: Tensor, errors: Tensor) -> tuple[Tensor, Tensor]:
        """Σ xᵀδ over the batch, for the weights and for the bias, exact whole numbers."""
        wide = errors.detach().double()
        return self.counted(x.detach().double(), wide), wide.sum([0, *range(2, wide.ndim)])

    def back(self, x: Tensor, errors: Tensor) -> Tensor:
        """Wδ in units with the noise of the read, in the shape of x, exact whole numbers."""
        wide = errors.detach().double()
        sums = self.read_back(x.shape, wide, whole(self.weight))
        if not self.read_noise:
            return sums
        squares = self.read_back(x.shape, wide.square(), torch.ones_like(self.weight).double())
        return sums + self._noise_back(squares)

    def _noise_back(self, squares: Tensor) -> Tensor:
        """Noise of the reads backward, of which Σδ² weights were active."""
        flat = squares.flatten(1)
        standard = read_noise(
            np.full(len(flat), self.read_noise / UNIT), flat.shape[1], self.address,
            self.numbers(len(flat)).numpy(),
        )  # fmt: skip
        return (torch.from_numpy(standard) * flat.sqrt()).round().view(squares.shape)


class _Fire(torch.autograd.Function):
    """The layer under autograd: gradients are minus counts of steps, and minus Wδ."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, layer: BinaryStochastic
    ) -> Tensor:
        y, d = layer.fire(x)
        ctx.layer = layer
        ctx.save_for_backward(x, d)
        return y.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, d = ctx.saved_tensors
        layer: BinaryStochastic = ctx.layer
        (gradient,) = gradients
        errors = layer.errors(gradient, d)
        weight, bias = layer.counts(x, errors)
        past = -layer.back(x, errors) * UNIT if ctx.needs_input_grad[0] else None
        return (
            None if past is None else past.to(x.dtype),
            -weight.to(layer.weight.dtype),
            -bias.to(layer.bias.dtype),
            None,
        )


@final
class BinaryStochasticLinear(BinaryStochastic):
    """A fully connected layer of stochastic bits.

    Args:
        inputs: Number of inputs.
        outputs: Number of outputs.
        layer: Number of the layer, which no other layer of the network has.
        settings: The other settings of a layer: gain, deviation, limit, output, derivative,
            dead_zone, noise, read_noise and seed.
    """

    def __init__(self, inputs: int, outputs: int, layer: int, **settings: Any) -> None:
        super().__init__((outputs, inputs), layer, **settings)

    def read(self, x: Tensor, weight: Tensor) -> Tensor:
        """The products of `(batch, input)`."""
        return functional.linear(x, weight)

    def counted(self, x: Tensor, errors: Tensor) -> Tensor:
        """Σ xᵀδ over the batch, `(output, input)`."""
        return errors.T @ x

    def read_back(self, shape: torch.Size, errors: Tensor, weight: Tensor) -> Tensor:
        """Wδ, `(batch, input)`."""
        return errors @ weight


@final
class BinaryStochasticConv2d(BinaryStochastic):
    """A convolution of stochastic bits, every place of which reads the same crossbar in turn.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        kernel: Height and width of the kernel.
        layer: Number of the layer, which no other layer of the network has.
        stride: Stride.
        padding: Zeros around the input.
        settings: The other settings of a layer: gain, deviation, limit, output, derivative,
            dead_zone, noise, read_noise and seed.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        layer: int,
        *,
        stride: int = 1,
        padding: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__((outputs, inputs, kernel, kernel), layer, **settings)
        self.stride, self.padding = stride, padding

    def read(self, x: Tensor, weight: Tensor) -> Tensor:
        """The products of `(batch, channel, height, width)`."""
        return functional.conv2d(x, weight, stride=self.stride, padding=self.padding)

    def counted(self, x: Tensor, errors: Tensor) -> Tensor:
        """Σ xᵀδ over the batch and all places, in the shape of the weight."""
        shape = self.weight.shape
        return conv2d_weight(x, shape, errors, stride=self.stride, padding=self.padding)

    def read_back(self, shape: torch.Size, errors: Tensor, weight: Tensor) -> Tensor:
        """Wδ, `(batch, channel, height, width)`."""
        return conv2d_input(shape, weight, errors, stride=self.stride, padding=self.padding)


def stochastic_layers(model: nn.Module) -> list[_Stochastic]:
    """The layers of a model that draw.

    Args:
        model: The model.

    Raises:
        EngramError: If it has none, or two of one number.
    """
    found = [module for module in model.modules() if isinstance(module, _Stochastic)]
    numbers = [layer.address.layer for layer in found]
    if not found or len(set(numbers)) < len(numbers):
        raise EngramError(
            f"the model has stochastic layers of the numbers {numbers}; give it at least one, and "
            "each a number of its own, so that their draws are independent"
        )
    return found


@contextmanager
def drawing(
    model: nn.Module, *, step: int = 0, vote: int = 0, samples: Tensor | None = None
) -> Iterator[None]:
    """Context in which the layers of a model draw for a step, a pass and the given samples.

    Args:
        model: The model.
        step: Number of the learning step.
        vote: Number of the pass.
        samples: The number of each sample of the batch, int64; None for 0, 1, ….
    """
    layers = stochastic_layers(model)
    before = [(layer.address, layer.samples) for layer in layers]
    try:
        for layer in layers:
            layer.address = layer.address._replace(step=step, vote=vote)
            layer.samples = samples
        yield
    finally:
        for layer, (address, own) in zip(layers, before, strict=True):
            layer.address, layer.samples = address, own


@contextmanager
def mode(model: nn.Module, name: Mode) -> Iterator[None]:
    """Context in which the layers of a model are sampled, mean or frozen.

    Args:
        model: The model.
        name: sampled, mean (probabilities in place of bits) or frozen (no noise).
    """
    layers = stochastic_layers(model)
    before: list[Mode] = [layer.mode for layer in layers]
    try:
        for layer in layers:
            layer.mode = name
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            layer.mode = own
