"""Images in shards: tar archives whose members of one name are one sample."""

import tarfile
from pathlib import Path, PurePosixPath

import numpy as np

from engram.data.dataset import DataError
from engram.data.encoded import from_encoded
from engram.data.images import Encoded, Piece, Unreadable
from engram.data.reading import Reading, require

_IMAGES = {"png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff", "webp"}
_LABEL = "cls"


def read_webdataset(
    path: Path, size: tuple[int, int] | None, unreadable: Unreadable = "fail"
) -> Reading:
    """Read shards `train-*.tar` and `test-*.tar` or `val-*.tar`, or one shard alone.

    A sample is an image, such as `0001.jpg`, and its label `0001.cls`, a number in words of
    digits. The shards are indexed once and then read anywhere, so that samples are ordered,
    divided and counted as those of any other data.

    Args:
        path: A shard, or a folder of shards.
        size: (height, width) to which images are scaled and cropped, or None if all have one size.
        unreadable: Whether an image that cannot be decoded is an error, or left out with a note.

    Raises:
        DataError: If there are no shards, one is compressed or damaged, or a sample lacks its
            image or its label.
    """
    shards = [path] if require(path).is_file() else sorted(path.glob("*.tar"))
    if not shards:
        raise DataError(f"{path} holds no *.tar: name a folder of shards")
    test = [shard for shard in shards if shard.name.startswith(("test", "val"))]
    train = [shard for shard in shards if shard not in test]
    if not train:
        raise DataError(f"{path} holds test shards only: add train-*.tar")
    samples = [sample for shard in (*train, *test) for sample in _samples(shard)]
    count = sum(sample[0].content.file in train for sample in samples)  # pyright: ignore[reportAttributeAccessIssue]
    labels = np.array([label for _, label in samples], np.int64)
    classes = tuple(map(str, range(labels.max(initial=-1) + 1)))
    encoded = [image for image, _ in samples]
    if not count:
        raise DataError(f"{', '.join(map(str, train))} hold no samples: add images and labels")
    return from_encoded(encoded, labels, count, (*train, *test), classes, size, unreadable)


def _samples(shard: Path) -> list[tuple[Encoded, int]]:
    """The samples of a shard, in order."""
    images: dict[str, Encoded] = {}
    labels: dict[str, int] = {}
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.name.startswith("."):
                    continue
                stem, _, kind = name.name.partition(".")
                key, kind = str(name.with_name(stem)), kind.lower()
                if key in (images if kind in _IMAGES else labels if kind == _LABEL else ()):
                    raise DataError(f"{shard} has two members {key}.{kind}: rename one")
                if kind in _IMAGES:
                    piece = Piece(shard, member.offset_data, member.size)
                    images[key] = Encoded(piece, f"{shard}: {member.name}")
                elif kind == _LABEL:
                    stream = archive.extractfile(member)
                    assert stream is not None
                    labels[key] = _label(stream.read(), f"{shard}: {member.name}")
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{shard} is not a complete uncompressed tar archive ({error}): decompress it, or "
            "replace it with a complete copy"
        ) from error
    if alone := sorted(set(images) ^ set(labels)):
        raise DataError(
            f"{shard}: the sample {alone[0]} lacks its {'label' if alone[0] in images else 'image'}"
            f": add {alone[0]}.{_LABEL if alone[0] in images else 'jpg or .png'}"
        )
    return [(image, labels[key]) for key, image in images.items()]


def _label(content: bytes, name: str) -> int:
    text = content.decode("utf-8", "replace").strip()
    if not (text.isascii() and text.isdigit()):
        raise DataError(f"{name} holds {text!r}: a label is a number from 0")
    return int(text)
