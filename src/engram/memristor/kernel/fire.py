"""Stochastic comparators on the CPU: every unit of every sample has a noise of its own address."""

# compiled by Numba; to a type checker its numbers are Python's
# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
from numba import njit

from engram.kernel.philox_cpu import block

BINS, REST = 12, 20
"""Bits of a word that choose an entry of the table, and bits that interpolate to the next."""


@njit(inline="always")
def threshold(table: np.ndarray, word: Any) -> int:
    """The threshold of a word: an entry of the table, interpolated towards the next."""
    entry = np.int64(word >> np.uint32(REST))
    rest = np.int64(word & np.uint32((1 << REST) - 1))
    low = table[entry]
    return low + (((table[entry + 1] - low) * rest) >> REST)


@njit(cache=True, nogil=True)
def fire(
    z: np.ndarray,
    table: np.ndarray,
    factors: np.ndarray,
    seed: Any,
    stream: Any,
    samples: np.ndarray,
    bits: np.ndarray,
) -> None:
    """Write whether each sum is above the threshold of its word.

    Args:
        z: Whole numbers, (sample, unit), float64 or int32.
        table: Thresholds by word, (4097,), int64.
        factors: Factor of the thresholds of each sample, (sample,), float64.
        seed: Seed of the draws.
        stream: Their stream.
        samples: The number of each sample, (sample), below 2³².
        bits: Filled with 0 and 1, (sample, unit), float32 or uint8.
    """
    units = z.shape[1]
    for i in range(len(z)):
        high = np.uint64(samples[i]) << np.uint64(32)
        for first in range(0, units, 4):
            four = block(seed, stream, high | np.uint64(first // 4))
            for j in range(min(4, units - first)):
                bits[i, first + j] = z[i, first + j] > factors[i] * threshold(table, four[j])


@njit(cache=True, nogil=True)
def noise(
    table: np.ndarray,
    factors: np.ndarray,
    seed: Any,
    stream: Any,
    samples: np.ndarray,
    drawn: np.ndarray,
) -> None:
    """Write the threshold of each word, as the noise of a read.

    Args:
        table: Thresholds by word, (4097,), int64.
        factors: Factor of each sample, (sample,), float64.
        seed: Seed of the draws.
        stream: Their stream.
        samples: The number of each sample, (sample), below 2³².
        drawn: Filled with whole numbers, (sample, unit), float64.
    """
    units = drawn.shape[1]
    for i in range(len(drawn)):
        high = np.uint64(samples[i]) << np.uint64(32)
        for first in range(0, units, 4):
            four = block(seed, stream, high | np.uint64(first // 4))
            for j in range(min(4, units - first)):
                drawn[i, first + j] = np.rint(factors[i] * threshold(table, four[j]))
