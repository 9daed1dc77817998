"""One pass over a matrix of scores that counts what lies above and level with the right answers."""

# compiled by Numba; to a type checker its numbers are Python's
# pyright: reportReturnType=false, reportArgumentType=false

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def count(
    scores: np.ndarray,
    best: np.ndarray,
    target: np.ndarray,
    above_row: np.ndarray,
    level_row: np.ndarray,
    above_column: np.ndarray,
    level_column: np.ndarray,
) -> int:
    """Count, for each row and each column, the scores above a value and those equal to it.

    Args:
        scores: The matrix, (rows, columns), of any strides.
        best: Value to which a row is compared, (rows).
        target: Value to which a column is compared, (columns).
        above_row: Number of greater scores of each row, (rows), written.
        level_row: Number of equal scores of each row, (rows), written.
        above_column: Number of greater scores of each column, (columns), zero on entry, written.
        level_column: Number of equal scores of each column, (columns), zero on entry, written.

    Returns:
        Number of scores that are NaN or infinite.
    """
    rows, columns = scores.shape
    bad = 0
    for i in range(rows):
        value, above, level, unusable = best[i], np.int32(0), np.int32(0), np.int32(0)
        for j in range(columns):
            score = scores[i, j]
            above += np.int32(score > value)
            level += np.int32(score == value)
            unusable += np.int32(score - score != 0)
        for j in range(columns):
            above_column[j] += np.int32(scores[i, j] > target[j])
            level_column[j] += np.int32(scores[i, j] == target[j])
        above_row[i], level_row[i] = above, level
        bad += unusable
    return bad
