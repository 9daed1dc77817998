"""Batch norm and LIF in one pass on the CPU: the normalised current is never stored.

As in `norm_cpu`, a step is a matrix with one row per pixel and one column per channel; a piece of
work is a block of rows over all steps. Pixels may be stored in bfloat16, with float32 inside.
"""

# Numba compiles the kernels; their scalars and arrays are not what a type checker takes them for
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false, reportCallIssue=false

from functools import cache
from typing import Any

import numpy as np
from numba import carray

from engram.kernel.native import array_at, compile_kernel, narrow, number_at, take, wide
from engram.neuron.kernel.lif_cpu import charge, gradient_of_charge, reset_membrane
from engram.neuron.kernel.slope import slope


@cache
def forward(
    real: type[np.floating], stored: type[np.number], kind: int, decays: bool, reset: int
) -> int:
    """Address of the forward kernel.

    Its words: x and spikes `(T, rows, columns)`; scale and shift `(columns,)`; T, number of rows,
    columns, and rows per block; τ (or 1/τ), threshold, reset potential.
    """
    one, zero, cell = real(1), real(0), stored(0)

    def kernel(words: Any) -> None:
        w = carray(words, 13)
        steps, rows, c, block = w[6], w[7], w[8], w[9]
        n = rows * c
        x, s = array_at(w[2], cell, steps * n), array_at(w[3], cell, steps * n)
        scale, shift = array_at(w[4], zero, c), array_at(w[5], zero, c)
        tau, threshold = real(number_at(w[10])), real(number_at(w[11]))
        rest = real(number_at(w[12]))
        membrane = np.empty(block * c, real)
        piece = take(words)
        while piece >= 0:
            lo = piece * block
            hi = min(rows, lo + block)
            membrane[:] = rest
            for t in range(steps):
                for r in range(lo, hi):
                    at = t * n + r * c
                    a, b = x[at : at + c], s[at : at + c]
                    v = membrane[(r - lo) * c : (r - lo) * c + c]
                    for i in range(c):
                        h = charge(kind, decays, v[i], wide(a[i]) * scale[i] + shift[i], rest, tau)
                        spike = one if h >= threshold else zero
                        b[i] = narrow(spike, cell)
                        v[i] = reset_membrane(reset, h, spike, threshold, rest, one)
            piece = take(words)

    return compile_kernel(kernel)


@cache
def backward(
    real: type[np.floating],
    stored: type[np.number],
    kind: int,
    decays: bool,
    reset: int,
    detach: bool,
    shape: int,
) -> int:
    """Address of the backward kernel, which ends at the gradient of the current.

    Its words: x and the gradients of the spikes and of the current `(T, rows, columns)`; scale,
    shift and mean `(columns,)`; the sums of the current's gradient and of its product with
    x − mean, `(pieces, columns)`; T, number of rows, columns, and rows per block; τ (or 1/τ),
    threshold, reset potential, dH/dX, dH/dV, and the scale and width of the surrogate gradient.
    """
    one, zero, cell = real(1), real(0), stored(0)

    def kernel(words: Any) -> None:
        w = carray(words, 21)
        steps, rows, c, block = w[10], w[11], w[12], w[13]
        n = rows * c
        x, gs = array_at(w[2], cell, steps * n), array_at(w[3], cell, steps * n)
        gx = array_at(w[4], cell, steps * n)
        scale, shift = array_at(w[5], zero, c), array_at(w[6], zero, c)
        mean = array_at(w[7], zero, c)
        sums, dots = array_at(w[8], zero, w[1] * c), array_at(w[9], zero, w[1] * c)
        tau, threshold = real(number_at(w[14])), real(number_at(w[15]))
        rest = real(number_at(w[16]))
        dh_dx, dh_dv = real(number_at(w[17])), real(number_at(w[18]))
        height, width = real(number_at(w[19])), real(number_at(w[20]))
        size = block * c
        charged, membrane = np.empty(steps * size, real), np.empty(size, real)
        piece = take(words)
        while piece >= 0:
            lo = piece * block
            hi = min(rows, lo + block)
            membrane[:] = rest
            for t in range(steps):
                for r in range(lo, hi):
                    at, here = t * n + r * c, (r - lo) * c
                    a, v = x[at : at + c], membrane[here : here + c]
                    held = charged[t * size + here : t * size + here + c]
                    for i in range(c):
                        h = charge(kind, decays, v[i], wide(a[i]) * scale[i] + shift[i], rest, tau)
                        spike = one if h >= threshold else zero
                        held[i] = h
                        v[i] = reset_membrane(reset, h, spike, threshold, rest, one)
            membrane[:] = zero  # from here on its gradient
            total, dot = sums[piece * c : piece * c + c], dots[piece * c : piece * c + c]
            total[:] = zero
            dot[:] = zero
            m = (hi - lo) * c
            for t in range(steps - 1, -1, -1):
                at = t * n + lo * c
                g, out, held = gs[at : at + m], gx[at : at + m], charged[t * size : t * size + m]
                for i in range(m):
                    h = held[i]
                    ds_dh = height * slope(shape, width * (h - threshold), one)
                    gh = gradient_of_charge(
                        reset, detach, h, ds_dh, wide(g[i]), membrane[i], threshold, rest, one
                    )
                    out[i] = narrow(gh * dh_dx, cell)
                    membrane[i] = gh * dh_dv
                for r in range(lo, hi):
                    at = t * n + r * c
                    a, b = x[at : at + c], gx[at : at + c]
                    for i in range(c):
                        total[i] += wide(b[i])
                        dot[i] += wide(b[i]) * (wide(a[i]) - mean[i])
            piece = take(words)

    return compile_kernel(kernel)
