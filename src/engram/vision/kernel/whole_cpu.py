"""Conversion of integers to bytes, and the sum of digits, on the CPU."""

# Numba compiles the kernels; their scalars and arrays are not what a type checker takes them for
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false

from functools import cache
from typing import Any

import numpy as np
from numba import carray

from engram.kernel.native import array_at, compile_kernel, take


@cache
def to_bytes(real: type[np.floating]) -> int:
    """Address of the kernel that writes numbers as bytes and counts those that are not bytes.

    Its words: x and bytes `(n,)`; the count of numbers that are not integers of 0 … 255,
    `(pieces,)`; n, and the numbers per block.
    """
    zero, most, byte, long = real(0), real(255), np.uint8(0), np.int64(0)

    def kernel(words: Any) -> None:
        w = carray(words, 7)
        n, block = w[5], w[6]
        x, y = array_at(w[2], zero, n), array_at(w[3], byte, n)
        wrong = array_at(w[4], long, w[1])
        piece = take(words)
        while piece >= 0:
            lo = piece * block
            hi = min(n, lo + block)
            a, b = x[lo:hi], y[lo:hi]
            count = np.int32(0)
            for i in range(hi - lo):
                inside = (a[i] >= zero) & (a[i] <= most)
                whole = np.int32(a[i] if inside else zero)  # NaN and large numbers have no int32
                b[i] = np.uint8(whole)
                count += np.int32(real(b[i]) != a[i])
            wrong[piece] = count
            piece = take(words)

    return compile_kernel(kernel)


@cache
def add_digits(real: type[np.floating]) -> int:
    """Address of the kernel y = a + b + c + bias.

    Its words: a, b, c and y `(rows, columns)`; the bias `(columns,)`; number of rows, columns, and
    rows per block.
    """
    zero = real(0)

    def kernel(words: Any) -> None:
        w = carray(words, 10)
        rows, width, block = w[7], w[8], w[9]
        a, b = array_at(w[2], zero, rows * width), array_at(w[3], zero, rows * width)
        c, y = array_at(w[4], zero, rows * width), array_at(w[5], zero, rows * width)
        bias = array_at(w[6], zero, width)
        piece = take(words)
        while piece >= 0:
            for r in range(piece * block, min(rows, piece * block + block)):
                lo, hi = r * width, r * width + width
                ra, rb, rc, ry = a[lo:hi], b[lo:hi], c[lo:hi], y[lo:hi]
                for i in range(width):
                    ry[i] = (ra[i] + rb[i]) + (rc[i] + bias[i])
            piece = take(words)

    return compile_kernel(kernel)
