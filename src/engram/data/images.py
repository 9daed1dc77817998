"""Encoded pictures, decoded on demand."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple, overload

import numpy as np
from PIL import Image, ImageOps

from engram.data.dataset import DataError, View

Mode = Literal["L", "RGB"]
Unreadable = Literal["fail", "skip"]
"""What an image that cannot be decoded does: it ends the work, or it is left out and named."""
NAMED = 20
"""Images at most that a note names."""

_GREY_MODES = {"1", "L"}
_COLOUR_MODES = {"P", "PA", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
_STANDARD_STEPS = 3688  # the sum of Table K.1
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


class Piece(NamedTuple):
    """Bytes of a file: a member of an archive that is not compressed."""

    file: Path
    start: int
    size: int


class Encoded(NamedTuple):
    """An encoded image: its bytes, file or piece of one, and its name in errors."""

    content: bytes | Path | Piece
    name: str


class Images(Sequence[np.ndarray]):
    """Images as arrays (h, w) or (h, w, 3) uint8, each decoded on demand.

    Args:
        encoded: The pictures.
        mode: "L" for grey, "RGB" for colour.
        size: (height, width) that each image is scaled to cover and then centre-cropped to.
    """

    def __init__(self, encoded: list[Encoded], mode: Mode, size: tuple[int, int] | None) -> None:
        self._encoded = encoded
        self._mode: Mode = mode
        self._size = size

    def __len__(self) -> int:
        return len(self._encoded)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        if isinstance(index, slice):
            return View(self, np.arange(len(self))[index])
        content, name = self._encoded[index]
        try:
            with Image.open(_opened(content)) as image:
                pixels = image.convert(self._mode)
        except _UNREADABLE as error:
            raise _unreadable(name, error) from error
        if self._size is not None:
            height, width = self._size
            pixels = ImageOps.fit(pixels, (width, height), Image.Resampling.BILINEAR)
        # A copy, because an array that views an image's bytes is read-only.
        return np.array(pixels)


def open_images(encoded: list[Encoded], size: tuple[int, int] | None) -> Images:
    """Read every image's header, and determine a common mode and size.

    Args:
        encoded: The pictures.
        size: (height, width) of the result, or None if all images have one size.

    Returns:
        The images: grey if all of them are, else colour.

    Raises:
        DataError: If a header cannot be read, an image has more than 8 bits per channel, or sizes
            differ and none was given.
    """
    grey = True
    first: tuple[int, int] | None = None
    for content, name in encoded:
        try:
            with Image.open(_opened(content)) as image:
                mode, (width, height) = image.mode, image.size
        except _UNREADABLE as error:
            raise _unreadable(name, error) from error
        if mode not in _GREY_MODES | _COLOUR_MODES:
            raise DataError(f"{name} is of mode {mode}: convert it to 8 bits per channel")
        grey = grey and mode in _GREY_MODES
        first = first or (height, width)
        if size is None and (height, width) != first:
            raise DataError(
                f"{encoded[0].name} is {first[1]} x {first[0]} but {name} is {width} x {height}: "
                "give size=(height, width) to rescale them"
            )
    return Images(encoded, "L" if grey else "RGB", size)


def jpeg_quality(picture: Encoded) -> int | None:
    """The quality setting, 1 to 100, with which a JPEG was most likely saved; None if not JPEG.

    The encoder scales a standard table of 64 quantisation steps by s = 2 - quality / 50 (or 50 /
    quality below 50), so the mean step determines the setting.

    References:
        ITU-T T.81, Table K.1, and the scaling of the Independent JPEG Group's library.
    """
    with Image.open(_opened(picture.content)) as image:
        tables: dict[int, list[int]] | None = getattr(image, "quantization", None)
    if not tables:
        return None
    scale = sum(tables[0]) / _STANDARD_STEPS
    return round(50 * (2 - scale) if scale <= 1 else 50 / scale)


def readable(encoded: list[Encoded], unreadable: Unreadable) -> tuple[np.ndarray, str]:
    """Which images can be decoded, and a note that names those that cannot.

    Args:
        encoded: The pictures.
        unreadable: "skip" decodes each of them once; "fail" takes all as readable, and raises an
            error where one is used that is not.

    Returns:
        For each image whether it is kept, `(n,)` bool; and the note, empty if all are kept.

    Raises:
        DataError: If none can be decoded.
    """
    kept = np.ones(len(encoded), bool)
    if unreadable == "fail":
        return kept, ""
    for number, (content, _) in enumerate(encoded):
        try:
            with Image.open(_opened(content)) as image:
                image.load()
        except _UNREADABLE:
            kept[number] = False
    left = [encoded[number].name for number in np.flatnonzero(~kept)]
    if not kept.any():
        raise DataError(
            f"none of {len(encoded)} images can be read, such as {left[0]}: replace them"
        )
    if not left:
        return kept, ""
    named = ", ".join(left[:NAMED]) + (", …" if len(left) > NAMED else "")
    return kept, f"{len(left)} of {len(encoded)} images cannot be read and were left out: {named}"


def _opened(content: bytes | Path | Piece) -> BytesIO | Path:
    if isinstance(content, Piece):
        with content.file.open("rb") as file:
            file.seek(content.start)
            return BytesIO(file.read(content.size))
    return BytesIO(content) if isinstance(content, bytes) else content


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(f"{name} is not a readable image ({error}): replace or remove it")
