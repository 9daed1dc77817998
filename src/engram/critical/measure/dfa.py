"""Detrended fluctuation analysis."""

from typing import NamedTuple

import numpy as np

from engram.critical.measure.branching import SHORTEST
from engram.errors import EngramError
from engram.stats import Interval


class Fluctuation(NamedTuple):
    """The fluctuation of a signal over windows of several lengths.

    Attributes:
        exponent: The slope of log F on log n, with its interval.
        lengths: Lengths n of the windows, in steps, (n).
        fluctuation: The fluctuation F(n), (n).
    """

    exponent: Interval
    lengths: np.ndarray
    fluctuation: np.ndarray


def dfa(
    signal: np.ndarray,
    rng: np.random.Generator,
    shortest: int = 16,
    draws: int = 200,
    level: float = 0.95,
) -> Fluctuation:
    """Measure how the fluctuation of a signal grows with the length of the window.

    F²(n) is the mean square of the summed signal about its linear trend in windows of n steps; the
    exponent is 0.5 for white and 1.5 for Brownian noise. The interval is from realisations of
    Gaussian noise with a spectrum of the fitted exponent and the length of the signal.

    Args:
        signal: The signal, (time).
        rng: Draws the realisations.
        shortest: Length of the shortest window; the longest is a tenth of the signal.
        draws: Number of realisations.
        level: Confidence level, in (0, 1).

    Raises:
        EngramError: If the signal has fewer than 200 steps, or is constant.

    References:
        Peng et al. (1994), Physical Review E 49(2), 1685.
    """
    signal = np.asarray(signal, np.float64)
    if signal.ndim != 1 or len(signal) < max(SHORTEST, 20 * shortest):
        raise EngramError(
            f"signal has shape {signal.shape}; give (time), {max(SHORTEST, 20 * shortest)} steps "
            "or more"
        )
    if not np.ptp(signal):
        raise EngramError("the signal is constant; it has no fluctuation")
    lengths = np.unique(np.geomspace(shortest, len(signal) // 10, 16).round().astype(int))
    mean = _fluctuation(signal, lengths)
    alpha = _slope(lengths, mean)
    error = np.empty(draws)
    for i in range(draws):
        noise = _coloured(len(signal), alpha, rng)
        error[i] = _slope(lengths, _fluctuation(noise, lengths)) - alpha
    low, high = np.quantile(error, [(1 - level) / 2, (1 + level) / 2])
    exponent = Interval(alpha, min(alpha - high, alpha), max(alpha - low, alpha), level)
    return Fluctuation(exponent, lengths, np.sqrt(mean))


def _fluctuation(signal: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """F²(n), (n)."""
    profile = np.cumsum(signal - signal.mean())
    return np.array([_squares(profile, n).mean() for n in lengths])


def _coloured(n: int, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise with a spectrum f^−(2α − 1): half of a period, so that its ends differ."""
    spectrum = rng.standard_normal(n + 1) + 1j * rng.standard_normal(n + 1)
    spectrum[0] = 0
    spectrum[1:] *= np.arange(1, n + 1) ** (0.5 - alpha)
    return np.fft.irfft(spectrum, 2 * n)[:n]


def _squares(profile: np.ndarray, n: int) -> np.ndarray:
    """The mean square about the trend of each window of n steps, (window)."""
    windows = profile[: len(profile) // n * n].reshape(-1, n)
    time = np.arange(n) - (n - 1) / 2
    level = windows - windows.mean(axis=1, keepdims=True)
    trend = level @ time / (time @ time)
    return ((level - trend[:, None] * time) ** 2).mean(axis=1)


def _slope(lengths: np.ndarray, squares: np.ndarray) -> float:
    return float(np.polyfit(np.log(lengths), np.log(squares) / 2, 1)[0])
