"""Spikes as bits, and their convolution with sparse weights, on the CPU.

The places of all images follow each other, row by row, with the padding between them: one offset
in the row of bits of a channel then leads from any output to the input that a weight reads. With a
stride, every residue of rows and columns has a row of bits of its own.
"""

# Numba compiles the kernels; their scalars and arrays are not what a type checker takes them for
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportPrivateImportUsage=false, reportCallIssue=false, reportAttributeAccessIssue=false

from functools import cache
from typing import Any

import numpy as np
from numba import carray, njit

from engram.kernel.native import array_at, compile_kernel, take
from engram.prune.kernel.masked import LANES, SPAN, add_where, ones, others

WORD = 64
COPIES = 8
"""A word of bits starts at a byte in one of these copies, each shifted by one bit more."""


@njit(inline="always")
def _put(words: np.ndarray, row: Any, at: int, bits: Any) -> None:
    """Set bits from a place of a row on, which begins at a word."""
    first, shift = np.uint64(row + at // WORD), np.uint64(at % WORD)
    words[first] |= bits << shift
    if shift:
        words[first + np.uint64(1)] |= bits >> (np.uint64(WORD) - shift)


@njit(inline="always")
def _every_second(bits: Any) -> Any:
    """The even bits of a word, moved together."""
    bits &= np.uint64(0x5555555555555555)
    bits = (bits | (bits >> np.uint64(1))) & np.uint64(0x3333333333333333)
    bits = (bits | (bits >> np.uint64(2))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    bits = (bits | (bits >> np.uint64(4))) & np.uint64(0x00FF00FF00FF00FF)
    bits = (bits | (bits >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
    return (bits | (bits >> np.uint64(16))) & np.uint64(0x00000000FFFFFFFF)


@njit(inline="always")
def _bits_of(x: np.ndarray, at: int, count: int) -> tuple[Any, Any]:
    """Which of up to 64 numbers are 1, and whether any is neither 0 nor 1."""
    bits, wrong, done = np.uint64(0), np.uint64(0), 0
    while done + LANES <= count:
        bits |= ones(x, at + done) << np.uint64(done)
        wrong |= others(x, at + done)
        done += LANES
    for i in range(done, count):
        one = x[np.uint64(at + i)] == 1
        bits |= np.uint64(one) << np.uint64(i)
        wrong |= np.uint64(not one and x[np.uint64(at + i)] != 0)
    return bits, wrong


@cache
def pack() -> int:
    """Address of the kernel that writes spikes as bits, a channel per piece.

    Its words: spikes (image, channel, height, width); bits (channel · residue, word); whether a
    channel holds other numbers, (channel); images, channels, height, width, words per row; stride
    and padding along both axes; rows and columns per image of the layout; residues along both axes.
    """
    zero, none, byte = np.float32(0), np.uint64(0), np.int64(0)

    def kernel(words: Any) -> None:
        w = carray(words, 18)
        n, c, height, width, length = w[5], w[6], w[7], w[8], w[9]
        sy, sx, py, px, rows, columns = w[10], w[11], w[12], w[13], w[14], w[15]
        ry, rx = w[16], w[17]
        x = array_at(w[2], zero, n * c * height * width)
        bits = array_at(w[3], none, c * ry * rx * length)
        wrong = array_at(w[4], byte, c)
        piece = take(words)
        while piece >= 0:
            bits[piece * ry * rx * length : (piece + 1) * ry * rx * length] = none
            bad = none
            for i in range(n):
                for y in range(height):
                    at = ((i * c + piece) * height + y) * width
                    row, residue = (y + py) // sy, (y + py) % sy
                    here = row < rows and residue < ry
                    start = (i * rows + row) * columns
                    base = (piece * ry + residue) * rx
                    for left in range(0, width, WORD):
                        found, other = _bits_of(x, at + left, min(width - left, WORD))
                        bad |= other
                        if not here:
                            continue
                        if sx == 1:
                            _put(bits, base * length, start + left + px, found)
                        elif sx == 2:
                            for parity in range(2):
                                column = left + px + parity
                                part = _every_second(found >> np.uint64(parity))
                                room = columns - column // sx
                                if column % sx >= rx or room <= 0:
                                    continue
                                if room < WORD:  # what no output reads must not enter the next row
                                    part &= (np.uint64(1) << np.uint64(room)) - np.uint64(1)
                                to = (base + column % sx) * length
                                _put(bits, to, start + column // sx, part)
                        else:
                            for j in range(min(width - left, WORD)):
                                column, bit = left + px + j, (found >> np.uint64(j)) & np.uint64(1)
                                if column % sx < rx and column // sx < columns:
                                    to = (base + column % sx) * length
                                    _put(bits, to, start + column // sx, bit)
            wrong[piece] = bad != none
            piece = take(words)

    return compile_kernel(kernel)


@njit(inline="always")
def _window(
    bits: np.ndarray, first: int, channels: int, length: int, per: int, to: np.ndarray
) -> None:
    """Copy the bits from a word on, of each channel, in each of the shifts."""
    for c in range(channels):
        row = bits[c * length + first : c * length + first + per + 1]
        out = to[c * COPIES * per : (c + 1) * COPIES * per]
        for shift in range(COPIES):
            copy = out[shift * per : (shift + 1) * per]
            right, left = np.uint64(shift), np.uint64(WORD - 1 - shift)
            for k in range(per):
                copy[k] = (row[k] >> right) | ((row[k + 1] << np.uint64(1)) << left)


@njit(inline="always")
def _segments(
    first: int, images: int, rows: int, columns: int, h: int, wd: int, found: np.ndarray
) -> int:
    """The outputs among the places of a block: runs of (place, image, pixel, length)."""
    count, at = 0, first
    while at < first + SPAN:
        row = at // columns
        column, image, y = at - row * columns, row // rows, row % rows
        behind = min((row + 1) * columns, first + SPAN)
        if image >= images:
            break
        if y < h and column < wd:
            found[count, 0], found[count, 1] = at - first, image
            found[count, 2] = y * wd + column
            found[count, 3] = min(behind - at, wd - column)
            count += 1
        at = behind
    return count


@cache
def convolve(index: type[np.unsignedinteger]) -> int:
    """Address of the kernel that convolves bits with sparse weights.

    Its words: bits (level, channel · residue, word); the place of each weight of a row in the
    window, in bytes, (row); the pointers (output + 1), indices and values of the weights; bias
    (output); y (image, output, height, width); levels; images, rows and columns per image of the
    layout; input channels · residues, of one group too; outputs, of one group too; height and width
    of y; words per row of bits and of the window; outputs per piece; length of a row of weights.
    """
    zero, none, whole, entry, place = (
        np.float32(0),
        np.uint64(0),
        np.int64(0),
        index(0),
        np.int32(0),
    )

    def kernel(words: Any) -> None:
        w = carray(words, 23)
        levels, images, rows, columns = w[9], w[10], w[11], w[12]
        channels, per_group, outputs, group = w[13], w[14], w[15], w[16]
        h, wd, length, per, some, size = w[17], w[18], w[19], w[20], w[21], w[22]
        places = array_at(w[3], place, size)
        pointers = array_at(w[4], whole, outputs + 1)
        count = pointers[outputs]
        indices, values = array_at(w[5], entry, count), array_at(w[6], zero, count)
        bias = array_at(w[7], zero, outputs)
        y = array_at(w[8], zero, images * outputs * h * wd)
        bits = array_at(w[2], none, levels * channels * length)
        window = np.empty(levels * channels * COPIES * per, np.uint64)
        view = window.view(np.uint8)
        sums, runs = np.empty(SPAN, np.float32), np.empty((SPAN, 4), np.int64)
        chunks = -(-outputs // some)
        held, many = -1, 0
        piece = take(words)
        while piece >= 0:
            block, chunk = piece // chunks, piece % chunks
            if block != held:
                _window(bits, block * SPAN // WORD, levels * channels, length, per, window)
                many = _segments(block * SPAN, images, rows, columns, h, wd, runs)
                held = block
            for o in range(chunk * some, min((chunk + 1) * some, outputs)):
                sums[:] = bias[o]
                for level in range(levels):
                    at = (level * channels + o // group * per_group) * COPIES * per * 8
                    scale = np.float32(1 << level)
                    add_where(
                        view, at, places, indices, values, pointers[o], pointers[o + 1], scale, sums
                    )
                for r in range(many):
                    start = np.uint64(runs[r, 0])
                    to = np.uint64((runs[r, 1] * outputs + o) * h * wd + runs[r, 2])
                    for i in range(np.uint64(runs[r, 3])):
                        y[to + i] = sums[start + i]
            piece = take(words)

    return compile_kernel(kernel)
