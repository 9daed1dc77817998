"""Images as a feed: read, augmented and standardised, one batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engram.data import Split
from engram.errors import EngramError
from engram.train import transform
from engram.train.draws import Purpose, uniform
from engram.train.policy import apply_policy, draws_of

MEASURED = 10_000
"""Images at most from which the mean and the deviation of each channel come."""


class Normal(NamedTuple):
    """The mean and the standard deviation of each channel, `(channels,)`."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, images: np.ndarray | Sequence[np.ndarray]) -> Self:
        """Measure images: all of them, or evenly spaced ones of more than 10,000."""
        rows = np.unique(np.linspace(0, len(images) - 1, min(MEASURED, len(images))).astype(int))
        pixels = _stacked(images, rows).double()
        deviation = pixels.std((0, 2, 3), correction=0)
        deviation[deviation == 0] = 1.0
        return cls(pixels.mean((0, 2, 3)).float(), deviation.float())


@final
@dataclass(frozen=True)
class ImageAugment:
    """What is changed at random in training images.

    Args:
        flip: Whether half of the images are flipped left to right.
        crop: Largest shift in pixels; 0 does not shift.
        policy: none, randaugment or trivialaugment.
        erase: Probability that a part of an image is erased.
        mixup: α of mixup; 0 does not mix.
        cutmix: α of cutmix; 0 does not mix. With both, each image takes one of them by chance.
        mixed: Share of the images that are mixed.
    """

    flip: bool = True
    crop: int = 0
    policy: Literal["none", "randaugment", "trivialaugment"] = "none"
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mixed: float = 1.0

    def __post_init__(self) -> None:
        if self.crop < 0 or self.mixup < 0 or self.cutmix < 0:
            raise EngramError(
                f"crop={self.crop}, mixup={self.mixup}, cutmix={self.cutmix}: none may be negative"
            )
        for name in ("erase", "mixed"):
            if not 0 <= getattr(self, name) <= 1:
                raise EngramError(f"{name}={getattr(self, name)}: give a probability from 0 to 1")

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with others."""
        return bool((self.mixup or self.cutmix) and self.mixed)


@final
class ImageFeed:
    """Images, augmented by their number and the epoch, as `(batch, channels, height, width)`.

    An image is mixed with the one before it in the batch of all processes.

    Args:
        split: Images (h, w) or (h, w, 3) of one size, and their labels.
        normal: Mean and deviation by which they are standardised.
        augment: What is changed; None changes nothing.
        classes: Number of classes, needed where images are mixed.
        seed: Seed of the augmentation.
    """

    def __init__(
        self,
        split: Split,
        normal: Normal,
        augment: ImageAugment | None = None,
        *,
        classes: int = 0,
        seed: int = 0,
    ) -> None:
        self.inputs = split.inputs
        self.labels = torch.from_numpy(split.labels)
        if isinstance(split.inputs, np.ndarray):  # channels first, once
            pixels = _channels_first(torch.from_numpy(split.inputs))
            self.inputs = pixels.contiguous().numpy()
        self.normal, self.augment, self.classes, self.seed = normal, augment, classes, seed

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, rows: Tensor, part: slice, epoch: int) -> tuple[Tensor, Tensor]:
        """Return part of a batch; see `Feed`."""
        augment = self.augment
        if augment is None or not augment.mixes:
            return self._images(rows[part], epoch), self.labels[rows[part]]
        before = rows.roll(1)[part]
        own = rows[part]
        x = self._images(torch.cat([before[:1], own]), epoch)
        return self._mix(augment, x[1:], x[:-1], own, before, epoch)

    def _images(self, rows: Tensor, epoch: int) -> Tensor:
        """Augmented and standardised images."""
        ids, augment = rows.numpy(), self.augment
        if isinstance(self.inputs, np.ndarray):
            x = torch.from_numpy(self.inputs[ids])
        else:
            x = _stacked(self.inputs, ids)
        if augment is not None:
            if augment.flip:
                x = transform.flip(x, uniform(self.seed, epoch, ids, Purpose.FLIP, 1))
            if augment.crop:
                draws = uniform(self.seed, epoch, ids, Purpose.CROP, 2)
                x = transform.crop(x, draws, augment.crop)
            if augment.policy != "none":
                count = draws_of(augment.policy)
                draws = uniform(self.seed, epoch, ids, Purpose.POLICY, count)
                x = torch.stack([self._changed(i, d) for i, d in zip(x, draws, strict=True)])
        scale = 1 / self.normal.deviation
        pixels = x.numpy().astype(np.float32)
        pixels *= scale.numpy()[:, None, None]
        pixels -= (self.normal.mean * scale).numpy()[:, None, None]
        x = torch.from_numpy(pixels)
        if augment is not None and augment.erase:
            draws = uniform(self.seed, epoch, ids, Purpose.ERASE, 5)
            x = transform.erase(x, draws, augment.erase)
        return x

    def _changed(self, image: Tensor, draws: np.ndarray) -> Tensor:
        """An image changed by the policy."""
        assert self.augment is not None
        assert self.augment.policy != "none"
        if image.dtype != torch.uint8:
            raise EngramError(
                f"{self.augment.policy} is for images of 8 bits, and these are {image.dtype}: "
                "choose policy=none"
            )
        picture = np.ascontiguousarray(image.movedim(0, -1).squeeze(-1).numpy())
        changed = apply_policy(self.augment.policy, picture, draws)
        return _channels_first(torch.from_numpy(np.array(changed))[None])[0]

    def _mix(
        self,
        augment: ImageAugment,
        x: Tensor,
        others: Tensor,
        own: Tensor,
        before: Tensor,
        epoch: int,
    ) -> tuple[Tensor, Tensor]:
        """Mix images with others, and their labels by the same shares."""
        draws = uniform(self.seed, epoch, own.numpy(), Purpose.MIX, 5)
        if augment.mixup and augment.cutmix:
            cut = draws[:, 1] < 0.5
        else:
            cut = np.full(len(x), bool(augment.cutmix))
        chosen = torch.from_numpy(draws[:, 0] < augment.mixed)
        boxes = transform.cutmix(x, others, draws[:, 2:], augment.cutmix or 1.0)
        sums = transform.mixup(x, others, draws[:, 2:3], augment.mixup or 1.0)
        by_box = torch.from_numpy(cut)
        mixed = torch.where(by_box[:, None, None, None], boxes.x, sums.x)
        shares = torch.where(by_box, boxes.shares, sums.shares)
        shares = torch.where(chosen, shares, 1.0)[:, None]
        x = torch.where(chosen[:, None, None, None], mixed, x)
        first, second = (
            F.one_hot(self.labels[rows], self.classes).float() for rows in (own, before)
        )
        return x, shares * first + (1 - shares) * second


def _stacked(images: np.ndarray | Sequence[np.ndarray], rows: np.ndarray) -> Tensor:
    """Some images as `(n, channels, height, width)`."""
    return _channels_first(torch.from_numpy(np.stack([images[int(row)] for row in rows])))


def _channels_first(pixels: Tensor) -> Tensor:
    """The same as `(n, channels, height, width)`."""
    return pixels[:, None] if pixels.ndim == 3 else pixels.movedim(-1, 1)
