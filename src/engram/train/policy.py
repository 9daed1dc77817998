"""RandAugment and TrivialAugment: random operations on one image."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

Policy = Literal["randaugment", "trivialaugment"]
Operation = Callable[[Image.Image, Any], Image.Image]

BINS = 31
"""Magnitudes of an operation."""
RAND_OPERATIONS, RAND_MAGNITUDE = 2, 9
"""Operations of RandAugment on each image, and the number of their magnitude."""


def _moved(*matrix: Callable[[float], float]) -> Operation:
    """An affine map of the output's pixels to the input's."""

    def move(image: Image.Image, magnitude: float) -> Image.Image:
        data = tuple(entry(magnitude) for entry in matrix)
        return image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.NEAREST)

    return move


def _one(_: float) -> float:
    return 1.0


def _zero(_: float) -> float:
    return 0.0


def _self(magnitude: float) -> float:
    return magnitude


def _whole(magnitude: float) -> float:
    return -float(int(magnitude))


OPERATIONS: dict[str, Operation] = {
    "Identity": lambda image, _: image,
    "ShearX": _moved(_one, _self, _zero, _zero, _one, _zero),
    "ShearY": _moved(_one, _zero, _zero, _self, _one, _zero),
    "TranslateX": _moved(_one, _zero, _whole, _zero, _one, _zero),
    "TranslateY": _moved(_one, _zero, _zero, _zero, _one, _whole),
    "Rotate": lambda image, degrees: image.rotate(degrees, Image.Resampling.NEAREST),
    "Brightness": lambda image, more: ImageEnhance.Brightness(image).enhance(1 + more),
    "Color": lambda image, more: ImageEnhance.Color(image).enhance(1 + more),
    "Contrast": lambda image, more: ImageEnhance.Contrast(image).enhance(1 + more),
    "Sharpness": lambda image, more: ImageEnhance.Sharpness(image).enhance(1 + more),
    "Posterize": lambda image, bits: ImageOps.posterize(image, int(bits)),
    "Solarize": ImageOps.solarize,  # the magnitude is the threshold
    "AutoContrast": lambda image, _: ImageOps.autocontrast(image),
    "Equalize": lambda image, _: ImageOps.equalize(image),
}
"""Each maps an image and a magnitude to an image of the same size."""

SIGNED = {
    "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate",
    "Brightness", "Color", "Contrast", "Sharpness",
}  # fmt: skip
"""Operations whose magnitude is negative in half of the cases."""


def magnitudes(policy: Policy, height: int, width: int) -> Mapping[str, np.ndarray]:
    """The magnitudes of each operation, `(31,)`.

    Args:
        policy: The policy.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
    """
    rand = policy == "randaugment"
    strength = np.linspace(0, 0.9 if rand else 0.99, BINS)
    shear = np.linspace(0, 0.3 if rand else 0.99, BINS)
    bits = 8 - np.round(np.arange(BINS) / ((BINS - 1) / (4 if rand else 6)))
    none = np.zeros(BINS)
    return {
        "Identity": none,
        "ShearX": shear,
        "ShearY": shear,
        "TranslateX": np.linspace(0, 150 / 331 * width if rand else 32, BINS),
        "TranslateY": np.linspace(0, 150 / 331 * height if rand else 32, BINS),
        "Rotate": np.linspace(0, 30 if rand else 135, BINS),
        "Brightness": strength,
        "Color": strength,
        "Contrast": strength,
        "Sharpness": strength,
        "Posterize": bits,
        "Solarize": np.linspace(255, 0, BINS),
        "AutoContrast": none,
        "Equalize": none,
    }


def draws_of(policy: Policy) -> int:
    """Uniform numbers that an image takes."""
    return 3 * (RAND_OPERATIONS if policy == "randaugment" else 1)


def apply_policy(policy: Policy, image: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Apply random operations to an image.

    Args:
        policy: The policy.
        image: uint8, `(height, width)` or `(height, width, 3)`.
        draws: Uniform numbers, `(draws_of(policy),)`: for each operation which one, which
            magnitude, and its sign.

    Returns:
        An image of the same shape.

    References:
        Cubuk et al., "RandAugment", NeurIPS 2020; Müller and Hutter, "TrivialAugment", ICCV 2021.
    """
    table = magnitudes(policy, *image.shape[:2])
    picture = Image.fromarray(image)
    for which, strength, sign in draws.reshape(-1, 3):
        name = list(OPERATIONS)[int(which * len(OPERATIONS))]
        number = RAND_MAGNITUDE if policy == "randaugment" else int(strength * BINS)
        magnitude = float(table[name][number])
        if name in SIGNED and sign < 0.5:
            magnitude = -magnitude
        picture = OPERATIONS[name](picture, magnitude)
    return np.asarray(picture)
