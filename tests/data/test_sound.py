from typing import Any, cast

import numpy as np
import pytest
from scipy import signal

from engram.data import sound


def test_spectra_are_those_of_scipy():
    wave = np.random.default_rng(1).normal(size=1000)
    _, _, theirs = signal.spectrogram(
        wave, window="hann", nperseg=256, noverlap=156, detrend=cast("Any", False),
        scaling="density", fs=1.0, mode="complex",
    )  # fmt: skip
    hann = signal.get_window("hann", 256)
    scaled = np.abs(np.asarray(theirs)) ** 2  # of the density, so its windows are normalised alike
    np.testing.assert_allclose(sound.power_spectra(wave, 256, 100), scaled.T, rtol=1e-9)
    direct = np.abs(np.exp(-2j * np.pi * 7 * np.arange(256) / 256) @ (hann * wave[:256])) ** 2
    assert sound.power_spectra(wave, 256, 100)[0, 7] == pytest.approx(direct / (hann**2).sum())


def test_a_tone_sounds_in_the_band_of_its_pitch():
    rate, pitch = 8000.0, 1000.0
    spectrum = sound.log_mel(np.sin(2 * np.pi * pitch * np.arange(800) / rate), rate)
    assert spectrum.shape == (1 + (800 - 256) // 128, sound.BANDS)
    loudest = spectrum[0].argmax()
    mel = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), sound.BANDS + 2)[1 + loudest]
    assert 700 * (10 ** (mel / 2595) - 1) == pytest.approx(pitch, rel=0.06)
    assert len(sound.log_mel(np.zeros(10), rate)) == 1  # shorter than a window
