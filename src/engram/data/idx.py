"""The IDX format of MNIST: a big-endian header, then unsigned bytes."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from engram.data.dataset import DataError, Split
from engram.data.reading import Reading, require

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> np.ndarray:
    """Read one gzip-compressed IDX file of unsigned bytes.

    Args:
        path: The `.gz` file: magic number `00 00 08 d`, then d big-endian 32-bit lengths, then
            the values in row-major order.

    Returns:
        The values, uint8, of the shape that the header states.

    Raises:
        DataError: If the file is damaged, is not IDX, or has fewer or more values than stated.
    """
    raw = _decompress(path)
    if len(raw) < 4 or raw[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or raw[3] == 0:
        raise DataError(
            f"{path} starts with {raw[:4].hex(' ')}, not with an IDX magic number (00 00 08 and "
            "the number of axes): put the original file in its place"
        )
    header_bytes = 4 + 4 * raw[3]
    if len(raw) < header_bytes:
        raise DataError(f"{path} ends inside its IDX header: replace it with a complete copy")
    shape = struct.unpack_from(f">{raw[3]}I", raw, 4)
    if len(raw) - header_bytes != prod(shape):
        raise DataError(
            f"{path} states {prod(shape)} values of shape {shape} but holds "
            f"{len(raw) - header_bytes}: replace it with a complete copy"
        )
    # A copy, because an array that views bytes is read-only.
    return np.frombuffer(raw, np.uint8, offset=header_bytes).reshape(shape).copy()


def read_mnist(folder: Path) -> Reading:
    """Read the four files of MNIST or one of its successors.

    Args:
        folder: Folder with `{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz`.

    Returns:
        Images (n, h, w) uint8 and their labels.

    Raises:
        DataError: If a file is missing, damaged, or does not match its companion.
    """
    train, train_files = _read_split(folder, "train")
    test, test_files = _read_split(folder, "t10k")
    return Reading(train, test, files=(*train_files, *test_files))


def _read_split(folder: Path, prefix: str) -> tuple[Split, tuple[Path, Path]]:
    image_file = require(folder / f"{prefix}-images-idx3-ubyte.gz")
    label_file = require(folder / f"{prefix}-labels-idx1-ubyte.gz")
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{image_file} has shape {images.shape} and {label_file} has shape {labels.shape}: "
            "they must be (n, h, w) and (n,); replace the two by a matching pair"
        )
    return Split(images, labels.astype(np.int64)), (image_file, label_file)


def _decompress(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is not a complete gzip file ({error}): replace it with a complete copy"
        ) from error
