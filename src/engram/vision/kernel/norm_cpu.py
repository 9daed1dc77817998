"""Batch norm on the CPU, on channels-last tensors: a matrix of one row per pixel.

A piece of work is a block of rows that fits in the caches, so that two passes over it read memory
once. Sums have the precision of the computation within a block, and float64 across blocks. Pixels
may be stored in bfloat16; the computation is then in float32.
"""

# Numba compiles the kernels; their scalars and arrays are not what a type checker takes them for
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false, reportCallIssue=false

from functools import cache
from typing import Any

import numpy as np
from numba import carray

from engram.kernel.native import array_at, compile_kernel, narrow, take, wide


@cache
def moments(real: type[np.floating], stored: type[np.number]) -> int:
    """Address of the kernel that computes the means and squared deviations of the blocks.

    Its words: x `(rows, columns)`; the means and the sums of squared deviations from them, both
    `(pieces, columns)`; number of rows, columns, and rows per block.
    """
    zero, cell = real(0), stored(0)

    def kernel(words: Any) -> None:
        w = carray(words, 8)
        rows, c, block = w[5], w[6], w[7]
        x = array_at(w[2], cell, rows * c)
        means, squares = array_at(w[3], zero, w[1] * c), array_at(w[4], zero, w[1] * c)
        piece = take(words)
        while piece >= 0:
            lo = piece * block
            hi = min(rows, lo + block)
            mean, square = means[piece * c : piece * c + c], squares[piece * c : piece * c + c]
            mean[:] = zero
            square[:] = zero
            for r in range(lo, hi):
                row = x[r * c : r * c + c]
                for i in range(c):
                    mean[i] += wide(row[i])
            count = real(hi - lo)
            for i in range(c):
                mean[i] /= count
            for r in range(lo, hi):
                row = x[r * c : r * c + c]
                for i in range(c):
                    d = wide(row[i]) - mean[i]
                    square[i] += d * d
            piece = take(words)

    return compile_kernel(kernel)


@cache
def affine(real: type[np.floating], stored: type[np.number]) -> int:
    """Address of the kernel y = x · scale + shift.

    Its words: x and y `(rows, columns)`; scale and shift `(columns,)`; number of rows, columns,
    and rows per block.
    """
    zero, cell = real(0), stored(0)

    def kernel(words: Any) -> None:
        w = carray(words, 9)
        rows, c, block = w[6], w[7], w[8]
        x, y = array_at(w[2], cell, rows * c), array_at(w[3], cell, rows * c)
        scale, shift = array_at(w[4], zero, c), array_at(w[5], zero, c)
        piece = take(words)
        while piece >= 0:
            for r in range(piece * block, min(rows, piece * block + block)):
                a, b = x[r * c : r * c + c], y[r * c : r * c + c]
                for i in range(c):
                    b[i] = narrow(wide(a[i]) * scale[i] + shift[i], cell)
            piece = take(words)

    return compile_kernel(kernel)


@cache
def products(real: type[np.floating], stored: type[np.number]) -> int:
    """Address of the kernel that sums g and g · (x − mean) in each column of each block.

    Its words: x and g `(rows, columns)`; mean `(columns,)`; both sums `(pieces, columns)`; number
    of rows, columns, and rows per block.
    """
    zero, cell = real(0), stored(0)

    def kernel(words: Any) -> None:
        w = carray(words, 10)
        rows, c, block = w[7], w[8], w[9]
        x, g = array_at(w[2], cell, rows * c), array_at(w[3], cell, rows * c)
        mean = array_at(w[4], zero, c)
        sums, dots = array_at(w[5], zero, w[1] * c), array_at(w[6], zero, w[1] * c)
        piece = take(words)
        while piece >= 0:
            total, dot = sums[piece * c : piece * c + c], dots[piece * c : piece * c + c]
            total[:] = zero
            dot[:] = zero
            for r in range(piece * block, min(rows, piece * block + block)):
                a, b = x[r * c : r * c + c], g[r * c : r * c + c]
                for i in range(c):
                    total[i] += wide(b[i])
                    dot[i] += wide(b[i]) * (wide(a[i]) - mean[i])
            piece = take(words)

    return compile_kernel(kernel)


@cache
def combine(real: type[np.floating], stored: type[np.number]) -> int:
    """Address of the kernel y = g · scale + x · slope + shift; y may be g.

    Its words: x, g and y `(rows, columns)`; scale, slope and shift `(columns,)`; number of rows,
    columns, and rows per block.
    """
    zero, cell = real(0), stored(0)

    def kernel(words: Any) -> None:
        w = carray(words, 11)
        rows, c, block = w[8], w[9], w[10]
        x, g = array_at(w[2], cell, rows * c), array_at(w[3], cell, rows * c)
        y = array_at(w[4], cell, rows * c)
        scale, slope = array_at(w[5], zero, c), array_at(w[6], zero, c)
        shift = array_at(w[7], zero, c)
        piece = take(words)
        while piece >= 0:
            for r in range(piece * block, min(rows, piece * block + block)):
                a, b = x[r * c : r * c + c], g[r * c : r * c + c]
                y_row = y[r * c : r * c + c]
                for i in range(c):
                    value = wide(b[i]) * scale[i] + (wide(a[i]) * slope[i] + shift[i])
                    y_row[i] = narrow(value, cell)
            piece = take(words)

    return compile_kernel(kernel)
