"""The pictures that a model is shown, with their ids."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from engram import data
from engram.data.dataset import DataError
from engram.data.files import is_archive
from engram.data.images import Encoded, Images
from engram.data.reading import members
from engram.errors import EngramError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
CROPPED = 0.02
"""Share of the width and height by which a picture may differ from a square before it is noted."""


class Stimuli(NamedTuple):
    """Pictures of one size.

    Attributes:
        ids: The names of their files, or those that the file of arrays states.
        pixels: The pictures `(height, width, 3)` uint8, decoded when they are used.
        notes: What was done to them.
        digests: SHA-256 of what was read, by name.
    """

    ids: tuple[str, ...]
    pixels: Sequence[np.ndarray]
    notes: tuple[str, ...]
    digests: dict[str, str]

    def batch(self, rows: Sequence[int]) -> Tensor:
        """Pictures as `(batch, 3, height, width)` uint8."""
        held = np.stack([self.pixels[row] for row in rows])
        return torch.from_numpy(held).permute(0, 3, 1, 2).contiguous()


def read_stimuli(source: str, size: int) -> Stimuli:
    """Read pictures from a folder, an archive, or an array of a file of NumPy.

    They are scaled to cover a square and cropped to it at the centre; a crop is noted.

    Args:
        source: A folder, an archive, FILE.npz, or FILE.npz:KEY.
        size: Side of the square, in pixels.

    Raises:
        ValueError: There are no pictures, or they cannot be read.
    """
    name, colon, key = source.rpartition(":")
    path = Path(name if colon and name.endswith(".npz") else source)
    if not path.exists():
        raise EngramError(f"{path} does not exist: name a folder, an archive or FILE.npz:KEY")
    digests = {path.name: data.sha256_of(path)}
    if path.suffix == ".npz":
        return _arrays(path, key if path == Path(name) else "", size, digests)
    if path.is_file() and not is_archive(path.name):
        raise EngramError(f"{path} holds no pictures: name a folder, an archive or FILE.npz:KEY")
    found = [
        (one, content) for one, content in members(path, "*") if one.lower().endswith(SUFFIXES)
    ]
    if not found:
        raise EngramError(f"{path} holds no picture ({', '.join(SUFFIXES)})")
    found.sort(key=lambda one: _natural(one[0]))
    encoded = [Encoded(content, one) for one, content in found]
    notes = _crops([image.size for image in _opened(encoded)])
    names = tuple(one.rpartition("/")[2] for one, _ in found)
    ids = names if len(set(names)) == len(names) else tuple(one for one, _ in found)
    return Stimuli(ids, Images(encoded, "RGB", (size, size)), notes, digests)


def _opened(encoded: list[Encoded]) -> list[Image.Image]:
    """The pictures with their headers read."""
    found = []
    for content, name in encoded:
        try:
            found.append(Image.open(BytesIO(content)))  # pyright: ignore[reportArgumentType]
        except OSError as error:
            raise DataError(f"{name} is not a readable picture ({error})") from error
    return found


def _crops(sizes: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    cut = [
        min(width, height) / max(width, height)
        for width, height in sizes
        if min(width, height) < (1 - CROPPED) * max(width, height)
    ]
    if not cut:
        return ()
    return (
        f"{len(cut)} of {len(sizes)} pictures are not square and were cropped at the centre: up to "
        f"{100 * (1 - min(cut)):.0f} % of a side was cut off",
    )


def _arrays(path: Path, key: str, size: int, digests: dict[str, str]) -> Stimuli:
    with np.load(path, allow_pickle=False) as file:
        names = [one for one in file.files if one == (key or "images")]
        if not names:
            raise EngramError(f"{path} has no array {key or 'images'!r}: it has {file.files}")
        pictures = file[names[0]]
        ids = [file[one] for one in ("stimulus_id", "stimuli", "image_id") if one in file.files]
    if (
        pictures.dtype != np.uint8
        or pictures.ndim not in (3, 4)
        or pictures.shape[3:]
        not in (
            (),
            (3,),
        )
    ):
        raise EngramError(
            f"{path}: {names[0]} has shape {pictures.shape} and type {pictures.dtype}; give 8-bit "
            "pictures (n, height, width, 3) or (n, height, width)"
        )
    if pictures.ndim == 3:
        pictures = np.repeat(pictures[..., None], 3, 3)
    notes = _crops([(picture.shape[1], picture.shape[0]) for picture in pictures])
    matched = [tuple(map(str, one.ravel())) for one in ids if one.size == len(pictures)]
    scaled = [_scaled(picture, size) for picture in pictures]
    named = matched[0] if matched else tuple(str(k) for k in range(len(pictures)))
    return Stimuli(named, scaled, notes, digests)


def _scaled(picture: np.ndarray, size: int) -> np.ndarray:
    fitted = ImageOps.fit(Image.fromarray(picture), (size, size), Image.Resampling.BILINEAR)
    return np.array(fitted)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts image_2 before image_10."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for letter in f"{name}\0":
        if letter.isdecimal():
            digits += letter
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((1 << 62, letter))
    return parts
