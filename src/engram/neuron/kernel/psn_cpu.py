"""The parallel family on the CPU: the product over time, block by block of neurons.

One kernel serves the dense, the banded and the sliding neuron. They differ in where W[i, j] stands
in memory, at `at + i·down + j·along`, and in the inputs that step i reads, j = i + earliest …
i + latest. W is cut into panels of four steps and the inputs that any of them reads; what lies
outside is never visited. A block of inputs is gathered once, and the products run over it.
"""

# Numba compiles the kernels; their scalars and arrays are not what a type checker takes them for
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false
# pyright: reportPrivateImportUsage=false

from functools import cache
from typing import Any

import numpy as np
from numba import carray, njit

from engram.kernel.native import array_at, compile_kernel, number_at, take
from engram.kernel.vector import ROWS, chunk, correlate, multiply
from engram.neuron.kernel.slope import slope

GAP = 16
"""Between the rows of a gathered block: a length of a power of two would crowd one set of the
cache."""
LINE = 64
"""Bytes of a cache line, where a block begins."""


@njit
def _block(rows: int, pitch: int, real: Any, itemsize: int) -> Any:
    """A block of `rows` rows, zero."""
    room = np.zeros(rows * pitch + LINE // itemsize, real)
    skip = (-room.ctypes.data) % LINE // itemsize
    return room[skip : skip + rows * pitch]


@njit
def across(cols: int, earliest: int, latest: int) -> int:
    """The most inputs that four steps together read, in whole tiles."""
    return (min(cols, latest - earliest + ROWS) + ROWS - 1) // ROWS * ROWS


@njit
def _reads(top: int, band: Any) -> tuple[int, int]:
    """The inputs, from the first to before the last, that steps top … top+3 read."""
    _, cols, earliest, latest = band
    first = max(0, top + earliest)
    return first, max(first, min(cols, top + ROWS + latest))


@njit
def _turned(band: Any) -> Any:
    """Which steps each input goes to: the band of the transposed matrix."""
    rows, cols, earliest, latest = band
    return cols, rows, -latest, -earliest


@njit
def _read_by(i: int, band: Any) -> tuple[int, int]:
    """The inputs, from the first to before the last, that step i reads."""
    _, cols, earliest, latest = band
    return max(0, i + earliest), min(cols, i + latest + 1)


@njit
def _place(i: int, band: Any) -> int:
    """Where in the panels W[i, j] stands, less ROWS · j."""
    _, cols, earliest, latest = band
    top = i // ROWS * ROWS
    return top * across(cols, earliest, latest) - _reads(top, band)[0] * ROWS + i - top


@njit
def _panels(weight: Any, at: int, down: int, along: int, band: Any, real: Any) -> Any:
    """W in panels, `(steps / 4, inputs, 4)`, zero outside the band."""
    rows, cols, earliest, latest = band
    width = across(cols, earliest, latest)
    panels = np.zeros((rows + ROWS - 1) // ROWS * width * ROWS, real)
    for i in range(rows):
        start, (first, last) = _place(i, band), _read_by(i, band)
        for j in range(first, last):
            panels[start + j * ROWS] = weight[at + i * down + j * along]
    return panels


@njit
def _product(panels: Any, band: Any, x: Any, h: Any, pitch: int, m: int, side: int) -> None:
    """H = W X over the first m columns of a block, and those that fill up a chunk."""
    rows, cols, earliest, latest = band
    width = across(cols, earliest, latest)
    for n in range(0, m, side):  # the inputs of a chunk stay in the first-level cache
        for top in range(0, rows, ROWS):
            first, last = _reads(top, band)
            p, count = top * width, last - first
            multiply(panels, p, count, x, first * pitch + n, pitch, h, top * pitch + n, pitch)


@njit
def _correlation(g: Any, x: Any, band: Any, pitch: int, m: int, sums: Any) -> None:
    """Panels of sums += G Xᵀ over the first m columns of a block."""
    rows, cols, earliest, latest = band
    width = across(cols, earliest, latest)
    for top in range(0, rows, ROWS):
        first, last = _reads(top, band)
        for j in range(first, last, ROWS):
            p = top * width + (j - first) * ROWS
            correlate(g, top * pitch, x, j * pitch, pitch, m, sums, p)


@njit(fastmath={"reassoc", "nsz"})
def _total(row: Any, zero: Any) -> Any:
    """The sum of a row of a block."""
    total = zero
    for n in range(row.size):
        total += row[n]
    return total


@njit
def _gather(x: Any, inputs: int, n: int, lo: int, m: int, block: Any, pitch: int) -> None:
    """The inputs of neurons lo … lo+m, zero beyond."""
    for j in range(inputs):
        to, source = block[j * pitch : (j + 1) * pitch], x[j * n + lo : j * n + lo + m]
        for i in range(m):
            to[i] = source[i]
        to[m:] = 0


@njit
def _scatter(block: Any, pitch: int, inputs: int, n: int, lo: int, m: int, x: Any) -> None:
    """A block to where `_gather` found one."""
    for j in range(inputs):
        to, source = x[j * n + lo : j * n + lo + m], block[j * pitch : j * pitch + m]
        for i in range(m):
            to[i] = source[i]


@cache
def forward(real: type[np.floating]) -> int:
    """Address of the forward kernel.

    Its words: T, the number of inputs, N; earliest, latest; at, down, along, the stride of B;
    neurons a block; x, spikes, and where to keep H − B (0 for nowhere); W and B.
    """
    one, zero, size = real(1), real(0), np.dtype(real).itemsize
    side = chunk(size)

    def kernel(words: Any) -> None:
        w = carray(words, 17)
        steps, inputs, n, length = w[2], w[3], w[4], w[11]
        band = (steps, inputs, w[5], w[6])
        x, s = array_at(w[12], zero, inputs * n), array_at(w[13], zero, steps * n)
        kept, threshold = array_at(w[14], zero, steps * n), array_at(w[16], zero, steps)
        weight, pitch = array_at(w[15], zero, 1), length + GAP
        panels = _panels(weight, w[7], w[8], w[9], band, real)
        block = _block(inputs, pitch, real, size)
        h = _block(steps + ROWS, pitch, real, size)
        piece = take(words)
        while piece >= 0:
            lo = piece * length
            m = min(length, n - lo)
            _gather(x, inputs, n, lo, m, block, pitch)
            _product(panels, band, block, h, pitch, m, side)
            for t in range(steps):
                ht, st = h[t * pitch : t * pitch + m], s[t * n + lo : t * n + lo + m]
                b = threshold[t * w[10]]
                for i in range(m):
                    st[i] = one if ht[i] >= b else zero
                if w[14] != 0:
                    kt = kept[t * n + lo : t * n + lo + m]
                    for i in range(m):
                        kt[i] = ht[i] - b
            piece = take(words)

    return compile_kernel(kernel)


@cache
def backward(real: type[np.floating], shape: int) -> int:
    """Address of the backward kernel, which recomputes H where the forward did not keep H − B.

    A piece is several blocks, whose gradients of W and B it adds up in float64.

    Its words: those of the forward kernel, with the gradient of the spikes in their place; then the
    gradient of x; a row of sums a piece, zero at first, for the gradients of the panels and of −B;
    blocks a piece; the scale and width of the surrogate gradient.
    """
    zero, one, size = real(0), real(1), np.dtype(real).itemsize
    side = chunk(size)

    def kernel(words: Any) -> None:
        w = carray(words, 22)
        steps, inputs, n, length = w[2], w[3], w[4], w[11]
        band = (steps, inputs, w[5], w[6])
        x, gs = array_at(w[12], zero, inputs * n), array_at(w[13], zero, steps * n)
        kept, threshold = array_at(w[14], zero, steps * n), array_at(w[16], zero, steps)
        weight, pitch = array_at(w[15], zero, 1), length + GAP
        gx = array_at(w[17], zero, inputs * n)
        scale, width = real(number_at(w[20])), real(number_at(w[21]))
        panels = _panels(weight, w[7], w[8], w[9], band, real)
        turned = _panels(weight, w[7], w[9], w[8], _turned(band), real)
        block = _block(inputs + ROWS, pitch, real, size)
        g = _block(steps + ROWS, pitch, real, size)
        piece = take(words)
        while piece >= 0:
            sums = array_at(w[18] + piece * (panels.size + steps) * 8, 0.0, panels.size + steps)
            for lo in range(piece * w[19] * length, min(n, (piece + 1) * w[19] * length), length):
                m = min(length, n - lo)
                _gather(x, inputs, n, lo, m, block, pitch)
                if w[14] == 0:
                    _product(panels, band, block, g, pitch, m, side)
                for t in range(steps):
                    gt, gst = g[t * pitch : (t + 1) * pitch], gs[t * n + lo : t * n + lo + m]
                    b = threshold[t * w[10]]
                    if w[14] != 0:
                        gt[:m] = kept[t * n + lo : t * n + lo + m]
                        b = zero
                    for i in range(m):
                        gt[i] = gst[i] * scale * slope(shape, width * (gt[i] - b), one)
                    gt[m:] = zero
                    sums[panels.size + t] += _total(gt, zero)
                _correlation(g, block, band, pitch, m, sums)
                _product(turned, _turned(band), g, block, pitch, m, side)
                _scatter(block, pitch, inputs, n, lo, m, gx)
            piece = take(words)

    return compile_kernel(kernel)


@cache
def collect() -> int:
    """Address of the kernel that adds the sums of the backward's pieces to the gradients, in order.

    Its words: as the forward kernel's before x, with the layout of the gradient of W; then the sums
    and how many pieces they have; the gradients of W and B in float64.
    """

    def kernel(words: Any) -> None:
        w = carray(words, 16)
        steps, at, down, along = w[2], w[7], w[8], w[9]
        band = (steps, w[3], w[5], w[6])
        width = across(w[3], w[5], w[6])
        size = (steps + ROWS - 1) // ROWS * width * ROWS
        sums = array_at(w[12], 0.0, w[13] * (size + steps))
        total = sums[: size + steps]
        for piece in range(1, w[13]):
            part = sums[piece * (size + steps) : (piece + 1) * (size + steps)]
            for i in range(size + steps):
                total[i] += part[i]
        gw, gb = array_at(w[14], 0.0, 1), array_at(w[15], 0.0, steps)
        for i in range(steps):
            start, (first, last) = _place(i, band), _read_by(i, band)
            for j in range(first, last):
                gw[at + i * down + j * along] += total[start + j * ROWS]
        for t in range(steps):
            gb[t * w[10]] -= total[size + t]

    return compile_kernel(kernel)
