"""CIFAR-10, as the authors' pickles or as parquet files of images."""

import io
import pickle
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from engram.data.dataset import DataError, Split
from engram.data.images import Images, jpeg_quality
from engram.data.parquet import find_files, read_rows
from engram.data.reading import Reading, members, require, sources

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_SHAPE = (32, 32, 3)
_TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST_BATCH = "test_batch"
_PATTERN = "*_batch*"


def _latin1(text: str, encoding: str) -> bytes:
    """The codec of bytes in pickles of Python 2; no other is requested."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it requests the codec {encoding}, which no array needs")
    return text.encode("latin1")


# the functions called by the pickle of an array, under the names of NumPy 1 and 2
_RECONSTRUCT = np.ndarray(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}


def read_cifar10(path: Path) -> Reading:
    """Read CIFAR-10 from the available files.

    Args:
        path: A folder with `train-*.parquet` and `test-*.parquet`; or the archive
            `cifar-10-python.tar.gz`, the folder `cifar-10-batches-py` that it unpacks to, or a
            folder that holds either.

    Returns:
        Images (n, 32, 32, 3) uint8, all decoded, and their labels. A note states if the images are
        lossy copies.

    Raises:
        DataError: If files are missing or damaged, or have other content.
    """
    if require(path).is_dir() and next(path.rglob("*.parquet"), None) is not None:
        return _read_parquet(path)
    return _read_pickles(path)


def _read_parquet(path: Path) -> Reading:
    files = find_files(path)
    if not files.test:
        raise DataError(f"{path} holds no test-*.parquet: add it")
    train, train_quality = _decode(files.train)
    test, test_quality = _decode(files.test)
    qualities = sorted({quality for quality in (train_quality, test_quality) if quality})
    notes = tuple(f"lossy JPEG copies (Q{quality})" for quality in qualities)
    return Reading(train, test, files.train + files.test, notes=notes)


def _decode(files: tuple[Path, ...]) -> tuple[Split, int | None]:
    encoded, labels = read_rows(files)
    if not all(isinstance(label, int) for label in labels):
        raise DataError(f"{files[0]} has labels that are not integers: use 0 to 9")
    images = np.empty((len(encoded), *_SHAPE), np.uint8)
    for row, image in enumerate(Images(encoded, "RGB", None)):
        if image.shape != _SHAPE:
            raise DataError(
                f"{encoded[row].name} is {image.shape[1]} x {image.shape[0]}, not 32 x 32: "
                "use parquet:DIR for images other than CIFAR-10's"
            )
        images[row] = image
    quality = jpeg_quality(encoded[0])
    return Split(images, np.array(labels, dtype=np.int64)), quality


def _read_pickles(path: Path) -> Reading:
    read_from = sources(path, _PATTERN)
    batches: dict[str, Split] = {}
    for source in read_from:
        for name, raw in members(source, _PATTERN):
            batches[PurePosixPath(name).name] = _decode_batch(raw, f"{source}: {name}")
    missing = [name for name in (*_TRAIN_BATCHES, _TEST_BATCH) if name not in batches]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: replace it with a complete copy")
    train = [batches[name] for name in _TRAIN_BATCHES]
    return Reading(
        Split(
            np.concatenate([np.asarray(batch.inputs) for batch in train]),
            np.concatenate([batch.labels for batch in train]),
        ),
        batches[_TEST_BATCH],
        files=read_from,
    )


def _decode_batch(raw: bytes, name: str) -> Split:
    try:
        batch = _ArrayUnpickler(io.BytesIO(raw), encoding="bytes").load()
        pixels = np.asarray(batch[b"data"])
        labels = np.asarray(batch[b"labels"], dtype=np.int64)
        images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:
        raise DataError(
            f"{name} is not a batch of CIFAR-10 ({error}): replace it with the original"
        ) from error
    if images.dtype != np.uint8:
        raise DataError(f"{name} holds {images.dtype}, not uint8: replace it with the original")
    return Split(np.ascontiguousarray(images), labels)


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that builds arrays of plain values, and calls no other functions."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise pickle.UnpicklingError(f"it requests {module}.{name}, which no array needs")
