"""The surrogate shapes for kernels that Triton compiles."""

# Triton compiles these; their scalars are not what a type checker takes them for
# pyright: reportMissingImports=false

import triton
import triton.language as tl

from engram.neuron.kernel import shape

CAUCHY = tl.constexpr(shape.CAUCHY)
LOGISTIC = tl.constexpr(shape.LOGISTIC)
HAT = tl.constexpr(shape.HAT)
BOX = tl.constexpr(shape.BOX)
GAUSS = tl.constexpr(shape.GAUSS)


@triton.jit
def slope(u, SHAPE: tl.constexpr):
    """The shape of a surrogate gradient at u."""
    if SHAPE == CAUCHY:
        y = 1 / (1 + u * u)
    elif SHAPE == LOGISTIC:
        e = tl.exp(-tl.abs(u))
        y = e / ((1 + e) * (1 + e))
    elif SHAPE == HAT:
        y = 1 - tl.abs(u)
        y = tl.where(y < 0, 0.0, y)  # NaN stays NaN
    elif SHAPE == BOX:
        y = (tl.abs(u) < 1).to(u.dtype)
    elif SHAPE == GAUSS:
        y = tl.exp(-u * u)
    else:
        y = 1 / ((1 + tl.abs(u)) * (1 + tl.abs(u)))
    return y
