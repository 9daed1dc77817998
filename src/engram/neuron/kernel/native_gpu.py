"""What the GPU kernels share: numbers in full precision and the surrogate shapes.

Triton passes a Python float as a float32. A neuron that integrates in float64 needs all of it, so
kernels take floats as the 64 bits of a float64 (`team.bits`) and round them once (`number`).
"""

# Triton compiles these; their scalars are not what a type checker takes them for
# pyright: reportArgumentType=false, reportMissingImports=false, reportReturnType=false

import torch
import triton
import triton.language as tl

from engram.neuron.kernel import shape

CAUCHY = tl.constexpr(shape.CAUCHY)
LOGISTIC = tl.constexpr(shape.LOGISTIC)
HAT = tl.constexpr(shape.HAT)
BOX = tl.constexpr(shape.BOX)
GAUSS = tl.constexpr(shape.GAUSS)

REAL = {torch.float32: tl.float32, torch.float64: tl.float64}
"""The dtypes that a kernel computes in."""


@triton.jit
def number(word, REAL: tl.constexpr):
    """The float64 whose bits a word holds, rounded to what the kernel computes in."""
    return tl.cast(tl.cast(tl.cast(word, tl.int64), tl.float64, bitcast=True), REAL)


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
