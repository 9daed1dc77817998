"""Every surrogate gradient as scale · shape(width · x): what the kernels take it as."""

import math
from collections.abc import Callable

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
