import numpy as np
import pytest
import torch

from engram import data
from engram.train.pictures import as_batch, load_images, read_pictures


def test_pictures_have_channels_and_the_training_part_is_standardised():
    pictures = read_pictures("digits", size=None, limit=None, validation=0.2, seed=0)
    assert pictures.train.inputs.shape[1:] == (1, 8, 8)
    assert pictures.train.inputs.mean().item() == pytest.approx(0, abs=1e-4)
    assert pictures.train.inputs.std().item() == pytest.approx(1, abs=1e-3)
    source = data.load("digits").test
    pixels = np.asarray(source.inputs, dtype=float)
    scale = np.polyfit(pixels.ravel(), pictures.test.inputs.numpy().ravel(), 1)
    np.testing.assert_allclose(np.polyval(scale, pixels), pictures.test.inputs[:, 0], atol=1e-4)
    assert pictures.test.labels.tolist() == source.labels.tolist()


def test_pictures_are_scaled_to_a_size():
    small = read_pictures("digits", size=None, limit=100, validation=0.2, seed=0)
    large = read_pictures("digits", size=16, limit=100, validation=0.2, seed=0)
    assert large.test.inputs.shape[1:] == (1, 16, 16)
    averaged = torch.nn.functional.avg_pool2d(large.test.inputs, 2)
    both = torch.stack([averaged.flatten(), small.test.inputs.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.97


def test_colours_are_standardised_apart(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for i in range(6):
                pixels = rng.integers(0, (256, 64, 1), (5, 4, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    pictures = read_pictures(
        f"imagefolder:{tmp_path}", size=None, limit=None, validation=0.5, seed=0
    )
    channels = pictures.train.inputs.movedim(1, 0).flatten(1)
    torch.testing.assert_close(channels.std(1), torch.tensor([1.0, 1.0, 0.0]))
    torch.testing.assert_close(channels.mean(1), torch.zeros(3), atol=1e-6, rtol=0)
    sized = read_pictures(f"imagefolder:{tmp_path}", size=6, limit=None, validation=0.5, seed=0)
    assert sized.test.inputs.shape[1:] == (3, 6, 6)


def test_the_limit_keeps_each_class_in_proportion():
    _, (train, validation, test) = load_images(
        "digits", size=None, limit=200, validation=0.25, seed=3
    )
    counts = np.bincount(np.concatenate([train.labels, validation.labels]))
    assert abs(counts.sum() - 200) <= 5
    assert counts.max() - counts.min() <= 2
    assert len(test) == 360


def test_some_test_pictures_are_chosen_at_random():
    every = read_pictures("digits", size=None, limit=100, validation=0.5, seed=1)
    some = read_pictures("digits", size=None, limit=100, validation=0.5, seed=1, tested=50)
    assert some.test.inputs.shape[0] == 50
    assert len(set(some.test.labels.tolist())) > 5
    found = {tuple(x.flatten().tolist()) for x in every.test.inputs}
    assert all(tuple(x.flatten().tolist()) in found for x in some.test.inputs)


def test_a_batch_is_rows():
    x = torch.arange(6.0).reshape(3, 2)
    assert as_batch(x, torch.tensor([2, 0])).tolist() == [[4, 5], [0, 1]]


@pytest.mark.parametrize(("name", "kind"), [("spoken-digits", "audio"), ("n-mnist", "events")])
def test_data_without_images_are_refused(name, kind):
    with pytest.raises(ValueError, match=rf"{name} holds {kind}.*digits.*imagefolder:DIR"):
        read_pictures(name, size=None, limit=None, validation=0.2, seed=0)
