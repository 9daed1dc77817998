import numpy as np
import pytest
import torch

from engram.data import Split
from engram.train import ImageAugment, ImageFeed, Normal
from engram.train.feed import Job, read

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
SPLIT = Split(PIXELS, np.arange(20, dtype=np.int64) % 4)
PLAIN = Normal(torch.zeros(3), torch.ones(3))
EVERYTHING = ImageAugment(
    crop=2, policy="trivialaugment", erase=0.3, mixup=0.2, cutmix=1.0, mixed=0.7
)


def feed(augment: ImageAugment | None = None, split: Split = SPLIT, **options) -> ImageFeed:
    return ImageFeed(split, Normal.of(split.inputs), augment, classes=4, **options)


def test_without_augmentation_the_images_are_standardised():
    rows = torch.tensor([3, 1])
    x, labels = feed().batch(rows, slice(None), 0)
    wide = PIXELS.astype(float)
    expected = (wide - wide.mean((0, 1, 2))) / wide.std((0, 1, 2))
    np.testing.assert_allclose(x.movedim(1, -1), expected[[3, 1]], atol=1e-5)
    assert labels.tolist() == [3, 1]


def test_grey_images_and_images_read_one_by_one_are_as_an_array():
    listed = Split(list(PIXELS), SPLIT.labels)
    rows = torch.arange(20)
    for augment in (None, EVERYTHING):
        for ours, theirs in zip(
            feed(augment, listed).batch(rows, slice(None), 2),
            feed(augment).batch(rows, slice(None), 2),
            strict=True,
        ):
            assert torch.equal(ours, theirs)
    grey = Split(PIXELS[..., 0], SPLIT.labels)
    x, _ = feed(EVERYTHING, grey).batch(rows, slice(None), 0)
    assert x.shape == (20, 1, 8, 8)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")  # on few cores
def test_an_image_is_augmented_alike_in_any_number_of_processes_and_workers(size, workers):
    rows = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    whole = feed(EVERYTHING).batch(rows, slice(None), 5)
    jobs = [Job(rows, slice(20 * i // size, 20 * (i + 1) // size), 5) for i in range(size)]
    parts = list(read(feed(EVERYTHING), jobs, workers))
    assert torch.equal(torch.cat([x for x, _ in parts]), whole[0])
    assert torch.equal(torch.cat([y for _, y in parts]), whole[1])


def test_an_image_changes_from_epoch_to_epoch_and_with_the_seed():
    def shifted(seed: int, epoch: int) -> torch.Tensor:
        one = feed(ImageAugment(flip=False, crop=2), seed=seed)
        return one.batch(torch.arange(20), slice(None), epoch)[0]

    same = [torch.equal(a, b) for a, b in zip(shifted(0, 0), shifted(0, 1), strict=True)]
    assert sum(same) < 6
    assert torch.equal(shifted(0, 1), shifted(0, 1))
    assert not torch.equal(shifted(0, 0), shifted(1, 0))


@pytest.mark.parametrize(
    "augment", [ImageAugment(flip=False, mixup=1.0), ImageAugment(flip=False, cutmix=1.0)]
)
def test_the_labels_have_the_shares_of_the_images(augment):
    constant = np.broadcast_to(np.array([10, 20, 30, 40], np.uint8)[:, None, None], (4, 8, 8))
    one = ImageFeed(
        Split(np.ascontiguousarray(constant), np.arange(4, dtype=np.int64)),
        Normal(torch.zeros(1), torch.ones(1)), augment, classes=4,
    )  # fmt: skip
    for epoch in range(20):
        x, shares = one.batch(torch.arange(4), slice(None), epoch)
        torch.testing.assert_close(shares.sum(1), torch.ones(4))
        expected = shares @ torch.tensor([10.0, 20, 30, 40])
        torch.testing.assert_close(x.mean((1, 2, 3)), expected, rtol=1e-4, atol=1e-3)


def test_half_of_the_images_are_mixed_where_half_is_asked_for():
    both = ImageAugment(flip=False, mixup=1.0, cutmix=1.0, mixed=0.5)
    count = 0
    for epoch in range(100):
        _, shares = feed(both).batch(torch.arange(20), slice(None), epoch)
        count += int((shares.max(1).values < 1).sum())
    assert 850 < count < 1100  # of 2000, of which neighbours of one label and empty boxes are none


def test_the_policies_are_for_images_of_eight_bits():
    split = Split(PIXELS.astype(np.float32), SPLIT.labels)
    with pytest.raises(ValueError, match="trivialaugment is for images of 8 bits"):
        feed(EVERYTHING, split).batch(torch.arange(2), slice(None), 0)


@pytest.mark.parametrize(
    ("setting", "named"), [({"erase": 1.5}, "erase=1.5"), ({"mixup": -1.0}, "mixup=-1.0")]
)
def test_a_number_out_of_range_is_named(setting, named):
    with pytest.raises(ValueError, match=named):
        ImageAugment(**setting)
