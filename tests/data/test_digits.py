from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from engram.data import DataError, load
from engram.data.digits import read_digits


def test_they_are_scikit_learns_digits():
    published: Any = load_digits()
    digits = load("digits")
    images = np.concatenate([digits.train.inputs, digits.test.inputs])
    labels = np.concatenate([digits.train.labels, digits.test.labels])
    assert np.array_equal(images, published.images)
    assert np.array_equal(labels, published.target)


def test_the_last_360_test():
    digits = load("digits")
    inputs = np.asarray(digits.train.inputs)
    assert np.shape(digits.test.inputs) == (360, 8, 8)
    assert inputs.dtype == np.uint8
    assert inputs.max() == digits.full_scale == 16
    assert list(digits.sha256) == ["digits.csv.gz"]


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "digits.csv.gz").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"digits\.csv\.gz .* reinstall"):
        read_digits(tmp_path)
