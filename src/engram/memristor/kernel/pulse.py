"""Pulses on pairs of devices on the CPU: every pulse has a noise of its own address."""

# compiled by Numba; to a type checker its numbers are Python's
# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
from numba import njit

from engram.kernel.philox_cpu import block


@njit(inline="always")
def change(steps: np.ndarray, conductance: float, word: Any) -> float:
    """The change of a conductance at a quantile, by lines between the entries of a table."""
    row = conductance * (steps.shape[0] - 1)
    column = np.float64(word) * (2.0**-32 * (steps.shape[1] - 1))
    i, j = min(int(row), steps.shape[0] - 2), min(int(column), steps.shape[1] - 2)
    right, down = column - j, row - i
    first = steps[i, j] + right * (steps[i, j + 1] - steps[i, j])
    second = steps[i + 1, j] + right * (steps[i + 1, j + 1] - steps[i + 1, j])
    return first + down * (second - first)


@njit(cache=True, nogil=True)
def move(
    where: np.ndarray,
    pulses: np.ndarray,
    pairs: np.ndarray,
    scales: np.ndarray,
    rise: np.ndarray,
    fall: np.ndarray,
    seed: Any,
    stream: Any,
) -> None:
    """Move pairs of conductances by pulses, in place.

    A positive pulse sets the first device of the pair and resets the second; a negative one does
    the reverse.

    Args:
        where: Numbers of the pairs that are moved, (moved,), int64.
        pulses: Number of pulses of each, with its sign, (moved,), int64.
        pairs: Conductances as shares of the range, (2, pair), float64.
        scales: Factor of every change of a device; 0 if it is stuck, (2, pair), float64.
        rise: Change by a set pulse, (conductance, quantile), float64.
        fall: Change by a reset pulse, (conductance, quantile), float64.
        seed: Seed of the draws.
        stream: Their stream.
    """
    for m in range(len(where)):
        i, count = where[m], pulses[m]
        up = 0 if count > 0 else 1
        high = np.uint64(i) << np.uint64(32)
        for p in range(abs(count)):
            four = block(seed, stream, high | np.uint64(p // 2))
            first = 2 * (p % 2)
            raised = pairs[up, i] + scales[up, i] * change(rise, pairs[up, i], four[first])
            lower = 1 - up
            lowered = pairs[lower, i] + scales[lower, i] * change(
                fall, pairs[lower, i], four[first + 1]
            )
            pairs[up, i] = min(max(raised, 0.0), 1.0)
            pairs[lower, i] = min(max(lowered, 0.0), 1.0)


@njit(cache=True, nogil=True)
def program(
    targets: np.ndarray,
    cells: np.ndarray,
    scales: np.ndarray,
    rise: np.ndarray,
    fall: np.ndarray,
    tolerance: float,
    most: int,
    seed: Any,
    stream: Any,
    pulses: np.ndarray,
) -> None:
    """Pulse each cell towards its target and read it, until it is near enough.

    Args:
        targets: Conductances as shares of the range, (cell,), float64.
        cells: Conductances, changed in place, (cell,), float64.
        scales: Factor of every change of a cell; 0 if it is stuck, (cell,), float64.
        rise: Change by a set pulse, (conductance, quantile), float64.
        fall: Change by a reset pulse, (conductance, quantile), float64.
        tolerance: Largest distance from the target, as a share of the range.
        most: The largest number of pulses of a cell.
        seed: Seed of the draws.
        stream: Their stream.
        pulses: Filled with the pulses of each cell, (cell,), int64.
    """
    for i in range(len(targets)):
        cell, taken = cells[i], 0
        high = np.uint64(i) << np.uint64(32)
        four = block(seed, stream, high)
        while taken < most and abs(cell - targets[i]) > tolerance:
            if taken > 0 and taken % 4 == 0:
                four = block(seed, stream, high | np.uint64(taken // 4))
            table = rise if cell < targets[i] else fall
            cell = min(max(cell + scales[i] * change(table, cell, four[taken % 4]), 0.0), 1.0)
            taken += 1
        cells[i], pulses[i] = cell, taken
