"""Complex arithmetic with pairs of real tensors, for formats without complex numbers such as ONNX.

The same equations as in complex numbers, up to rounding.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram.errors import EngramError


class Pair(NamedTuple):
    """A complex tensor by its real and imaginary part."""

    real: Tensor
    imag: Tensor

    def times(self, other: "Pair") -> "Pair":
        """The product."""
        return Pair(
            self.real * other.real - self.imag * other.imag,
            self.real * other.imag + self.imag * other.real,
        )

    def plus(self, other: "Pair") -> "Pair":
        """The sum."""
        return Pair(self.real + other.real, self.imag + other.imag)

    def over(self, other: "Pair") -> "Pair":
        """The quotient."""
        size = other.real.square() + other.imag.square()
        product = self.times(Pair(other.real, -other.imag))
        return Pair(product.real / size, product.imag / size)

    def exp(self) -> "Pair":
        """The exponential."""
        size = self.real.exp()
        return Pair(size * self.imag.cos(), size * self.imag.sin())

    def steps(self, start: int, stop: int | None) -> "Pair":
        """The steps from `start` to before `stop`, along the first axis."""
        return Pair(self.real[start:stop], self.imag[start:stop])


def pair_recurrence(drive: Pair, decay: Pair) -> Pair:
    """`linear_recurrence` from zero: z[t] = a·z[t−1] + d[t], in log2(T) rounds."""
    z, power, reach = drive, decay, 1
    while reach < drive.real.shape[0]:
        joined = z.steps(reach, None).plus(power.times(z.steps(0, -reach)))
        z = Pair(torch.cat([z.real[:reach], joined.real]), torch.cat([z.imag[:reach], joined.imag]))
        power, reach = power.times(power), 2 * reach
    return z


def refuse_state(name: str, state: Any) -> None:
    """Raise ValueError if a neuron is exported with a complex state."""
    if state is not None:
        raise EngramError(
            f"{name} carries a complex state, which ONNX has no type for: export it outside "
            "stream(), over whole sequences"
        )
