"""Sums of k^−α, exactly for small k and by the Euler–Maclaurin formula for large k."""

# compiled by Numba; to a type checker its arrays are Python's
# pyright: reportReturnType=false

import math

import numpy as np
from numba import njit

FEW = 128
"""Up to this k the terms are summed one by one; beyond it the relative error is below 1e-9."""


@njit(cache=True)
def partial_sum(alpha: float, first: int, last: float) -> tuple[float, float]:
    """Σ k^−α and Σ k^−α ln k, for k from `first` to `last`, which may be infinite.

    Args:
        alpha: The exponent α; above 1 if `last` is infinite.
        first: The first k, 1 or more.
        last: The last k.
    """
    total, logs = 0.0, 0.0
    few = int(min(last, FEW))
    for k in range(first, few + 1):
        y = math.log(k)
        term = math.exp(-alpha * y)
        total += term
        logs += term * y
    if last > few:
        low, low_logs = antiderivative(alpha, max(first, FEW + 1) - 0.5)
        if last == np.inf:
            return total - low, logs - low_logs
        high, high_logs = antiderivative(alpha, last + 0.5)
        total += high - low
        logs += high_logs - low_logs
    return total, logs


@njit(cache=True)
def cumulative(alpha: float, first: int, values: np.ndarray) -> np.ndarray:
    """Σ k^−α for k from `first` to each of some ascending values.

    Args:
        alpha: The exponent α.
        first: The first k.
        values: Where the sums end, (value).
    """
    found = np.empty(len(values))
    total, k, few = 0.0, first, 0.0
    low = antiderivative(alpha, max(first, FEW + 1) - 0.5)[0]
    for i in range(len(values)):
        while k <= min(values[i], FEW):
            few += math.exp(-alpha * math.log(k))
            k += 1
        total = few
        if values[i] > FEW:
            total += antiderivative(alpha, values[i] + 0.5)[0] - low
        found[i] = total
    return found


@njit(cache=True)
def antiderivative(alpha: float, x: float) -> tuple[float, float]:
    """G(x) with Σ_{k=a}^{b} f(k) = G(b + ½) − G(a − ½), for f = x^−α and f = x^−α ln x.

    G = ∫f − f′/24, the first terms of the Euler–Maclaurin formula about midpoints.
    """
    s, y = 1 - alpha, math.log(x)
    if abs(s) * y < 1e-2:  # the closed form would cancel: the series of exp(s y)
        total = y * (1 + s * y / 2 * (1 + s * y / 3 * (1 + s * y / 4 * (1 + s * y / 5))))
        logs = y * y * (0.5 + s * y / 3 * (1 + s * y * 3 / 8 * (1 + s * y * 4 / 15)))
    else:
        power = math.exp(s * y)
        total = power / s
        logs = power * (y / s - 1 / (s * s))
    slope = math.exp(-(alpha + 1) * y)
    return total + alpha * slope / 24, logs - (1 - alpha * y) * slope / 24


@njit(cache=True)
def solve(mean_log: float, first: int, last: float, start: float) -> float:
    """The α at which the mean of ln k, from `first` to `last`, is that of the data.

    The mean falls as α grows, so there is one solution, found by bisection and secants.

    Args:
        mean_log: Mean of ln k of the data.
        first: As in `partial_sum`.
        last: As in `partial_sum`.
        start: A guess of α.
    """
    floor = 1 + 1e-6 if last == np.inf else -20.0
    low, high, step = max(start - 0.1, floor), max(start + 0.1, floor + 0.2), 0.2
    while low > floor and _excess(mean_log, first, last, low) < 0:
        low, high, step = max(low - step, floor), low, 2 * step
    while high < 50 and _excess(mean_log, first, last, high) > 0:
        low, high, step = high, high + step, 2 * step
    at_low, at_high = _excess(mean_log, first, last, low), _excess(mean_log, first, last, high)
    if at_low <= 0 or at_high >= 0:  # on the edge of what is allowed
        return low if at_low <= 0 else high
    for _ in range(100):  # the Illinois method
        new = (low * at_high - high * at_low) / (at_high - at_low)
        at_new = _excess(mean_log, first, last, new)
        if at_new * at_high > 0:
            at_low /= 2
            high, at_high = new, at_new
        else:
            low, high, at_low, at_high = high, new, at_high, at_new
        if abs(at_new) < 1e-13 or abs(high - low) < 1e-12:
            break
    return high


@njit(cache=True)
def _excess(mean_log: float, first: int, last: float, alpha: float) -> float:
    """Mean of ln k under the law less that of the data."""
    total, logs = partial_sum(alpha, first, last)
    return logs / total - mean_log


@njit(cache=True)
def log_variance(alpha: float, first: int, last: float) -> float:
    """The variance of ln k, which is Fisher's information of α in one observation."""
    # the mean of ln k falls at this rate as α grows; central differences keep nine digits
    step = 1e-4
    high = partial_sum(alpha + step, first, last)
    low = partial_sum(alpha - step, first, last)
    return (low[1] / low[0] - high[1] / high[0]) / (2 * step)
