"""Philox 4×32-10 for Numba kernels: the same words as `philox`, without arrays."""

# compiled by Numba; to a type checker its numbers are Python's
# pyright: reportReturnType=false

import numpy as np
from numba import njit

from engram.kernel.philox import MULTIPLIERS, ROUNDS, WEYL, check

_M0, _M1 = np.uint64(MULTIPLIERS[0]), np.uint64(MULTIPLIERS[1])
_W0, _W1 = np.uint32(WEYL[0]), np.uint32(WEYL[1])
_HALF = np.uint64(32)


@njit(inline="always")
def block(
    seed: np.uint64, stream: np.uint64, number: np.uint64
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """The four words of a block of a stream: words 4·number to 4·number + 3."""
    c0, c1 = np.uint32(number), np.uint32(number >> _HALF)
    c2, c3 = np.uint32(stream), np.uint32(stream >> _HALF)
    k0, k1 = np.uint32(seed), np.uint32(seed >> _HALF)
    for _ in range(ROUNDS):
        first, second = np.uint64(c0) * _M0, np.uint64(c2) * _M1
        c0, c1 = np.uint32((second >> _HALF) ^ c1 ^ k0), np.uint32(second)
        c2, c3 = np.uint32((first >> _HALF) ^ c3 ^ k1), np.uint32(first)
        k0, k1 = np.uint32(k0 + _W0), np.uint32(k1 + _W1)
    return c0, c1, c2, c3


@njit(inline="always")
def word(seed: np.uint64, stream: np.uint64, position: np.uint64) -> np.uint32:
    """The word at a position of a stream; use `block` if its neighbours are also needed."""
    words = block(seed, stream, position >> np.uint64(2))
    return words[np.int64(position & np.uint64(3))]


@njit(inline="always")
def to_uniform(word: np.uint32) -> np.float32:
    """A word as a number in [0, 1): its upper 24 bits / 2^24."""
    return np.float32(word >> np.uint32(8)) * np.float32(2.0**-24)


def words(seed: int, stream: int, start: int, count: int) -> np.ndarray:
    """Words of a stream, as `engram.kernel.philox.words` gives them, without temporary arrays.

    Args:
        seed: Seed, 0 to 2^64 − 1.
        stream: Number of the stream, 0 to 2^64 − 1.
        start: Position of the first word, from 0.
        count: Number of words.

    Returns:
        uint32, (count,).

    Raises:
        ValueError: A number is negative or too large.
    """
    check(seed, stream, start, count)
    found = np.empty(count, np.uint32)
    _fill(np.uint64(seed), np.uint64(stream), np.uint64(start), found)
    return found


@njit(cache=True, nogil=True)
def _fill(seed: np.uint64, stream: np.uint64, start: np.uint64, found: np.ndarray) -> None:
    first = int(start & np.uint64(3))
    number = start >> np.uint64(2)
    for i in range(-first, len(found), 4):
        four = block(seed, stream, number)
        number += np.uint64(1)
        for j in range(4):
            if 0 <= i + j < len(found):
                found[i + j] = four[j]
