"""Sound as a sequence of log-mel spectra."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

WINDOW_S = 0.032
"""Window length in seconds; consecutive windows overlap by half."""
BANDS = 40
FLOOR = 1e-6
"""Power added before the logarithm: the level of silence in 16 bits."""


def log_mel(wave: np.ndarray, sample_rate_hz: float) -> np.ndarray:
    """Log power in bands of equal width on the mel scale.

    Args:
        wave: A waveform in [-1, 1], (n); padded with silence if shorter than a window.
        sample_rate_hz: Samples per second.

    Returns:
        Natural logarithms, (steps, BANDS) float32.
    """
    window = round(WINDOW_S * sample_rate_hz)
    padded = np.pad(wave, (0, max(0, window - len(wave))))
    power = power_spectra(padded, window, window // 2)
    return np.log(power @ mel_filters(BANDS, window, sample_rate_hz).T + FLOOR).astype(np.float32)


def power_spectra(wave: np.ndarray, window: int, hop: int) -> np.ndarray:
    """The power spectrum of each window: |Σ_n h[n] x[n] exp(−2πi f n/window)|² / Σ_n h[n]².

    Args:
        wave: A waveform, (n), at least one window long.
        window: Window length in samples; h is a raised cosine.
        hop: Samples from one window to the next.

    Returns:
        Power, (steps, window // 2 + 1).
    """
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    pieces = sliding_window_view(wave.astype(np.float64), window)[::hop]
    return np.abs(np.fft.rfft(pieces * taper)) ** 2 / np.sum(taper**2)


def mel_filters(bands: int, window: int, sample_rate_hz: float) -> np.ndarray:
    """Half-overlapping triangular filters, evenly spaced in mel = 2595·log10(1 + f/700).

    Args:
        bands: Number of triangles, from 0 Hz to half the sample rate.
        window: Samples of a window.
        sample_rate_hz: Samples per second.

    Returns:
        The weight of each frequency in each band, (bands, window // 2 + 1), at most 1.
    """
    top_mel = 2595 * np.log10(1 + sample_rate_hz / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top_mel, bands + 2) / 2595) - 1)
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    frequency = np.fft.rfftfreq(window, 1 / sample_rate_hz)
    rise, fall = (frequency - low) / (peak - low), (high - frequency) / (high - peak)
    return np.clip(np.minimum(rise, fall), 0, None)
