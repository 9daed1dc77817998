"""Augmentation of batches of images, as functions of uniform random numbers."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import betaincinv
from torch import Tensor

AREA, ASPECT = (0.02, 0.33), (0.3, 3.3)
"""Share of an image that is erased, and the aspect ratio (height / width) of that part."""


class Mixed(NamedTuple):
    """Mixed images, and the share of each image itself in the result."""

    x: Float[Tensor, "batch channels height width"]
    shares: Float[Tensor, " batch"]


def flip(x: Tensor, draws: Float[np.ndarray, "batch 1"], probability: float = 0.5) -> Tensor:
    """Flip images left to right with a probability.

    Args:
        x: Images, `(batch, channels, height, width)`.
        draws: Uniform numbers.
        probability: Probability that an image is flipped.
    """
    pixels = x.numpy().copy()  # NumPy, because threads of torch do not pay for so little
    flipped = draws[:, 0] < probability
    pixels[flipped] = pixels[flipped][..., ::-1]
    return torch.from_numpy(pixels)


def crop(x: Tensor, draws: Float[np.ndarray, "batch 2"], padding: int) -> Tensor:
    """Shift images by up to `padding` pixels in both directions; zeros come in at the edges.

    Args:
        x: Images, `(batch, channels, height, width)`.
        draws: Uniform numbers.
        padding: Largest shift in pixels.
    """
    count, channels, height, width = x.shape
    around = np.zeros((count, channels, height + 2 * padding, width + 2 * padding), x.numpy().dtype)
    around[..., padding : padding + height, padding : padding + width] = x.numpy()
    cropped = np.empty(x.shape, around.dtype)
    corners = (draws * (2 * padding + 1)).astype(int).tolist()
    for i, (top, left) in enumerate(corners):
        cropped[i] = around[i, :, top : top + height, left : left + width]
    return torch.from_numpy(cropped)


def erase(x: Tensor, draws: Float[np.ndarray, "batch 5"], probability: float) -> Tensor:
    """Set a rectangle of some images to zero, which is the mean of standardised images.

    Args:
        x: Images, `(batch, channels, height, width)`.
        draws: Uniform numbers.
        probability: Probability that a part of an image is erased.

    References:
        Zhong et al., "Random erasing data augmentation", AAAI 2020.
    """
    height, width = x.shape[2:]
    x = x.clone()
    for i in np.flatnonzero(draws[:, 0] < probability):
        area = (AREA[0] + (AREA[1] - AREA[0]) * draws[i, 1]) * height * width
        low, high = np.log(ASPECT)
        aspect = np.exp(low + (high - low) * draws[i, 2])
        h = min(height, round(np.sqrt(area * aspect)))
        w = min(width, round(np.sqrt(area / aspect)))
        top, left = int(draws[i, 3] * (height - h + 1)), int(draws[i, 4] * (width - w + 1))
        x[i, :, top : top + h, left : left + w] = 0
    return x


def mixup(x: Tensor, others: Tensor, draws: Float[np.ndarray, "batch 1"], alpha: float) -> Mixed:
    """Mix images with others: λx + (1 − λ)y, with λ from Beta(α, α) for each.

    Args:
        x: Images, `(batch, channels, height, width)`.
        others: As many other images.
        draws: Uniform numbers.
        alpha: α.

    References:
        Zhang et al., "mixup", ICLR 2018.
    """
    shares = torch.from_numpy(betaincinv(alpha, alpha, draws[:, 0])).to(x.dtype)
    mixed = torch.lerp(others, x, shares[:, None, None, None])
    return Mixed(mixed, shares)


def cutmix(x: Tensor, others: Tensor, draws: Float[np.ndarray, "batch 3"], alpha: float) -> Mixed:
    """Replace a rectangle of images by that of others, whose area is 1 − λ before it is clipped.

    Args:
        x: Images, `(batch, channels, height, width)`.
        others: As many other images.
        draws: Uniform numbers.
        alpha: α of the Beta(α, α) from which λ comes, for each image.

    References:
        Yun et al., "CutMix", ICCV 2019.
    """
    height, width = x.shape[2:]
    half = np.sqrt(1 - betaincinv(alpha, alpha, draws[:, 0])) / 2
    rows, columns = (
        [np.clip((draws[:, i] + sign * half) * size, 0, size).astype(int) for sign in (-1, 1)]
        for i, size in ((1, height), (2, width))
    )
    y, z = np.arange(height)[:, None], np.arange(width)
    inside = (
        (y >= rows[0][:, None, None])
        & (y < rows[1][:, None, None])
        & (z >= columns[0][:, None, None])
        & (z < columns[1][:, None, None])
    )
    shares = torch.from_numpy(1 - inside.mean((1, 2))).to(x.dtype)
    return Mixed(torch.where(torch.from_numpy(inside)[:, None], others, x), shares)
