"""The surrogate shapes for kernels that Numba compiles."""

# Numba compiles these; to a type checker its overloads are functions without a meaning
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

import math
from typing import Any

from numba import njit, types
from numba.extending import overload

from engram.kernel.native import exp32
from engram.neuron.kernel.shape import BOX, CAUCHY, GAUSS, HAT, LOGISTIC


def _decay(x: Any) -> Any:
    """exp(x) for x ≤ 0, in the precision of x."""
    raise NotImplementedError


@overload(_decay)
def _(x):  # without annotations, as the implementation: Numba compares the two signatures
    if x == types.float32:
        return lambda x: exp32(x)
    return lambda x: math.exp(x)


@njit(error_model="numpy")  # a check for division by zero would not vectorise
def slope(shape: int, u: Any, one: Any) -> Any:
    """The shape of a surrogate gradient at u; `one` is 1 in the precision of u."""
    if shape == CAUCHY:
        return one / (one + u * u)
    if shape == LOGISTIC:
        e = _decay(-abs(u))
        return e / ((one + e) * (one + e))
    if shape == HAT:
        height = one - abs(u)
        return one - one if height < one - one else height  # NaN stays NaN
    if shape == BOX:
        return one if abs(u) < one else one - one
    if shape == GAUSS:
        return _decay(-u * u)
    return one / ((one + abs(u)) * (one + abs(u)))
