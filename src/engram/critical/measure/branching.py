"""The branching ratio, by multistep regression, which subsampling does not bias."""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numba import njit
from scipy.fft import next_fast_len
from scipy.optimize import minimize_scalar

from engram.errors import EngramError
from engram.stats import Interval

Method = Literal["ts", "sm"]
SHORTEST = 200
"""Steps below which temporal measures are refused."""
LARGEST = 1.2
"""The largest branching ratio that a fit can give."""


def coefficients(activity: np.ndarray, steps: np.ndarray, method: Method = "ts") -> np.ndarray:
    """The slopes r_k of the activity k steps later on the activity.

    Args:
        activity: Activity of the population, (trial, time).
        steps: The numbers of steps k, (k).
        method: "ts" subtracts the mean of each trial and averages the slopes of the trials; "sm"
            takes all trials to have one mean, and gives one slope over all.

    Returns:
        The slopes, (k).

    Raises:
        EngramError: If a trial is not longer than the largest k, or the activity is constant.

    References:
        Wilting, Priesemann (2018), Nature Communications 9, 2325; Spitzner et al. (2021), PLoS
        ONE 16(4), equations 2 and 3.
    """
    x = np.asarray(activity, np.float64)
    if x.ndim != 2 or x.shape[1] <= max(steps) + 1:
        raise EngramError(
            f"activity has shape {x.shape}; give (trial, time), longer than {max(steps)} steps"
        )
    if not np.ptp(x, axis=1).all() if method == "ts" else not np.ptp(x):
        raise EngramError("the activity is constant; there is nothing to regress")
    n, k = x.shape[1], np.asarray(steps)
    x = x - x.mean(axis=1 if method == "ts" else None, keepdims=True)  # cancels fewer digits
    size = next_fast_len(n + int(k.max()), real=True)
    spectrum = np.fft.rfft(x, size, axis=1)
    product = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, k] / (n - k)
    total, square = np.cumsum(x, axis=1), np.cumsum(x * x, axis=1)
    now = total[:, n - 1 - k] / (n - k)
    later = (total[:, -1:] - total[:, k - 1]) / (n - k)
    square = square[:, n - 1 - k] / (n - k)
    if method == "sm":
        product, square, now, later = (
            one.mean(axis=0, keepdims=True) for one in (product, square, now, later)
        )
    return ((product - now * later) / (square - now * now)).mean(axis=0)


class Branching(NamedTuple):
    """The branching ratio of an activity.

    Attributes:
        ratio: The ratio m of the fit r_k = b m^k, with an interval.
        share: The factor b, which falls with the share of units that were recorded.
        naive: The slope r₁ alone, which subsampling biases to b m.
        steps: The numbers of steps, (k).
        slopes: The slopes r_k, (k).
    """

    ratio: Interval
    share: float
    naive: float
    steps: np.ndarray
    slopes: np.ndarray

    @property
    def timescale(self) -> float:
        """The autocorrelation time −1 / ln m, in steps; infinite for m ≥ 1."""
        m = self.ratio.estimate
        return -1 / math.log(m) if 0 < m < 1 else math.inf


def branching(
    activity: np.ndarray,
    rng: np.random.Generator,
    method: Method = "ts",
    longest: int | None = None,
    draws: int = 200,
    level: float = 0.95,
) -> Branching:
    """Estimate the branching ratio from the activity of all or some of the units.

    The interval comes from `draws` realisations of a subsampled branching process with the fitted
    autocorrelation and with the mean, the variance and the length of the recording, each of which
    is fitted again; they also correct the bias of finite length.

    Args:
        activity: Activity of the population, (trial, time).
        rng: Draws the realisations.
        method: As in `coefficients`.
        longest: The largest k; None takes twice the autocorrelation time, and at least 10.
        draws: Number of realisations.
        level: Confidence level, in (0, 1).

    Returns:
        The ratio and its fit.

    Raises:
        EngramError: If a trial has fewer than 200 steps or the activity a value below 0, or as in
            `coefficients`.
    """
    activity = np.asarray(activity, np.float64)
    if activity.ndim != 2 or activity.shape[1] < SHORTEST:
        raise EngramError(
            f"activity has shape {activity.shape}; temporal measures need (trial, time) with "
            f"{SHORTEST} steps or more per trial; for shorter ones use the perturbation read-out"
        )
    if activity.min() < 0:
        raise EngramError(
            f"the activity has the value {activity.min():g}; it is a number of spikes or of "
            "active units: give it without subtracting a mean"
        )
    steps, slopes, (m, b) = _fitted(activity, method, longest)
    truth, mean, variance = min(m, 0.9999), activity.mean(), activity.var()
    shared = min(max(b, 1e-6), 1.0)
    unit = shared * variance * (1 - truth * truth) / mean
    drawn, copy = np.empty(draws), np.empty(activity.shape)
    for i in range(draws):
        _realise(copy, truth, mean, unit, (1 - shared) * variance / mean, rng)
        drawn[i] = _fitted(copy, method, longest)[2][0]
    error = drawn - truth
    low, bias, high = np.quantile(error, [(1 - level) / 2, 0.5, (1 + level) / 2])
    return Branching(
        Interval(float(m - bias), float(m - high), float(m - low), level),
        b,
        float(slopes[0]),
        steps,
        slopes,
    )


def fit_exponential(steps: np.ndarray, slopes: np.ndarray) -> tuple[float, float]:
    """The m and b that minimise Σ (r_k − b m^k)².

    Args:
        steps: The numbers of steps k, ascending, (k).
        slopes: The slopes r_k, (k).
    """

    def matched(m: float) -> tuple[float, np.ndarray]:
        # relative to the largest power, which may exceed what float64 holds
        powers = np.power(m, steps - (steps[-1] if m > 1 else 0.0))
        return float(slopes @ powers / (powers @ powers)), powers

    def error(m: float) -> float:
        scale, powers = matched(m)
        return float(((slopes - scale * powers) ** 2).sum())

    # the error has local minima: start from the best point of a grid that is dense towards 1
    grid = np.concatenate([1 - np.geomspace(1e-5, 0.999, 60)[::-1], np.linspace(1, LARGEST, 20)])
    best = int(np.argmin([error(m) for m in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found: Any = minimize_scalar(error, bounds=bounds, options={"xatol": 1e-10})
    m = float(found.x)
    return m, matched(m)[0] * (m ** -float(steps[-1]) if m > 1 else 1.0)


def susceptibility(activity: np.ndarray, n_unit: int) -> float:
    """Susceptibility: N times the variance of the active fraction, N (⟨ρ²⟩ − ⟨ρ⟩²).

    Args:
        activity: Number of active units, (trial, time).
        n_unit: Number of units, N.
    """
    return float(n_unit * (np.asarray(activity, np.float64) / n_unit).var())


def autocorrelation(activity: np.ndarray, lags: int) -> np.ndarray:
    """Autocorrelation of the activity, averaged over trials.

    Args:
        activity: Activity of the population, (trial, time).
        lags: The largest lag, in steps.

    Returns:
        The coefficients of lags 0 to `lags`, (lags + 1).
    """
    return np.concatenate([[1.0], coefficients(activity, np.arange(1, lags + 1), "ts")])


def _fitted(
    activity: np.ndarray, method: Method, longest: int | None
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """The steps, the slopes and the fit; the steps reach as far as the fit finds correlation."""
    most = activity.shape[1] // 4
    reach, wanted = 0, min(longest or 30, most)
    steps, slopes, m, b = np.arange(0), np.arange(0.0), 0.0, 0.0
    for _ in range(6):
        if abs(wanted - reach) <= 0.1 * reach:
            break
        reach = wanted
        steps = np.arange(1, reach + 1)
        slopes = coefficients(activity, steps, method)
        m, b = fit_exponential(steps, slopes)
        if longest is None:
            wanted = most if m >= 1 else min(most, max(10, math.ceil(-2 / math.log(m))))
    return steps, slopes, (m, b)


@njit(cache=True)
def _realise(
    activity: np.ndarray, m: float, mean: float, unit: float, noise: float, rng: Any
) -> None:
    """Fill (trial, time) with a branching process of this mean, and noise of independent units.

    The hidden process has Poisson offspring in steps of `unit`, which sets its variance; the noise
    has the variance `noise` times the hidden activity, as that of units drawn at random has.
    """
    size = mean / unit
    for trial in range(len(activity)):
        # the stationary state is close to a gamma distribution
        hidden = rng.gamma(size * (1 - m * m), 1 / (1 - m * m))
        for t in range(activity.shape[1]):
            hidden = float(rng.poisson(m * hidden + (1 - m) * size))
            seen = unit * hidden
            activity[trial, t] = seen + math.sqrt(noise * seen) * rng.standard_normal()
