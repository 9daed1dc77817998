"""The real files, as the folder that ENGRAM_DATA names holds them."""

import os

import numpy as np
import pytest

from engram.data import load

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not os.environ.get("ENGRAM_DATA"), reason="ENGRAM_DATA is not set"),
]


@pytest.mark.parametrize(
    ("name", "mean", "deviation"), [("mnist", 0.1307, 0.3081), ("fashion-mnist", 0.2860, 0.3530)]
)
def test_grey_images_have_the_published_moments(name, mean, deviation):
    dataset = load(name)
    inputs = np.asarray(dataset.train.inputs)
    assert inputs.shape == (60_000, 28, 28)
    assert np.shape(dataset.test.inputs) == (10_000, 28, 28)
    assert inputs.mean() / dataset.full_scale == pytest.approx(mean, abs=1e-4)
    assert inputs.std() / dataset.full_scale == pytest.approx(deviation, abs=1e-4)
    assert set(dataset.test.labels) == set(range(10))
    if name == "fashion-mnist":
        assert np.bincount(dataset.train.labels).tolist() == [6000] * 10


def test_cifar10_is_complete_and_its_loss_is_told():
    dataset = load("cifar10")
    inputs = np.asarray(dataset.train.inputs)
    assert inputs.shape == (50_000, 32, 32, 3)
    assert np.bincount(dataset.train.labels).tolist() == [5000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    moments = inputs.mean((0, 1, 2)) / dataset.full_scale
    assert moments == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-3)
    if "train-00000-of-00001.parquet" in dataset.sha256:
        assert "lossy JPEG copies (Q75)" in dataset.notes


def test_n_mnist_is_three_saccades_on_its_sensor():
    dataset = load("n-mnist")
    assert (len(dataset.train), len(dataset.test)) in {(1_000, 100), (60_000, 10_000)}
    events = dataset.train.inputs[0]
    assert 250_000 < events["t"].max() < 400_000
    assert set(events["p"]) == {0, 1}
    assert events["x"].max() < 34
    assert events["y"].max() < 34


def test_spoken_digits_are_a_tenth_to_test():
    dataset = load("spoken-digits")
    assert (len(dataset.train), len(dataset.test)) in {(2_700, 300), (2_250, 250)}
    assert dataset.sample_rate_hz == 8_000
    assert len({len(waveform) for waveform in dataset.train.inputs}) > 1_000
    assert max(np.abs(waveform).max() for waveform in dataset.train.inputs) <= 1
