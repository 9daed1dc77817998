"""Executed operations: sums of products, statistics of their operands, outputs of neurons."""

from dataclasses import dataclass, field
from enum import IntEnum

import torch
from torch import Tensor

from engram.errors import EngramError


class Kind(IntEnum):
    """Kinds of values of an operand, by increasing cost."""

    BINARY = 0
    INTEGER = 1
    REAL = 2

    def __str__(self) -> str:
        return self.name.lower()


def is_binary(x: Tensor) -> bool:
    """Whether all values are 0 or 1."""
    return int(torch.count_nonzero(x == 1)) == int(torch.count_nonzero(x))


@dataclass
class Operand:
    """Statistics of one operand of an operation over all its calls.

    Attributes:
        weight: Whether it depends on no input of the network.
        elements: Total number of values.
        nonzero: Number of nonzero values.
        size: Maximum number of values in one call.
        calls: Numbers of calls in which it was binary, integer and real.
        largest: The largest magnitude.
        level: Its only value besides 0, if it has only one.
    """

    weight: bool = True
    elements: int = 0
    nonzero: int = 0
    size: int = 0
    calls: list[int] = field(default_factory=lambda: [0, 0, 0])
    largest: float = 0.0
    level: float | None = None

    @property
    def kind(self) -> Kind:
        """The most expensive kind in any call."""
        return max((kind for kind in Kind if self.calls[kind]), default=Kind.BINARY)

    @property
    def silent(self) -> bool:
        """Whether it was always 0, so that its kind is undetermined."""
        return self.nonzero == 0

    @property
    def rate(self) -> float:
        """The share of nonzero values."""
        return self.nonzero / self.elements if self.elements else 0.0

    def __str__(self) -> str:
        return "weight" if self.weight else str(self.kind)

    def observe(self, x: Tensor, weight: bool) -> None:
        """Add the values of a call.

        Raises:
            ValueError: They are not finite.
        """
        self.weight &= weight
        nonzero = int(torch.count_nonzero(x))
        self.elements += x.numel()
        self.size = max(self.size, x.numel())
        if not weight:
            self._classify(x, nonzero)
        self.nonzero += nonzero

    def _classify(self, x: Tensor, nonzero: int) -> None:
        if int(torch.count_nonzero(x == 1)) == nonzero:
            kind, largest = Kind.BINARY, float(nonzero > 0)
            level = 1.0 if nonzero else None
        else:
            largest = float(x.abs().max())
            if not torch.isfinite(x).all():
                raise EngramError("it reads NaN or infinity")
            kind = Kind.INTEGER if torch.equal(x, x.round()) else Kind.REAL
            level = float(x.flatten()[x.abs().argmax()])
            level = level if int(torch.count_nonzero(x == level)) == nonzero else None
        if nonzero:
            self.level = level if self.nonzero == 0 or self.level == level else None
        self.calls[kind] += 1
        self.largest = max(self.largest, largest)


@dataclass
class Operation:
    """One sum of products of a network, over all its calls.

    Attributes:
        path: Name of the module that ran it, as in `named_modules`.
        operator: "convolution", "matmul", "outer": a matrix product written out as an elementwise
            one, or "dynamics": a neuron's own matrix.
        place: Its number among operations of its kind in one call of the module, from 1.
        left: The left operand: the input of a layer.
        right: The right operand: usually the weight.
        within: Whether it ran inside a neuron, as part of its membrane's dynamics.
        calls: Number of calls.
        nominal: As in `Products`, over all calls.
        dense: As in `Products`.
        effective: As in `Products`.
        rows: Number of images or matrix rows read, over all calls.
        biases: Number of additions of a bias.
    """

    path: str
    operator: str
    place: int
    left: Operand = field(default_factory=Operand)
    right: Operand = field(default_factory=Operand)
    within: bool = False
    calls: int = 0
    nominal: int = 0
    dense: int = 0
    effective: int = 0
    rows: int = 0
    biases: int = 0

    @property
    def name(self) -> str:
        """The module and the operator, numbered if the module runs several."""
        number = f".{self.place}" if self.place > 1 else ""
        return f"{self.path or 'the network'}/{self.operator}{number}"

    @property
    def operands(self) -> tuple[Operand, Operand]:
        """Both operands."""
        return self.left, self.right

    @property
    def kinds(self) -> str:
        """The kinds of the operands, in words."""
        return f"{self.left} × {self.right}"

    @property
    def prepared(self) -> bool:
        """Whether it multiplies weights only, so that it need not run again for another input."""
        return self.left.weight and self.right.weight

    @property
    def gate(self) -> Operand | None:
        """The binary operand, which turns products into sums of selected values."""
        binary = [one for one in self.operands if not one.weight and one.kind is Kind.BINARY]
        return binary[0] if binary else None


@dataclass
class Activation:
    """The outputs of a layer of neurons over all its calls.

    Attributes:
        path: The module.
        elements: Number of values: one per neuron per step.
        nonzero: Number of nonzero values.
    """

    path: str
    elements: int = 0
    nonzero: int = 0

    @property
    def rate(self) -> float:
        """The share of nonzero values: spikes per neuron per step."""
        return self.nonzero / self.elements if self.elements else 0.0
