"""Pictures with captions, in the layouts that people have."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from engram.errors import EngramError


class Captioned(NamedTuple):
    """A picture with its captions.

    Attributes:
        name: What it is called in messages.
        content: The bytes of its file, or its path.
        captions: Its captions.
    """

    name: str
    content: bytes | Path
    captions: list[str]


def read_captions(path: Path, images: Path | None = None) -> list[Captioned]:
    """Read pictures with captions.

    Args:
        path: A parquet file with columns `image` and `captions` or `caption`; a JSON file as
            Karpathy's splits, of which the part "train" is read if there is one; or a text file
            whose lines are the name of a picture, a tab or comma, and a caption (a "#" and a
            number after the name are left out).
        images: Folder of the pictures, unless they are in the file; that of the file by default.

    Raises:
        ValueError: If the file has no captions or is of another form, or pictures are missing.
    """
    if not path.is_file():
        raise EngramError(f"{path} is not a file; give one of captions: parquet, JSON or text")
    if path.suffix == ".parquet":
        found = list(_parquet(path))
    else:
        pairs = _karpathy(path) if path.suffix == ".json" else _lines(path)
        found = _beside(path, pairs, images or path.parent)
    found = [one for one in found if one.captions]
    if not found:
        raise EngramError(f"{path} has no captions")
    return found


def _parquet(path: Path) -> Iterator[Captioned]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise EngramError(f"{path} is not a parquet file: {error}") from error
    names = set(file.schema_arrow.names)
    column = "captions" if "captions" in names else "caption"
    if not {"image", column} <= names:
        raise EngramError(f"{path} has columns {sorted(names)}; it needs image and captions")
    number = 0
    for batch in file.iter_batches(256, columns=["image", column]):
        for image, said in zip(*(batch.column(i).to_pylist() for i in range(2)), strict=True):
            captions = [said] if isinstance(said, str) else said or []
            yield Captioned(f"row {number} of {path}", image["bytes"], _clean(captions))
            number += 1


def _karpathy(path: Path) -> Iterator[tuple[str, str]]:
    try:
        images = json.loads(path.read_bytes())["images"]
        train = [one for one in images if one.get("split", "train") == "train"]
        for one in train:
            for sentence in one["sentences"]:
                yield one["filename"], sentence["raw"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngramError(f"{path} is not of the form of Karpathy's splits: {error}") from error


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EngramError(f"{path} is not a text in UTF-8: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        separator = "\t" if "\t" in line else ","
        name, found, caption = line.partition(separator)
        if line.strip() and not found:
            raise EngramError(f"{path}, line {number}: there is no tab or comma after the name")
        if line.strip() and (number > 1 or name.lower() not in ("image", "filename")):
            yield name.partition("#")[0].strip(), caption.strip().strip('"')


def _beside(path: Path, pairs: Iterator[tuple[str, str]], images: Path) -> list[Captioned]:
    said: dict[str, list[str]] = {}
    for name, caption in pairs:
        said.setdefault(name, []).append(caption)
    missing = [name for name in said if not (images / name).is_file()]
    if missing:
        raise EngramError(
            f"{len(missing):,} of {len(said):,} pictures that {path} names are not in {images}, "
            f"such as {missing[0]}; give their folder by --images"
        )
    return [Captioned(name, images / name, _clean(said[name])) for name in said]


def _clean(captions: list[str]) -> list[str]:
    return [caption.strip() for caption in captions if caption and caption.strip()]
