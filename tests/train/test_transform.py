import numpy as np
import pytest
import torch
from scipy import stats

from engram.train.transform import crop, cutmix, erase, flip, mixup


def draws(*shape: int) -> np.ndarray:
    """The same numbers whatever other tests have drawn."""
    return np.random.default_rng(0).random(shape)


def images(n: int, channels: int = 3, height: int = 8, width: int = 6) -> torch.Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(1))


def test_images_below_the_probability_are_flipped():
    x = images(3)
    y = flip(x, np.array([[0.1], [0.5], [0.49]]))
    assert torch.equal(y[0], x[0].flip(-1))
    assert torch.equal(y[1], x[1])
    assert torch.equal(y[2], x[2].flip(-1))


def test_a_crop_is_a_shift_with_zeros_and_every_shift_occurs():
    x = images(25)
    y = crop(x, (np.stack(np.divmod(np.arange(25), 5), 1) + 0.5) / 5, 2)
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))
    for i in range(25):
        top, left = divmod(i, 5)
        assert torch.equal(y[i], padded[i, :, top : top + 8, left : left + 6])


def test_the_erased_part_has_the_area_that_was_drawn():
    x = images(400, height=32, width=32) + 1
    y = erase(x, draws(400, 5), 0.5)
    holes = (y == 0).all(1)
    erased = holes.flatten(1).any(1)
    assert 0.4 < erased.double().mean() < 0.6
    assert torch.equal(y[~erased], x[~erased])
    for hole in holes[erased]:
        rows, columns = hole.any(1), hole.any(0)
        assert torch.equal(hole, rows[:, None] & columns)  # a rectangle
    shares = holes[erased].double().mean((1, 2))
    assert shares.min() > 0.01
    assert shares.max() < 0.36


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_mixup_is_a_weighted_sum_with_a_share_from_the_beta_distribution(alpha):
    x, others = images(2000, 1, 2, 2).double(), images(2000, 1, 2, 2).flip(0).double()
    mixed, shares = mixup(x, others, draws(2000, 1), alpha)
    weights = shares[:, None, None, None]
    torch.testing.assert_close(mixed, weights * x + (1 - weights) * others)
    assert stats.kstest(shares.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_sixty_four_images_get_different_boxes_whose_area_is_the_share_of_the_label():
    x, others = torch.zeros(64, 3, 32, 32), torch.ones(64, 3, 32, 32)
    mixed, shares = cutmix(x, others, draws(64, 3), 1.0)
    assert len({tuple(box.flatten().tolist()) for box in mixed[:, 0]}) == 64
    torch.testing.assert_close(1 - shares, mixed.mean((1, 2, 3)))
    for box in mixed[:, 0].bool():
        assert torch.equal(box, box.any(1)[:, None] & box.any(0))
    # before it is clipped, the box of a share 1 − λ has the sides √(1 − λ)
    middle = cutmix(x[:1], others[:1], np.array([[0.75, 0.5, 0.5]]), 1.0)
    assert middle.shares.item() == 0.75
