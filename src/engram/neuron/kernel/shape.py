"""Every surrogate gradient as scale · shape(width · x): what the kernels take it as."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from torch import Tensor

from engram.errors import EngramError
from engram.neuron.surrogate import (
    ATan,
    Erf,
    FastSigmoid,
    Rectangle,
    Sigmoid,
    Surrogate,
    Triangle,
)

CAUCHY, LOGISTIC, HAT, BOX, GAUSS, SQUARED = range(6)
"""1/(1+u²), e/(1+e)² with e = exp(−|u|), max(0, 1−|u|), 1[|u|<1], exp(−u²), 1/(1+|u|)²."""

Shape = tuple[int, float, float]

SHAPES: dict[type[Surrogate], Callable[[float], Shape]] = {
    ATan: lambda alpha: (CAUCHY, alpha / 2, math.pi / 2 * alpha),
    Sigmoid: lambda alpha: (LOGISTIC, alpha, alpha),
    Triangle: lambda alpha: (HAT, alpha, alpha),
    Rectangle: lambda alpha: (BOX, alpha, 2 * alpha),
    Erf: lambda alpha: (GAUSS, alpha / math.sqrt(math.pi), alpha),
    FastSigmoid: lambda alpha: (SQUARED, 1.0, alpha),
}
"""(shape, scale, width) of the surrogates that the kernels know, from their steepness."""


def shape_of(surrogate: Surrogate) -> Shape:
    """(shape, scale, width) of a surrogate that the kernels know."""
    return SHAPES[type(surrogate)](surrogate.alpha)


@final
@dataclass(frozen=True)
class Scaled(Surrogate):
    """A surrogate whose gradient is that of another, taken at α·x and multiplied by a height.

    Args:
        alpha: Factor of x.
        base: The other surrogate.
        height: Factor of its gradient.
    """

    base: Surrogate
    height: float

    def primitive(self, x: Tensor) -> Tensor:
        """See `Surrogate.primitive`."""
        return self.height / self.alpha * self.base.primitive(self.alpha * x)

    def derivative(self, x: Tensor) -> Tensor:
        """See `Surrogate.derivative`."""
        return self.height * self.base.derivative(self.alpha * x)


@lru_cache(256)
def surrogate_of(shape: int, scale: float, width: float) -> Surrogate:
    """The surrogate whose gradient is scale · shape(width · x), for operators that got numbers."""
    for kind in SHAPES:
        unit = kind(1.0)
        base_shape, base_scale, base_width = shape_of(unit)
        if base_shape == shape:
            return Scaled(width / base_width, unit, scale / base_scale)
    raise EngramError(f"there is no surrogate shape {shape}: it is one of 0 … {SQUARED}")


def check_shape(shape: int, scale: float, width: float) -> None:
    """Raises ValueError unless these are what `shape_of` makes of a surrogate."""
    if not (CAUCHY <= shape <= SQUARED and math.isfinite(scale) and 0 < width < math.inf):
        raise EngramError(
            f"shape={shape}, scale={scale!r}, width={width!r} is no surrogate gradient: take what "
            "kernel.shape.shape_of makes of a surrogate"
        )
