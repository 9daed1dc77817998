from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engram.data import DataError, load


def png(value, shape=(4, 6, 3)):
    buffer = BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path, labels, column="img", start=0, contents=None):
    contents = contents or [png(start + row) for row in range(len(labels))]
    pictures = [{"bytes": content, "path": f"{row}.png"} for row, content in enumerate(contents)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: pictures, "label": labels}), path, row_group_size=3)


def first_pixels(split):
    return [int(image.flat[0]) for image in split.inputs]


@pytest.mark.parametrize("column", ["img", "image"])
@pytest.mark.parametrize("test_name", ["test", "validation"])
def test_files_are_splits(tmp_path, column, test_name):
    write(tmp_path / "data" / "train-00000-of-00002.parquet", [0, 1, 2, 1], column)
    write(tmp_path / "data" / "train-00001-of-00002.parquet", [2], column, start=4)
    write(tmp_path / "data" / f"{test_name}-00000-of-00001.parquet", [1, 0], column, start=100)
    dataset = load(f"parquet:{tmp_path}")
    assert first_pixels(dataset.train) == [0, 1, 2, 3, 4]
    assert dataset.train.labels.tolist() == [0, 1, 2, 1, 2]
    assert first_pixels(dataset.test) == [100, 101]
    assert dataset.classes == ("0", "1", "2")
    assert len(dataset.sha256) == 3


@pytest.mark.parametrize("spec", ["one.parquet", "."])
def test_one_file_is_divided(tmp_path, spec):
    write(tmp_path / "one.parquet", [0, 1] * 10)
    dataset = load(f"parquet:{tmp_path / spec}")
    assert dataset.test.labels.tolist().count(0) == dataset.test.labels.tolist().count(1) == 2
    assert sorted(first_pixels(dataset.train) + first_pixels(dataset.test)) == list(range(20))
    assert "no test split was given" in dataset.notes[0]


def test_text_labels_become_classes(tmp_path):
    write(tmp_path / "train.parquet", ["dog", "cat", "dog"])
    write(tmp_path / "test.parquet", ["cat"])
    dataset = load(f"parquet:{tmp_path}")
    assert dataset.classes == ("cat", "dog")
    assert dataset.train.labels.tolist() == [1, 0, 1]


def test_a_size_brings_pictures_together(tmp_path):
    write(tmp_path / "one.parquet", [0] * 10, contents=[png(7, (5, 4 + row)) for row in range(10)])
    with pytest.raises(DataError, match=r"one\.parquet, row 0 is 4 x 5 but .* row 1 is 5 x 5"):
        load(f"parquet:{tmp_path}")
    assert load(f"parquet:{tmp_path}", size=3).train.inputs[0].shape == (3, 3)


def test_a_corrupt_picture_names_its_row(tmp_path):
    write(tmp_path / "one.parquet", [0, 0], contents=[png(0), b"broken"])
    with pytest.raises(DataError, match=r"one\.parquet, row 1 is not a readable image"):
        load(f"parquet:{tmp_path}")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"picture": [1], "label": [0]}, "has the columns picture, label: it needs"),
        ({"img": [{"bytes": b"", "path": ""}]}, "has the columns img: it needs"),
        ({"img": [b""], "label": [0]}, "has img of type binary: it must be a struct"),
        ({"img": [{"path": ""}], "label": [0]}, "it must be a struct"),
        ({"img": [{"bytes": None}, {"bytes": b""}], "label": [0, 0]}, "rows without image bytes"),
        ({"img": [None, {"bytes": b""}], "label": [0, 0]}, "rows without image bytes"),
        ({"img": [{"bytes": b""}], "label": pa.array([None], pa.int64())}, "bytes or label"),
        ({"img": [{"bytes": b""}], "label": [0.5]}, "neither all integers nor all text"),
        ({"img": [{"bytes": b""}], "label": [-1]}, "labels count from 0"),
    ],
)
def test_a_table_of_another_shape_is_named(tmp_path, table, complaint):
    pq.write_table(pa.table(table), tmp_path / "one.parquet")
    with pytest.raises(DataError, match=complaint):
        load(f"parquet:{tmp_path}")


def test_a_damaged_file_is_named(tmp_path):
    write(tmp_path / "one.parquet", [0, 1] * 10)
    whole = (tmp_path / "one.parquet").read_bytes()
    (tmp_path / "one.parquet").write_bytes(whole[:-10])
    with pytest.raises(DataError, match=r"one\.parquet is not a readable parquet file"):
        load(f"parquet:{tmp_path}")


def test_an_empty_table_is_named(tmp_path):
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"img": pa.array([], kind), "label": pa.array([], pa.int64())})
    pq.write_table(table, tmp_path / "one.parquet")
    with pytest.raises(DataError, match="hold no rows"):
        load(f"parquet:{tmp_path}")


def test_names_must_tell_the_splits_apart(tmp_path):
    with pytest.raises(DataError, match=r"holds no parquet file: name the files train-\*"):
        load(f"parquet:{tmp_path}")
    write(tmp_path / "a.parquet", [0])
    write(tmp_path / "b.parquet", [0])
    with pytest.raises(DataError, match=r"holds a\.parquet, b\.parquet: name the files"):
        load(f"parquet:{tmp_path}")
