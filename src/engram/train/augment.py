"""Augmentation of images that are read column by column: flip, erase, mix."""

import math
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

FLIP, ERASE = 0.5, 0.1
"""Probability that an image is flipped, and that a part of it is erased."""
AREA, ASPECT = (0.02, 0.33), (0.3, 3.3)
"""Share of an image that is erased, and the aspect ratio (height / width) of that part."""
MIXUP = 0.2
"""Both parameters of the beta distribution of the mixing share."""


@final
class Augmentation:
    """Flips images left to right, erases a part of some, and mixes each with its neighbour.

    A batch is mixed by mixup, λa + (1 − λ)b, or by cutmix, b's pixels in a box of a; the labels
    become shares of the classes.

    Args:
        classes: Number of classes.
        rng: Random generator.

    References:
        Zhang et al., "mixup", ICLR 2018; Yun et al., "CutMix", ICCV 2019; Zhong et al., "Random
        erasing data augmentation", AAAI 2020.
    """

    def __init__(self, classes: int, rng: np.random.Generator) -> None:
        self.classes = classes
        self.rng = rng

    def __call__(
        self, x: Float[Tensor, "width batch channels height"], labels: Int64[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "width batch channels height"], Float[Tensor, "batch classes"]]:
        """Return the augmented images and the share of each class in them."""
        flipped = torch.from_numpy(self.rng.random(len(labels)) < FLIP)
        x = torch.where(flipped[:, None, None], x.flip(0), x)
        for row in np.flatnonzero(self.rng.random(len(labels)) < ERASE):
            self._erase(x[:, row])
        shares = F.one_hot(labels, self.classes).to(x.dtype)
        x, share = self._mixup(x) if self.rng.random() < 0.5 else self._cutmix(x)
        return x, share * shares + (1 - share) * shares.roll(1, 0)

    def _erase(self, picture: Tensor) -> None:
        width, _, height = picture.shape
        area = self.rng.uniform(*AREA) * width * height
        aspect = math.exp(self.rng.uniform(*np.log(ASPECT)))
        w, h = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        w, h = min(w, width), min(h, height)
        left, top = self.rng.integers(width - w + 1), self.rng.integers(height - h + 1)
        picture[left : left + w, :, top : top + h] = 0

    def _mixup(self, x: Tensor) -> tuple[Tensor, float]:
        share = self.rng.beta(MIXUP, MIXUP)
        return share * x + (1 - share) * x.roll(1, 1), share

    def _cutmix(self, x: Tensor) -> tuple[Tensor, float]:
        width, _, _, height = x.shape
        half = math.sqrt(1 - self.rng.random()) / 2
        centre = self.rng.integers(width), self.rng.integers(height)
        columns, rows = (
            slice(max(0, int(at - half * size)), min(size, int(at + half * size)))
            for at, size in zip(centre, (width, height), strict=True)
        )
        mixed = x.clone()
        mixed[columns, :, :, rows] = x.roll(1, 1)[columns, :, :, rows]
        box = (columns.stop - columns.start) * (rows.stop - rows.start)
        return mixed, 1 - box / (width * height)
