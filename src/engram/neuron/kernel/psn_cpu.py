"""The parallel family on the CPU: the product over time, block by block of neurons.

One kernel serves the dense, the banded and the sliding neuron. They differ in where W[i, j] stands
in memory, at `at + i·down + j·along`, and in the inputs that step i reads, j = i + earliest …
i + latest. W is cut into tiles of 4 × 4; tiles without a weight in the band are never visited.
A block of inputs is gathered once, and every tile then works on vectors as long as the block: 16
multiply-adds for each 8 loads, which is close to what the processor can do at best.
"""

# Numba compiles the kernels; their scalars and arrays are not what a type checker takes them for
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false

from functools import cache
from typing import Any

import numpy as np
from numba import carray, njit

from engram.neuron.kernel.native import array_at, compile_kernel, number_at, slope, take

BLOCK = 512
"""Neurons a block: 256 inputs of each fill half of a second-level cache of 1 MiB."""
PITCH = BLOCK + 16
"""From one row of a gathered block to the next: a power of two would crowd one set of the cache."""
PANEL = 4 * PITCH


@njit(fastmath={"contract"})
def _multiply(tiles: Any, p: int, down: int, along: int, x: Any, j: int, h: Any, i: int) -> None:
    """H[i … i+3] += tile · X[j … j+3]; the strides of the tile say whether it is transposed."""
    w = tiles[p : p + 16]
    w00, w01, w02, w03 = w[0], w[along], w[2 * along], w[3 * along]
    w = tiles[p + down : p + 16]
    w10, w11, w12, w13 = w[0], w[along], w[2 * along], w[3 * along]
    w = tiles[p + 2 * down : p + 16]
    w20, w21, w22, w23 = w[0], w[along], w[2 * along], w[3 * along]
    w = tiles[p + 3 * down : p + 16]
    w30, w31, w32, w33 = w[0], w[along], w[2 * along], w[3 * along]
    a, b = x[j * PITCH : j * PITCH + PANEL], h[i * PITCH : i * PITCH + PANEL]
    for n in range(BLOCK):
        x0, x1, x2, x3 = a[n], a[n + PITCH], a[n + 2 * PITCH], a[n + 3 * PITCH]
        b[n] = b[n] + w00 * x0 + w01 * x1 + w02 * x2 + w03 * x3
        b[n + PITCH] = b[n + PITCH] + w10 * x0 + w11 * x1 + w12 * x2 + w13 * x3
        b[n + 2 * PITCH] = b[n + 2 * PITCH] + w20 * x0 + w21 * x1 + w22 * x2 + w23 * x3
        b[n + 3 * PITCH] = b[n + 3 * PITCH] + w30 * x0 + w31 * x1 + w32 * x2 + w33 * x3


@njit(fastmath={"contract", "reassoc", "nsz"})
def _correlate(g: Any, x: Any, j: int, sums: Any, p: int, zero: Any) -> None:
    """Tile += G · X[j … j+3]ᵀ, each sum over the block in the block's precision."""
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = zero
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = zero
    a = x[j * PITCH : j * PITCH + PANEL]
    for n in range(BLOCK):
        x0, x1, x2, x3 = a[n], a[n + PITCH], a[n + 2 * PITCH], a[n + 3 * PITCH]
        g0, g1, g2, g3 = g[n], g[n + PITCH], g[n + 2 * PITCH], g[n + 3 * PITCH]
        s00, s01, s02, s03 = s00 + g0 * x0, s01 + g0 * x1, s02 + g0 * x2, s03 + g0 * x3
        s10, s11, s12, s13 = s10 + g1 * x0, s11 + g1 * x1, s12 + g1 * x2, s13 + g1 * x3
        s20, s21, s22, s23 = s20 + g2 * x0, s21 + g2 * x1, s22 + g2 * x2, s23 + g2 * x3
        s30, s31, s32, s33 = s30 + g3 * x0, s31 + g3 * x1, s32 + g3 * x2, s33 + g3 * x3
    to = sums[p : p + 16]
    to[0] += s00
    to[1] += s01
    to[2] += s02
    to[3] += s03
    to[4] += s10
    to[5] += s11
    to[6] += s12
    to[7] += s13
    to[8] += s20
    to[9] += s21
    to[10] += s22
    to[11] += s23
    to[12] += s30
    to[13] += s31
    to[14] += s32
    to[15] += s33


@njit(fastmath={"reassoc", "nsz"})
def _total(row: Any, zero: Any) -> Any:
    """The sum of a row of a block."""
    total = zero
    for n in range(BLOCK):
        total += row[n]
    return total


@njit
def _columns(top: int, band: Any) -> tuple[int, int]:
    """The inputs, from the first to before the last in fours, that steps top … top+3 read."""
    _, inputs, earliest, latest, _ = band
    return max(0, top + earliest) // 4 * 4, min(inputs - 1, top + 3 + latest) // 4 * 4 + 4


@njit
def _inside(i: int, j: int, band: Any) -> bool:
    """Whether step i reads input j."""
    steps, inputs, earliest, latest, _ = band
    return i < steps and j < inputs and earliest <= j - i <= latest


@njit
def _tiles(words: Any, band: Any, real: Any) -> Any:
    """W cut into tiles, zero outside the band."""
    steps, _, _, _, across = band
    at, down, along = words[7], words[8], words[9]
    weight = array_at(words[15], real(0), 1)
    tiles = np.empty((steps + 3) // 4 * across * 16, real)
    for top in range(0, steps, 4):
        first, last = _columns(top, band)
        p = top * 4 * across
        for left in range(first, last, 4):
            for i in range(top, top + 4):
                for j in range(left, left + 4):
                    tiles[p] = weight[at + i * down + j * along] if _inside(i, j, band) else 0
                    p += 1
    return tiles


@njit
def _gather(x: Any, inputs: int, n: int, lo: int, m: int, block: Any) -> None:
    """The inputs of neurons lo … lo+m, zero beyond."""
    for j in range(inputs):
        to, source = block[j * PITCH : j * PITCH + BLOCK], x[j * n + lo : j * n + lo + m]
        for i in range(m):
            to[i] = source[i]
        if m < BLOCK:
            to[m:] = 0


@njit
def _charge(tiles: Any, band: Any, top: int, block: Any, h: Any) -> None:
    """H of steps top … top+3."""
    first, last = _columns(top, band)
    h[:] = 0
    p = top * 4 * band[4]
    for left in range(first, last, 4):
        _multiply(tiles, p, 4, 1, block, left, h, 0)
        p += 16


@njit
def _spread(tiles: Any, band: Any, top: int, g: Any, block: Any, gx: Any, sums: Any) -> None:
    """What the gradient of H of steps top … top+3 adds to those of X and of the tiles."""
    first, last = _columns(top, band)
    zero = g.dtype.type(0)
    p = top * 4 * band[4]
    for left in range(first, last, 4):
        _correlate(g, block, left, sums, p, zero)
        _multiply(tiles, p, 1, 4, g, 0, gx, left)
        p += 16


@njit
def _scatter(block: Any, inputs: int, n: int, lo: int, m: int, x: Any) -> None:
    """A block to where `_gather` found one."""
    for j in range(inputs):
        to, source = x[j * n + lo : j * n + lo + m], block[j * PITCH : j * PITCH + BLOCK]
        for i in range(m):
            to[i] = source[i]


@cache
def forward(real: type[np.floating]) -> int:
    """Address of the forward kernel.

    Its words: T, the number of inputs, N; earliest, latest; at, down, along, the stride of B; the
    most tiles side by side; x, spikes, and where to keep H − B (0 for nowhere); W and B.
    """
    one, zero = real(1), real(0)

    def kernel(words: Any) -> None:
        w = carray(words, 17)
        steps, inputs, n = w[2], w[3], w[4]
        band = (steps, inputs, w[5], w[6], w[11])
        x, s = array_at(w[12], zero, inputs * n), array_at(w[13], zero, steps * n)
        kept, threshold = array_at(w[14], zero, steps * n), array_at(w[16], zero, steps)
        tiles = _tiles(w, band, real)
        block, h = np.zeros((inputs + 3) // 4 * PANEL, real), np.empty(PANEL, real)
        piece = take(words)
        while piece >= 0:
            lo = piece * BLOCK
            m = min(BLOCK, n - lo)
            _gather(x, inputs, n, lo, m, block)
            for top in range(0, steps, 4):
                _charge(tiles, band, top, block, h)
                for t in range(top, min(top + 4, steps)):
                    ht, st = h[(t - top) * PITCH :], s[t * n + lo : t * n + lo + m]
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
    gradient of x; a row of sums a piece, zero at first, for the gradients of the tiles and of −B;
    blocks a piece; the scale and width of the surrogate gradient.
    """
    zero, one = real(0), real(1)

    def kernel(words: Any) -> None:
        w = carray(words, 22)
        steps, inputs, n = w[2], w[3], w[4]
        band = (steps, inputs, w[5], w[6], w[11])
        x, gs = array_at(w[12], zero, inputs * n), array_at(w[13], zero, steps * n)
        kept, threshold = array_at(w[14], zero, steps * n), array_at(w[16], zero, steps)
        gx = array_at(w[17], zero, inputs * n)
        scale, width = real(number_at(w[20])), real(number_at(w[21]))
        tiles = _tiles(w, band, real)
        block = np.zeros((inputs + 3) // 4 * PANEL, real)
        g_block, g = np.empty_like(block), np.empty(PANEL, real)
        piece = take(words)
        while piece >= 0:
            sums = array_at(w[18] + piece * (tiles.size + steps) * 8, 0.0, tiles.size + steps)
            for lo in range(piece * w[19] * BLOCK, min(n, (piece + 1) * w[19] * BLOCK), BLOCK):
                m = min(BLOCK, n - lo)
                _gather(x, inputs, n, lo, m, block)
                g_block[:] = zero
                for top in range(0, steps, 4):
                    if w[14] == 0:
                        _charge(tiles, band, top, block, g)
                    for t in range(top, min(top + 4, steps)):
                        gt, gst = g[(t - top) * PITCH :][:BLOCK], gs[t * n + lo : t * n + lo + m]
                        b = threshold[t * w[10]]
                        if w[14] != 0:
                            gt[:m] = kept[t * n + lo : t * n + lo + m]
                            b = zero
                        for i in range(m):
                            gt[i] = gst[i] * scale * slope(shape, width * (gt[i] - b), one)
                        gt[m:] = zero
                        sums[tiles.size + t] += _total(gt, zero)
                    g[(steps - top) * PITCH :] = zero
                    _spread(tiles, band, top, g, block, g_block, sums)
                _scatter(g_block, inputs, n, lo, m, gx)
            piece = take(words)

    return compile_kernel(kernel)


@cache
def gate(real: type[np.floating], shape: int) -> int:
    """Address of the kernel that takes the gradient of the spikes to that of H.

    Its words: how many numbers, and how many a piece; the gradient of the spikes, H − B, and the
    gradient of H; the scale and width of the surrogate gradient.
    """
    zero, one = real(0), real(1)

    def kernel(words: Any) -> None:
        w = carray(words, 9)
        gs, above = array_at(w[4], zero, w[2]), array_at(w[5], zero, w[2])
        g = array_at(w[6], zero, w[2])
        scale, width = real(number_at(w[7])), real(number_at(w[8]))
        piece = take(words)
        while piece >= 0:
            lo, hi = piece * w[3], min(w[2], (piece + 1) * w[3])
            source, h, to = gs[lo:hi], above[lo:hi], g[lo:hi]
            for i in range(hi - lo):
                to[i] = source[i] * scale * slope(shape, width * h[i], one)
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
        band = (steps, w[3], w[5], w[6], w[11])
        tiles = (steps + 3) // 4 * w[11] * 16
        sums = array_at(w[12], 0.0, w[13] * (tiles + steps))
        total = sums[: tiles + steps]
        for piece in range(1, w[13]):
            part = sums[piece * (tiles + steps) : (piece + 1) * (tiles + steps)]
            for i in range(tiles + steps):
                total[i] += part[i]
        gw, gb = array_at(w[14], 0.0, 1), array_at(w[15], 0.0, steps)
        for top in range(0, steps, 4):
            first, last = _columns(top, band)
            p = top * 4 * w[11]
            for left in range(first, last, 4):
                for i in range(top, top + 4):
                    for j in range(left, left + 4):
                        if _inside(i, j, band):
                            gw[at + i * down + j * along] += total[p]
                        p += 1
            for t in range(top, min(top + 4, steps)):
                gb[t * w[10]] -= total[tiles + t]

    return compile_kernel(kernel)
