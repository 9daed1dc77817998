import pickle
import struct
import tarfile
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engram.data import DataError, load
from engram.data.cifar import read_cifar10

NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


class Intruder:
    def __reduce__(self):
        return (print, ("run while unpickling",))


def write_batches(root, **replaced):
    """Batches of four images each: value = batch index in red, row in green, column in blue."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    rows, columns = np.mgrid[:32, :32]
    for number, name in enumerate(NAMES):
        planes = np.stack([np.full((32, 32), number), rows, columns]).astype(np.uint8)
        batch = {b"data": np.tile(planes.reshape(-1), (4, 1)), b"labels": [number, 1, 2, 3]}
        content = pickle.dumps(replaced.get(name, batch), protocol=2)
        (folder / name).write_bytes(content)
    (folder / "batches.meta").write_bytes(pickle.dumps(Intruder()))
    return folder


def check(dataset):
    assert dataset.train.inputs.shape == (20, 32, 32, 3)
    assert dataset.train.inputs[::4, 5, 9].tolist() == [[number, 5, 9] for number in range(5)]
    assert dataset.test.inputs[0, 31, 0].tolist() == [5, 31, 0]
    assert dataset.train.labels[::4].tolist() == [0, 1, 2, 3, 4]
    assert dataset.test.labels.tolist() == [5, 1, 2, 3]
    assert dataset.train.inputs.dtype == np.uint8
    assert dataset.classes[9] == "truck"


def python_2_batch(number):
    """The bytes that Python 2 and NumPy 1 write, whose strings are all byte strings."""
    pixels = np.full((4, 3072), number, np.uint8).tobytes()
    return b"".join(
        (
            b"\x80\x02}(U\x04data",
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01K\x04M\x00\x0c\x86",
            b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<I", len(pixels)) + pixels + b"tb",
            b"U\x06labels](K\x00K\x01K\x02K\x03eu.",
        )
    )


def test_batches_that_python_2_wrote(tmp_path):
    for number, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(python_2_batch(number))
    reading = read_cifar10(tmp_path)
    assert np.asarray(reading.train.inputs)[::4, 5, 9].tolist() == [
        [number] * 3 for number in range(5)
    ]
    assert reading.test.labels.tolist() == [0, 1, 2, 3]


def test_the_authors_folder(tmp_path):
    folder = write_batches(tmp_path)
    check(load("cifar10", folder=tmp_path))
    check(load("cifar10", folder=folder))


def test_the_authors_archive(tmp_path):
    folder = write_batches(tmp_path)
    (tmp_path / "kept" / "cifar10").mkdir(parents=True)
    archive = tmp_path / "kept" / "cifar10" / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(folder, folder.name)
    check(load("cifar10", folder=archive))
    check(load("cifar10", folder=tmp_path / "kept"))


def test_a_pickle_may_only_build_arrays(tmp_path, capsys):
    write_batches(tmp_path, data_batch_3={b"data": Intruder(), b"labels": [0]})
    with pytest.raises(DataError, match=r"data_batch_3 .* __builtin__\.print, which no array"):
        read_cifar10(tmp_path)
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "batch",
    [
        {b"data": np.zeros((4, 3072), np.uint8)},
        {b"data": np.zeros((4, 3071), np.uint8), b"labels": [0] * 4},
        {b"data": np.zeros((4, 3072)), b"labels": [0] * 4},
        [1, 2, 3],
        "text",
    ],
)
def test_a_batch_of_another_shape_is_named(tmp_path, batch):
    write_batches(tmp_path, test_batch=batch)
    with pytest.raises(DataError, match=r"test_batch .* replace it with the original"):
        read_cifar10(tmp_path)


def test_a_cut_batch_is_named(tmp_path):
    file = write_batches(tmp_path) / "test_batch"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(DataError, match="test_batch is not a batch"):
        read_cifar10(tmp_path)


def test_a_missing_batch_is_named(tmp_path):
    (write_batches(tmp_path) / "data_batch_4").unlink()
    with pytest.raises(DataError, match="lacks data_batch_4"):
        read_cifar10(tmp_path)


def write_parquet(folder, split, labels, kind="PNG", side=32, **options):
    rows = []
    for row in range(len(labels)):
        buffer = BytesIO()
        Image.new("RGB", (side, side), (row, 50, 200)).save(buffer, kind, **options)
        rows.append({"bytes": buffer.getvalue(), "path": None})
    table = pa.table({"img": rows, "label": labels})
    pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")


def test_parquet_of_lossless_pictures(tmp_path):
    write_parquet(tmp_path, "train", [4, 2, 9])
    write_parquet(tmp_path, "test", [1])
    dataset = load("cifar10", folder=tmp_path)
    assert np.asarray(dataset.train.inputs)[:, 3, 4].tolist() == [
        [row, 50, 200] for row in range(3)
    ]
    assert dataset.train.labels.tolist() == [4, 2, 9]
    assert not any("lossy" in note for note in dataset.notes)


def test_lossy_pictures_are_said_to_be(tmp_path):
    write_parquet(tmp_path, "train", [4, 2], "JPEG", quality=60)
    write_parquet(tmp_path, "test", [1], "JPEG", quality=60)
    assert load("cifar10", folder=tmp_path).notes[0] == "lossy JPEG copies (Q60)"


def test_pictures_of_another_size_are_named(tmp_path):
    write_parquet(tmp_path, "train", [4, 2], side=28)
    write_parquet(tmp_path, "test", [1])
    with pytest.raises(DataError, match="row 0 is 28 x 28, not 32 x 32"):
        load("cifar10", folder=tmp_path)


def test_labels_are_whole_numbers(tmp_path):
    write_parquet(tmp_path, "train", ["cat"])
    write_parquet(tmp_path, "test", ["cat"])
    with pytest.raises(DataError, match="not integers"):
        load("cifar10", folder=tmp_path)


def test_both_splits_are_needed(tmp_path):
    write_parquet(tmp_path, "train", [1])
    with pytest.raises(DataError, match=r"holds no test-\*\.parquet"):
        load("cifar10", folder=tmp_path)
