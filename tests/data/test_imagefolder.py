import numpy as np
import pytest
from PIL import Image

from engram.data import DataError, load


def fill(root, classes=("cat", "dog"), count=5, shape=(4, 6), start=0):
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for take in range(count):
            pixels = np.full(shape, start + 10 * label + take, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{take}.png")


def first_pixels(split):
    return [int(image.flat[0]) for image in split.inputs]


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_folders_are_splits_and_classes(tmp_path, test_name):
    fill(tmp_path / "train")
    fill(tmp_path / test_name, count=2, start=100)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not a picture")
    dataset = load(f"imagefolder:{tmp_path}")
    assert dataset.classes == ("cat", "dog")
    assert first_pixels(dataset.train) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    assert first_pixels(dataset.test) == [100, 101, 110, 111]
    assert dataset.test.labels.tolist() == [0, 0, 1, 1]
    assert dataset.full_scale == 255
    assert dataset.notes == ()
    assert set(dataset.sha256) == {"train", test_name}


@pytest.mark.parametrize("below", [".", "train"])
def test_without_a_test_folder_a_fifth_of_each_class_tests(tmp_path, below):
    fill(tmp_path / below, count=10)
    first, second = load(f"imagefolder:{tmp_path}"), load(f"imagefolder:{tmp_path}")
    assert first.test.labels.tolist() == [0, 0, 1, 1]
    assert first_pixels(first.test) == first_pixels(second.test)
    assert sorted(first_pixels(first.train) + first_pixels(first.test)) == list(range(20))
    assert "no test split was given" in first.notes[0]


def test_the_hash_follows_the_pictures(tmp_path):
    fill(tmp_path)
    before = load(f"imagefolder:{tmp_path}").sha256
    Image.fromarray(np.full((4, 6), 99, np.uint8)).save(tmp_path / "dog" / "0.png")
    assert before.keys() == load(f"imagefolder:{tmp_path}").sha256.keys()
    assert before != load(f"imagefolder:{tmp_path}").sha256


@pytest.mark.parametrize(("size", "shape"), [(8, (8, 8)), ((3, 5), (3, 5))])
def test_a_size_brings_pictures_together(tmp_path, size, shape):
    fill(tmp_path / "train", shape=(4, 6))
    fill(tmp_path / "test", shape=(9, 5))
    with pytest.raises(DataError, match=r"is 6 x 4 but .* is 5 x 9: give size="):
        load(f"imagefolder:{tmp_path}")
    dataset = load(f"imagefolder:{tmp_path}", size=size)
    assert {image.shape for image in [*dataset.train.inputs, *dataset.test.inputs]} == {shape}


@pytest.mark.parametrize("size", [0, (0, 4), (4, -1)])
def test_a_size_has_at_least_a_pixel(tmp_path, size):
    fill(tmp_path)
    with pytest.raises(DataError, match="at least 1 pixel"):
        load(f"imagefolder:{tmp_path}", size=size)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere is missing"):
        load(f"imagefolder:{tmp_path / 'nowhere'}")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="has no folders: put the images of each class"):
        load(f"imagefolder:{tmp_path}")


def test_an_empty_class_is_named(tmp_path):
    fill(tmp_path)
    (tmp_path / "eel").mkdir()
    with pytest.raises(DataError, match="eel holds no image"):
        load(f"imagefolder:{tmp_path}")


def test_a_class_without_training_pictures_is_named(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", classes=("cat", "dog", "eel"))
    with pytest.raises(DataError, match=r"has the classes \['eel'\], which train does not have"):
        load(f"imagefolder:{tmp_path}")


def test_a_test_folder_alone_is_refused(tmp_path):
    fill(tmp_path / "test")
    with pytest.raises(DataError, match="no train folder"):
        load(f"imagefolder:{tmp_path}")


def test_the_folder_is_named_once(tmp_path):
    fill(tmp_path)
    with pytest.raises(DataError, match="one place only"):
        load(f"imagefolder:{tmp_path}", folder=tmp_path)
