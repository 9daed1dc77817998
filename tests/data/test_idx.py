import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engram.data import DataError
from engram.data.idx import read_idx, read_mnist


def encode(array, dtype_code=8, shape=None):
    shape = array.shape if shape is None else shape
    header = bytes([0, 0, dtype_code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return header + array.tobytes()


def write(path, raw):
    path.write_bytes(gzip.compress(raw))
    return path


def write_mnist(folder, images=6, labels=6):
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for prefix in ("train", "t10k"):
        pixels = rng.integers(0, 256, (images, 3, 2), dtype=np.uint8)
        write(folder / f"{prefix}-images-idx3-ubyte.gz", encode(pixels))
        write(folder / f"{prefix}-labels-idx1-ubyte.gz", encode(np.arange(labels, dtype=np.uint8)))
    return folder


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)))
def test_what_is_written_is_read(tmp_path_factory, array):
    path = write(tmp_path_factory.mktemp("idx") / "a.gz", encode(array))
    assert np.array_equal(read_idx(path), array)
    assert read_idx(path).flags.writeable


@given(cut=st.integers(0, 40))
def test_a_truncated_file_is_named(tmp_path_factory, cut):
    whole = gzip.compress(encode(np.arange(30, dtype=np.uint8)))
    path = tmp_path_factory.mktemp("idx") / "cut.gz"
    path.write_bytes(whole[:cut])
    with pytest.raises(DataError, match=r"cut\.gz.*(complete copy|original file)"):
        read_idx(path)


@pytest.mark.parametrize("raw", [b"", b"\0\0", b"\x1f\x8bxx", encode(np.zeros(2), dtype_code=14)])
def test_another_magic_number_is_refused(tmp_path, raw):
    with pytest.raises(DataError, match=r"a\.gz starts with .* magic number"):
        read_idx(write(tmp_path / "a.gz", raw))


@pytest.mark.parametrize("promised", [(5, 4), (5, 2), (1 << 31, 1 << 31)])
def test_the_header_must_tell_how_much_there_is(tmp_path, promised):
    raw = encode(np.zeros((5, 3), np.uint8), shape=promised)
    with pytest.raises(DataError, match=r"a\.gz states .* holds 15"):
        read_idx(write(tmp_path / "a.gz", raw))


def test_a_header_cut_short_is_refused(tmp_path):
    with pytest.raises(DataError, match="inside its IDX header"):
        read_idx(write(tmp_path / "a.gz", encode(np.zeros((2, 2), np.uint8))[:9]))


def test_four_files_make_two_splits(tmp_path):
    reading = read_mnist(write_mnist(tmp_path))
    assert np.shape(reading.train.inputs) == (6, 3, 2)
    assert reading.test.labels.tolist() == list(range(6))
    assert len(reading.files) == 4


def test_a_missing_file_is_named(tmp_path):
    (write_mnist(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz is missing"):
        read_mnist(tmp_path)


def test_images_and_labels_must_agree(tmp_path):
    with pytest.raises(DataError, match=r"train-images.*\(6, 3, 2\).*train-labels.*\(5,\)"):
        read_mnist(write_mnist(tmp_path, images=6, labels=5))
