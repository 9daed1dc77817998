from collections import Counter

import numpy as np
import torch

from engram.train import augment


def test_augmented_pictures_hold_what_their_labels_say(monkeypatch):
    monkeypatch.setattr(augment, "ERASE", 0.0)
    pictures = torch.arange(8.0)[None, :, None, None].expand(32, 8, 3, 32)
    augmented = augment.Augmentation(8, np.random.default_rng(0))
    mixed_by = Counter()
    for _ in range(200):
        x, shares = augmented(pictures.clone() + 10, torch.arange(8))
        torch.testing.assert_close(shares.sum(1), torch.ones(8))
        held = x.mean((0, 2, 3))
        expected = shares @ (torch.arange(8.0) + 10)
        torch.testing.assert_close(held, expected, rtol=1e-4, atol=1e-3)
        mixed_by["box" if bool((x == x.round()).all()) else "sum"] += 1
    assert 50 < mixed_by["box"] < 150


def test_half_of_the_pictures_are_flipped_and_a_tenth_erased(monkeypatch):
    plain = augment.Augmentation(2, np.random.default_rng(0))
    monkeypatch.setattr(plain, "_mixup", lambda x: (x, 1.0))
    monkeypatch.setattr(plain, "_cutmix", lambda x: (x, 1.0))
    ramp = torch.arange(1.0, 33)[:, None, None, None].expand(32, 2000, 1, 32).clone()
    x, _ = plain(ramp.clone(), torch.zeros(2000, dtype=torch.long))
    erased = (x == 0).any(0).any(1).any(1)
    assert 0.07 < erased.float().mean() < 0.13
    share = (x[:, erased] == 0).float().mean((0, 2, 3))
    assert share.min() > 0.01
    assert share.max() < 0.36
    flipped = (x[:, ~erased] == ramp.flip(0)[:, ~erased]).all(0).all(1).all(1)
    assert 0.46 < flipped.float().mean() < 0.54
    assert torch.equal(x[:, ~erased][:, ~flipped], ramp[:, ~erased][:, ~flipped])
