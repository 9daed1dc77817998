"""What ran: operations that sum products, what their operands held, what neurons put out."""

from dataclasses import dataclass, field
from enum import IntEnum

import torch
from torch import Tensor


class Kind(IntEnum):
    """The values of an operand, from the cheapest to the dearest."""

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
    """What one side of an operation held, over all its calls.

    Attributes:
        weight: Whether it depends on no input of the network.
        elements: Values in all.
        nonzero: Those other than 0.
        size: Values in one call, the largest.
        calls: Calls in which it was binary, integer and real.
        largest: The largest magnitude.
        level: The one value that it has besides 0, as far as it has only one.
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
        """The dearest kind that it had in any call."""
        return max((kind for kind in Kind if self.calls[kind]), default=Kind.BINARY)

    @property
    def silent(self) -> bool:
        """Whether it was 0 throughout, so that its kind says nothing."""
        return self.nonzero == 0

    @property
    def rate(self) -> float:
        """The share of its values other than 0."""
        return self.nonzero / self.elements if self.elements else 0.0

    def __str__(self) -> str:
        return "weight" if self.weight else str(self.kind)

    def observe(self, x: Tensor, weight: bool) -> None:
        """Take in the values of a call.

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
                raise ValueError("it reads NaN or infinity")
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
        path: The module that ran it, as `named_modules` names it.
        operator: "convolution", "matmul", "outer": a matrix product written out as an elementwise
            one, or "dynamics": a neuron's own matrix.
        place: Which of its kind it is in one call of that module, from 1.
        left: What it read: the input of a layer.
        right: What it read it with: usually the weight.
        within: Whether it ran inside a neuron, as part of its membrane's dynamics.
        calls: How often it ran.
        nominal: As in `Products`, over all calls.
        dense: As in `Products`.
        effective: As in `Products`.
        rows: Pictures, or rows of matrices, that it read, over all calls.
        biases: Additions of a bias.
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
        """The module and the operator, numbered where the module runs several."""
        number = f".{self.place}" if self.place > 1 else ""
        return f"{self.path or 'the network'}/{self.operator}{number}"

    @property
    def operands(self) -> tuple[Operand, Operand]:
        """Both sides."""
        return self.left, self.right

    @property
    def kinds(self) -> str:
        """What it multiplies, in words."""
        return f"{self.left} × {self.right}"

    @property
    def prepared(self) -> bool:
        """Whether it multiplies weights only, and need not run again for another input."""
        return self.left.weight and self.right.weight

    @property
    def gate(self) -> Operand | None:
        """The binary operand, which turns the products into sums of what it lets through."""
        binary = [one for one in self.operands if not one.weight and one.kind is Kind.BINARY]
        return binary[0] if binary else None


@dataclass
class Activation:
    """What a layer of neurons put out, over all its calls.

    Attributes:
        path: The module.
        elements: Values in all: a neuron and step each.
        nonzero: Those other than 0.
    """

    path: str
    elements: int = 0
    nonzero: int = 0

    @property
    def rate(self) -> float:
        """The share of values other than 0: spikes a neuron and step."""
        return self.nonzero / self.elements if self.elements else 0.0
