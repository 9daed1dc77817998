"""A learning step of a chain of dense layers on the CPU: only active rows are read and counted.

Weights are (input, output) here, so that a row of the crossbar lies together. All numbers are
whole; the draws are those of `engram.memristor.kernel.fire`.
"""

# compiled by Numba; to a type checker its numbers are Python's
# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
from numba import njit

from engram.kernel.philox_cpu import block
from engram.memristor.kernel.fire import threshold


@njit(cache=True, nogil=True)
def draw(
    levels: np.ndarray, table: np.ndarray, seed: Any, stream: Any, samples: np.ndarray,
    bits: np.ndarray,
) -> None:  # fmt: skip
    """Draw inputs that are probabilities as bits; words of levels that are certain are not made.

    Args:
        levels: Probabilities in units, (sample, input), int32.
        table: Thresholds by word, (4097,), int64.
        seed: Seed of the draws.
        stream: Their stream.
        samples: The number of each sample, (sample,).
        bits: Filled with 0 and 1, (sample, input), uint8.
    """
    last = table[-1]
    for i in range(levels.shape[0]):
        high = np.uint64(samples[i]) << np.uint64(32)
        for first in range(0, levels.shape[1], 4):
            end = min(first + 4, levels.shape[1])
            uncertain = False
            for j in range(first, end):
                level = levels[i, j]
                uncertain |= 0 < level < last
                bits[i, j] = level >= last
            if uncertain:
                four = block(seed, stream, high | np.uint64(first // 4))
                for j in range(first, end):
                    bits[i, j] = levels[i, j] > threshold(table, four[j - first])


@njit(cache=True, nogil=True)
def read(
    bits: np.ndarray, weight: np.ndarray, bias: np.ndarray, sums: np.ndarray, counts: np.ndarray
) -> None:
    """Sum the active rows.

    Args:
        bits: (sample, input), uint8.
        weight: In units, (input, output), int32.
        bias: In units, (output,), int32.
        sums: Filled, (sample, output), int32.
        counts: Filled with the number of active rows, (sample,), int64.
    """
    active = np.empty(bits.shape[1], np.int64)
    for i in range(bits.shape[0]):
        rows = 0
        for j in range(bits.shape[1]):
            active[rows] = j
            rows += bits[i, j]
        counts[i] = rows
        for k in range(weight.shape[1]):
            sums[i, k] = bias[k]
        # four rows at a time, so that a sum is loaded and stored less often
        for m in range(0, rows - 3, 4):
            a, b, c, d = active[m], active[m + 1], active[m + 2], active[m + 3]
            for k in range(weight.shape[1]):
                sums[i, k] += weight[a, k] + weight[b, k] + weight[c, k] + weight[d, k]
        for m in range(rows - rows % 4, rows):
            for k in range(weight.shape[1]):
                sums[i, k] += weight[active[m], k]


@njit(cache=True, nogil=True)
def pass_back(
    errors: np.ndarray, weight: np.ndarray, derivative: np.ndarray, noise: np.ndarray,
    dead: int, before: np.ndarray,
) -> None:  # fmt: skip
    """Write the signs of the errors of the inputs where their derivative bit is set.

    Args:
        errors: −1, 0 or 1, (sample, output), int32.
        weight: In units, (input, output), int32.
        derivative: (sample, input), uint8.
        noise: Of a read of one weight, in units, (sample, input), or empty for none, float64.
        dead: Largest magnitude of a sum whose sign is 0, in units.
        before: Filled with −1, 0 or 1, (sample, input), int32.
    """
    for i in range(errors.shape[0]):
        active = np.abs(errors[i]).sum()
        if active == 0:
            before[i] = 0
            continue
        for j in range(weight.shape[0]):
            total = np.int64(0)
            if derivative[i, j]:
                for k in range(weight.shape[1]):
                    total += np.int64(weight[j, k]) * errors[i, k]
                if len(noise):
                    total += np.int64(np.rint(noise[i, j] * np.sqrt(np.float64(active))))
            before[i, j] = 1 if total > dead else (-1 if total < -dead else 0)


@njit(cache=True, nogil=True)
def count(
    bits: np.ndarray, errors: np.ndarray, counters: np.ndarray, bias: np.ndarray,
    touched: np.ndarray,
) -> None:  # fmt: skip
    """Add xᵀδ to the counters, and note the rows that were active.

    Args:
        bits: (sample, input), uint8.
        errors: −1, 0 or 1, (sample, output), int32.
        counters: (input, output), int32.
        bias: Counters of the bias, (output,), int32.
        touched: Filled, (input,), bool.
    """
    touched[:] = False
    for i in range(bits.shape[0]):
        error = errors[i]
        if not error.any():
            continue
        for k in range(len(error)):
            bias[k] += error[k]
        for j in range(bits.shape[1]):
            if bits[i, j]:
                touched[j] = True
                for k in range(len(error)):
                    counters[j, k] += error[k]


@njit(inline="always")
def carry_out(counters: np.ndarray, j: int, k: int, every: int, many: bool) -> int:
    """Take whole carries out of a counter, and return the pulses with their sign."""
    held = counters[j, k]
    if -every < held < every:
        return 0
    sign = 1 if held > 0 else -1
    carries = abs(held) // every
    counters[j, k] = held - sign * carries * every
    return sign * (carries if many else 1)


@njit(cache=True, nogil=True)
def step(
    counters: np.ndarray, weight: np.ndarray, touched: np.ndarray, every: int, size: int,
    limit: int, many: bool,
) -> int:  # fmt: skip
    """Move weights by whole pulses where a carry is reached; return the number of pulses.

    Args:
        counters: (input, output), int32.
        weight: In units, (input, output), int32.
        touched: Rows that can have reached a carry, (input,), bool.
        every: C.
        size: Size of a pulse in units.
        limit: Largest magnitude in units.
        many: Whether several carries give as many pulses.
    """
    pulses = 0
    for j in range(counters.shape[0]):
        if not touched[j]:
            continue
        for k in range(counters.shape[1]):
            n = carry_out(counters, j, k, every, many)
            if n != 0:
                pulses += abs(n)
                weight[j, k] = min(max(np.int64(weight[j, k]) + n * size, -limit), limit)
    return pulses


@njit(cache=True, nogil=True)
def take(
    counters: np.ndarray, touched: np.ndarray, every: int, many: bool, where: np.ndarray,
    pulses: np.ndarray,
) -> int:  # fmt: skip
    """List the weights that reached a carry, and take it out; return how many there are.

    Args:
        counters: (input, output), int32.
        touched: Rows that can have reached a carry, (input,), bool.
        every: C.
        many: Whether several carries give as many pulses.
        where: Filled with the places in a weight (output, input), int64.
        pulses: Filled with pulses and their sign, int64.
    """
    found = 0
    for j in range(counters.shape[0]):
        if not touched[j]:
            continue
        for k in range(counters.shape[1]):
            n = carry_out(counters, j, k, every, many)
            if n != 0:
                where[found] = k * counters.shape[0] + j
                pulses[found] = n
                found += 1
    return found
