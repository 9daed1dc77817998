"""What the GPU kernels share: numbers in full precision.

Triton passes a Python float as a float32. A neuron that integrates in float64 needs all of it, so
kernels take floats as the 64 bits of a float64 (`team.bits`) and round them once (`number`).
"""

# Triton compiles these; their scalars are not what a type checker takes them for
# pyright: reportArgumentType=false, reportMissingImports=false, reportReturnType=false

import torch
import triton
import triton.language as tl

REAL = {torch.float32: tl.float32, torch.float64: tl.float64}
"""The dtypes that a kernel computes in."""


@triton.jit
def number(word, REAL: tl.constexpr):
    """The float64 whose bits a word holds, rounded to what the kernel computes in."""
    return tl.cast(tl.cast(tl.cast(word, tl.int64), tl.float64, bitcast=True), REAL)
