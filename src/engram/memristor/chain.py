"""Fused learning of a chain of dense layers: the bits of `learn` and `StepUpdate`, sooner."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.memristor.functional import (
    SPREAD,
    UNIT,
    Purpose,
    check_probabilities,
    probability_table,
    read_noise,
)
from engram.memristor.kernel import chain as kernel
from engram.memristor.kernel.fire import fire
from engram.memristor.layer import (
    BinaryStochasticLinear,
    StochasticBits,
    stochastic_layers,
)
from engram.memristor.learning import StepUpdate

_UNIFORM = probability_table()


class _Half(NamedTuple):
    """Weights or biases of a layer in whole numbers, rows first."""

    parameter: nn.Parameter
    values: np.ndarray
    counters: np.ndarray


class _Link(NamedTuple):
    """A layer in whole numbers."""

    layer: BinaryStochasticLinear
    weight: _Half
    bias: _Half


@final
class Chain:
    """A model of dense stochastic layers, and its optimizer, in whole numbers; see `fused`."""

    def __init__(self, model: nn.Sequential, update: StepUpdate) -> None:
        stochastic_layers(model)
        layers = [layer for layer in model if not isinstance(layer, nn.Flatten)]
        self.bits = layers[0] if isinstance(layers[0], StochasticBits) else None
        links = layers[1:] if self.bits is not None else layers
        others = [
            type(one).__name__ for one in links if not isinstance(one, BinaryStochasticLinear)
        ]
        if others or not links:
            raise EngramError(
                f"the model has {', '.join(others) or 'no dense layer'}: a chain is made of "
                "StochasticBits, nn.Flatten and BinaryStochasticLinear; use learn for others"
            )
        outputs = [one.output for one in links if isinstance(one, BinaryStochasticLinear)]
        if outputs != [False] * (len(outputs) - 1) + [True]:
            raise EngramError(
                f"output is {outputs} by layer; give output=True to the last layer only"
            )
        self.update = update
        self.settings = dict(update.settings())
        self.links = [self._link(one) for one in links if isinstance(one, BinaryStochasticLinear)]

    def _link(self, layer: BinaryStochasticLinear) -> _Link:
        largest = (layer.weight.shape[1] + 1) * layer.limit / UNIT
        if largest >= 1 << 31:
            raise EngramError(
                f"layer {layer.address.layer} has sums up to {largest:.3g} units, and a chain has "
                "32 bits; use learn"
            )
        return _Link(layer, self._half(layer.weight), self._half(layer.bias))

    def _half(self, parameter: nn.Parameter) -> _Half:
        if parameter not in self.settings:
            raise EngramError("the optimizer has no weight of one of the layers; give it all")
        limit = self.settings[parameter]["limit"] / UNIT
        if limit != round(limit):
            raise EngramError(f"limit={limit * UNIT}: give a multiple of 2^-16 to a chain")
        if parameter.detach().abs().max() > limit * UNIT:
            raise EngramError(
                f"a weight is beyond limit={limit * UNIT} of the optimizer; give the layers the "
                "same limit"
            )
        held = self.update.counters(parameter)
        return _Half(parameter, _rows(parameter.detach().double() / UNIT), _rows(held))

    def store(self) -> None:
        """Write weights and counters back to the model and its optimizer."""
        with torch.no_grad():
            for link in self.links:
                for half in (link.weight, link.bias):
                    shape = half.parameter.shape
                    values = torch.from_numpy(half.values.T.copy()).double() * UNIT
                    half.parameter.copy_(values.view(shape))
                    held = torch.from_numpy(half.counters.T.copy()).double()
                    self.update.state[half.parameter]["counters"] = held.view(shape)

    def learn(self, x: Tensor, labels: Tensor, step: int, samples: Tensor | None = None) -> Tensor:
        """Learn from a batch: pass forward and back, count, and move the weights.

        Args:
            x: Inputs, `(sample, …)`.
            labels: `(sample,)`.
            step: Number of the learning step, of which the draws depend.
            samples: The number of each sample, of which the draws depend; None for 0, 1, ….

        Returns:
            Bits of the outputs, `(sample, class)`.
        """
        numbers = np.arange(len(x)) if samples is None else samples.numpy()
        bits = [self._inputs(_levels(x), numbers, step, 0)]
        derivatives: list[np.ndarray] = []
        for link in self.links:
            found = self._sums(link, bits[-1])
            bits.append(self._fire(link, *found, numbers, step, 0, Purpose.FORWARD))
            if not link.layer.output:
                derivatives.append(self._derivative(link, *found, bits[-1], numbers, step))
        errors = -bits[-1].astype(np.int32)
        errors[np.arange(len(x)), labels.numpy()] += 1
        for i in range(len(self.links) - 1, -1, -1):
            link, below = self.links[i], errors
            if i:
                below = np.empty(bits[i].shape, np.int32)
                noise = self._noise_back(link, len(x), bits[i].shape[1], numbers, step)
                dead = int(self.links[i - 1].layer.dead_zone / UNIT)
                kernel.pass_back(errors, link.weight.values, derivatives[i - 1], noise, dead, below)
            self._move(link, bits[i], errors)
            errors = below
        return torch.from_numpy(bits[-1]).float()

    def vote(self, x: Tensor, passes: int, samples: Tensor | None = None) -> Tensor:
        """Sum the outputs of several passes, as `engram.memristor.vote` does.

        Args:
            x: Inputs, `(sample, …)`.
            passes: N, 1 to 65,535.
            samples: As in `learn`.

        Returns:
            Passes in which each output was 1, `(sample, class)`, int64.
        """
        numbers = np.arange(len(x)) if samples is None else samples.numpy()
        total = np.zeros((len(x), len(self.links[-1].bias.values)), np.int64)
        levels = _levels(x)
        for i in range(passes):
            bits = self._inputs(levels, numbers, 0, i)
            for link in self.links:
                bits = self._fire(link, *self._sums(link, bits), numbers, 0, i, Purpose.FORWARD)
            total += bits
        return torch.from_numpy(total)

    def _inputs(self, levels: np.ndarray, numbers: np.ndarray, step: int, vote: int) -> np.ndarray:
        if self.bits is None:
            if not np.isin(levels, (0, 1 / UNIT)).all():
                raise EngramError(
                    "the inputs are not all 0 or 1, and the model has no StochasticBits to draw "
                    "them; put it first"
                )
            return (levels > 0).astype(np.uint8)
        bits = np.empty(levels.shape, np.uint8)
        address = self.bits.address._replace(step=step, vote=vote)
        stream = np.uint64(address.stream(Purpose.INPUT))
        kernel.draw(levels, _UNIFORM, np.uint64(address.seed), stream, numbers, bits)
        return bits

    def _sums(self, link: _Link, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums, and the factors of their thresholds."""
        sums = np.empty((len(bits), len(link.bias.values)), np.int32)
        counts = np.empty(len(bits), np.int64)
        kernel.read(bits, link.weight.values, link.bias.values, sums, counts)
        share = (link.layer.read_noise * link.layer.gain / SPREAD) ** 2
        return sums, np.sqrt(1 + (counts + 1) * share)

    def _fire(
        self, link: _Link, sums: np.ndarray, factors: np.ndarray, numbers: np.ndarray, step: int,
        vote: int, purpose: Purpose,
    ) -> np.ndarray:  # fmt: skip
        address = link.layer.address._replace(step=step, vote=vote)
        bits = np.empty(sums.shape, np.uint8)
        seed, stream = np.uint64(address.seed), np.uint64(address.stream(purpose))
        fire(sums, link.layer.table, factors, seed, stream, numbers, bits)
        return bits

    def _derivative(
        self, link: _Link, sums: np.ndarray, factors: np.ndarray, bits: np.ndarray,
        numbers: np.ndarray, step: int,
    ) -> np.ndarray:  # fmt: skip
        """The derivative bits, (sample, output)."""
        if link.layer.derivative == "none":
            return np.ones_like(bits)
        draw = partial(self._fire, link, sums, factors, numbers, step, 0)
        first = bits if link.layer.derivative == "shared" else draw(Purpose.FRESH)
        return first ^ draw(Purpose.DERIVATIVE)

    def _noise_back(
        self, link: _Link, count: int, inputs: int, numbers: np.ndarray, step: int
    ) -> np.ndarray:
        """Noise of the read of one weight backward, for each sample and input."""
        if not link.layer.read_noise:
            return np.empty((0, inputs))
        deviations = np.full(count, link.layer.read_noise / UNIT)
        return read_noise(deviations, inputs, link.layer.address._replace(step=step), numbers)

    def _move(self, link: _Link, bits: np.ndarray, errors: np.ndarray) -> None:
        touched = np.empty(bits.shape[1], np.bool_)
        kernel.count(bits, errors, link.weight.counters, link.bias.counters, touched)
        self._step(link.weight, touched)
        self._step(
            link.bias._replace(values=link.bias.values[None], counters=link.bias.counters[None]),
            np.ones(1, np.bool_),
        )

    def _step(self, half: _Half, touched: np.ndarray) -> None:
        group = self.settings[half.parameter]
        if self.update.device is not None:
            self._pulse(half, touched, group)
            return
        size = max(1, round(group["step"] / UNIT))
        self.update.pulses += kernel.step(
            half.counters, half.values, touched, group["carry"], size,
            round(group["limit"] / UNIT), group["many"],
        )  # fmt: skip

    def _pulse(self, half: _Half, touched: np.ndarray, group: dict[str, Any]) -> None:
        """Move pairs of devices where a carry is reached."""
        inputs, outputs = half.values.shape
        where, pulses = (np.empty(int(touched.sum()) * outputs, np.int64) for _ in range(2))
        found = kernel.take(half.counters, touched, group["carry"], group["many"], where, pulses)
        moved = self.update.pulse(half.parameter, where[:found], pulses[:found])
        output, row = np.divmod(where[:found], inputs)
        half.values[row, output] = (moved.double() / UNIT).numpy()


@contextmanager
def fused(model: nn.Sequential, update: StepUpdate) -> Iterator[Chain]:
    """Context in which a model learns by the fused kernel; afterwards it has what was learned.

    A step has the bits of `learn` followed by `update.step()`. Settings of the optimizer may be
    changed between steps; weights and counters are those of the chain until the context ends.

    Args:
        model: `StochasticBits`, `nn.Flatten` and `BinaryStochasticLinear`, one after another; the
            last layer is an output.
        update: The optimizer of all its weights.

    Raises:
        EngramError: If the model has other layers, or is beyond 32 bits.
    """
    chain = Chain(model, update)
    try:
        yield chain
    finally:
        chain.store()


def _levels(x: Tensor) -> np.ndarray:
    """Inputs in units, (sample, input)."""
    check_probabilities(x)
    return (x.detach().flatten(1).double() / UNIT).round().int().numpy()


def _rows(values: Tensor) -> np.ndarray:
    """Whole numbers, rows of inputs first, in 32 bits."""
    return np.ascontiguousarray(values.numpy().astype(np.int32).T)
