"""Pictures as files: pixels the right way up, what the file says of them, or why it is not read."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from engram.errors import EngramError

LARGEST_FILE = 1 << 29
"""Bytes of the largest file that is read."""
FORMATS = (
    "JPEG", "MPO", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "ICO", "TGA", "AVIF",
    "HEIF",
)  # fmt: skip
"""The decoders that are tried; those that start other programs are not among them."""
RAW = {".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".raf", ".rw2"}
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
TEXT_TAGS = ("Make", "Model", "LensModel", "Artist", "ImageDescription", "Software", "ISOSpeed")
"""The EXIF fields that are kept, besides the time."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its orientation in EXIF."""
QUARTERS = tuple(TURNS[number] for number in (5, 6, 7, 8))


class UnreadablePictureError(EngramError):
    """A file that is not read as a picture; the message is the reason."""


class Picture(NamedTuple):
    """A picture of a fixed size.

    Attributes:
        pixels: Values 0 to 255, (side, side, 3).
        facts: What the file says of it.
    """

    pixels: NDArray[np.uint8]
    facts: "Facts"


class Facts(NamedTuple):
    """What is known of a picture besides its vector.

    Attributes:
        width: Width in pixels, the right way up.
        height: Height in pixels.
        taken: When it was taken by its EXIF data, "2024-12-31T23:59:59"; empty if not stated.
        look: Signs of 64 horizontal differences of brightness, 16 hexadecimal digits.
        exif: Further EXIF fields.
    """

    width: int
    height: int
    taken: str
    look: str
    exif: dict[str, str]


def content_key(content: bytes) -> str:
    """Key of a file by its content: 32 hexadecimal digits, whatever its name."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def read_content(path: Path) -> bytes:
    """The bytes of a file.

    Args:
        path: The file.

    Raises:
        UnreadablePictureError: If it cannot be read, or is too large.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise UnreadablePictureError(
                f"has {size:,} bytes, more than the {LARGEST_FILE:,} that are read"
            )
        return path.read_bytes()
    except OSError as error:
        raise UnreadablePictureError(f"cannot be opened: {error.strerror or error}") from error


def decode(content: bytes, side: int, suffix: str = "") -> Picture:
    """Decode a picture, turn it upright, scale it to cover a square, and crop the centre.

    Of an animation the first frame is taken. Transparent parts are white. Values of 16 bits are
    divided by 257, and other values beyond 8 bits are scaled from their least to their greatest.

    Args:
        content: The bytes of the file.
        side: Side of the square in pixels.
        suffix: The end of the file's name, such as ".jpg": raw files are known by it.

    Raises:
        UnreadablePictureError: If it is not a picture that can be decoded.
    """
    if suffix.lower() in RAW:
        raise UnreadablePictureError(
            f"is a raw file of a camera ({suffix.lower()}); save it as JPEG or TIFF"
        )
    if content[4:8] == b"ftyp" and content[8:12] in HEIF_BRANDS and not _heif():
        raise UnreadablePictureError("is HEIC; `pip install pillow-heif` and index again")
    try:
        with Image.open(BytesIO(content), formats=_known(FORMATS)) as image:
            return _decoded(image, side)
    except UnidentifiedImageError as error:
        raise UnreadablePictureError("is not a picture") from error
    except Image.DecompressionBombError as error:
        raise UnreadablePictureError("has too many pixels to be decoded") from error
    except MemoryError as error:
        raise UnreadablePictureError("needs more memory than there is") from error
    except Exception as error:  # decoders raise what they like on damaged files
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UnreadablePictureError(f"cannot be decoded: {reason}") from error


def _decoded(image: Image.Image, side: int) -> Picture:
    exif, size = image.getexif(), None
    if image.format in ("JPEG", "MPO"):
        size = image.size
        image.draft("RGB", (2 * side, 2 * side))  # decodes fewer pixels; never below this size
    image.seek(0)
    image.load()
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))  # some loaders turn it
    seen = _eight_bit(image)
    upright = seen if turn is None else seen.transpose(turn)
    square = ImageOps.fit(upright, (side, side), Image.Resampling.BILINEAR)
    width, height = size or upright.size
    if size and turn in QUARTERS:
        width, height = height, width
    taken, fields = _exif_fields(exif)
    grey = square.convert("L").resize((9, 8), Image.Resampling.BOX)
    look = np.packbits(np.diff(np.asarray(grey, np.int16), axis=1) > 0).tobytes().hex()
    return Picture(np.array(square), Facts(width, height, taken, look, fields))


def _eight_bit(image: Image.Image) -> Image.Image:
    """A loaded image as RGB of 8 bits."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, np.float64))
        if image.mode.startswith("I;16") or (values.min() >= 0 and 255 < values.max() <= 65535):
            values = values / 257
        elif values.min() < 0 or values.max() > 255:
            values = (values - values.min()) * (255 / np.ptp(values))
        return Image.fromarray(values.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


def _exif_fields(exif: Image.Exif) -> tuple[str, dict[str, str]]:
    """When a picture was taken, and the fields that are kept."""
    own = exif.get_ifd(ExifTags.IFD.Exif)
    named = {ExifTags.TAGS.get(tag, str(tag)): value for tag, value in {**exif, **own}.items()}
    taken = ""
    for name in ("DateTimeOriginal", "DateTimeDigitized", "DateTime"):
        try:
            text = str(named.get(name, "")).strip("\0 ")
            taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").isoformat()
            break
        except ValueError:
            continue
    kept = {tag: str(named[tag]).strip("\0 ")[:200] for tag in TEXT_TAGS if named.get(tag)}
    return taken, {tag: text for tag, text in kept.items() if text}


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Context without warnings, which decoders give of pictures that they read all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _heif() -> bool:
    """Whether HEIC can be decoded, by the package pillow-heif."""
    if find_spec("pillow_heif") is None:
        return False
    import_module("pillow_heif").register_heif_opener()
    return True


def _known(formats: tuple[str, ...]) -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in formats if name in Image.OPEN)
