"""Philox 4×32-10 for Triton kernels: the same words as `philox`."""

# compiled by Triton; a type checker misjudges their scalars
# pyright: reportMissingImports=false

import triton
import triton.language as tl


@triton.jit
def block(seed, stream, number):
    """The four words of blocks of a stream, each of the shape of `number`, int64."""
    c0, c1 = number.to(tl.uint32), (number >> 32).to(tl.uint32)
    c2 = c0 * 0 + stream.to(tl.uint32)
    c3 = c0 * 0 + (stream >> 32).to(tl.uint32)
    return tl.philox(seed, c0, c1, c2, c3)


@triton.jit
def to_uniform(word):
    """Words as numbers in [0, 1): their upper 24 bits / 2^24."""
    return (word >> 8).to(tl.float32) * 5.9604644775390625e-08
