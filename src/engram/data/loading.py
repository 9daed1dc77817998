"""Load a dataset by name: find, read and describe its files."""

import os
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from platformdirs import user_cache_path

from engram.data.catalogue import CATALOGUE, Entry
from engram.data.dataset import DataError, Dataset
from engram.data.files import is_remote
from engram.data.imagefolder import read_imagefolder
from engram.data.images import Unreadable
from engram.data.mirror import mirror
from engram.data.parquet import read_parquet
from engram.data.reading import Reading, require, sha256_of
from engram.data.webdataset import read_webdataset
from engram.progress import Progress, silent

_OwnReader = Callable[[Path, tuple[int, int] | None, Unreadable], Reading]

_OWN: dict[str, _OwnReader] = {
    "imagefolder": read_imagefolder,
    "parquet": read_parquet,
    "webdataset": read_webdataset,
}
"""Readers of the user's own images, by the scheme before the colon."""


def load(
    spec: str,
    *,
    folder: str | Path | None = None,
    size: int | tuple[int, int] | None = None,
    unreadable: Unreadable = "fail",
    progress: Progress = silent,
) -> Dataset:
    """Load a dataset of the catalogue, or your own images.

    Args:
        spec: A name of the catalogue, `imagefolder:DIR`, `parquet:DIR` or `webdataset:DIR`. DIR may
            be a URL such as s3://bucket/folder, of which the cache then holds a copy.
        folder: The dataset's own folder or archive, or a folder with the layout of the one named
            by the environment variable ENGRAM_DATA. By default that folder is searched, then the
            user's cache; otherwise the dataset is downloaded into the cache.
        size: (height, width), or the side of a square, to which your own images are scaled and
            cropped.
        unreadable: Whether one of your own images that cannot be decoded is an error where it is
            used, or, with "skip", left out and named in a note; that decodes each image once.
        progress: Called to report the progress of a download.

    Returns:
        The two splits, with the facts about their files.

    Raises:
        DataError: If the name is unknown, or the files cannot be found or read.
    """
    scheme, colon, location = spec.partition(":")
    if colon and scheme in _OWN:
        if folder is not None:
            raise DataError(f"folder={folder} with {spec}: name the folder in one place only")
        place = mirror(location, progress) if is_remote(location) else Path(location).expanduser()
        return _load_own(spec, _OWN[scheme], place, size, unreadable)
    entry = _entry(spec)
    if entry.read is None or entry.kind is None:
        raise DataError(
            f"{spec} has no labelled examples to load; `engram data path {spec}` prints where it is"
        )
    if size is not None:
        raise DataError(f"size={size} is for {_schemes()} only; leave it out")
    if unreadable != "fail":
        raise DataError(f"unreadable={unreadable!r} is for {_schemes()} only; leave it out")
    source = _find(spec, entry, folder) or _download(spec, entry, progress)
    reading = entry.read(source)
    sha256 = _hashes(reading)
    return Dataset(
        name=spec,
        kind=entry.kind,
        train=reading.train,
        test=reading.test,
        classes=entry.classes,
        full_scale=entry.full_scale,
        licence=entry.licence,
        sample_rate_hz=reading.sample_rate_hz,
        sensor=entry.sensor,
        notes=reading.notes + _differences(entry, sha256),
        sha256=sha256,
    )


def fetch(name: str, *, progress: Progress = silent) -> Path:
    """Make a dataset available; download it into the user's cache if necessary.

    Args:
        name: A name of the catalogue; texts and tables are only located, not downloaded.
        progress: Called to report the progress of the download.

    Returns:
        The folder or file.

    Raises:
        DataError: If the name is unknown, or the data are neither found nor downloaded.
    """
    entry = _entry(name)
    return _find(name, entry, None) or _download(name, entry, progress)


def path(name: str) -> Path:
    """The folder or file of a name of the catalogue; it must already exist."""
    entry = _entry(name)
    found = _find(name, entry, None)
    if found is None:
        raise DataError(f"{name} is not on this computer: {_remedy(name, entry)}")
    return found


def _schemes() -> str:
    return ", ".join(f"{scheme}:" for scheme in _OWN)


def _load_own(
    spec: str,
    read: _OwnReader,
    location: Path,
    size: int | tuple[int, int] | None,
    unreadable: Unreadable,
) -> Dataset:
    height_width = (size, size) if isinstance(size, int) else size
    if height_width is not None and min(height_width) < 1:
        raise DataError(f"size={size}: give a height and a width of at least 1 pixel")
    reading = read(location, height_width, unreadable)
    return Dataset(
        name=spec,
        kind="image",
        train=reading.train,
        test=reading.test,
        classes=reading.classes,
        full_scale=255.0,
        licence="not stated: the user's own files",
        notes=reading.notes,
        sha256=_hashes(reading),
    )


def _entry(name: str) -> Entry:
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = get_close_matches(name, CATALOGUE, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise DataError(
        f"there is no dataset {name!r}: {guess}choose one of {', '.join(CATALOGUE)}, "
        "imagefolder:DIR, parquet:DIR or webdataset:DIR"
    )


def _find(name: str, entry: Entry, folder: str | Path | None) -> Path | None:
    if folder is not None:
        root = require(Path(folder).expanduser())
        return _place(root, entry) or root
    if entry.embedded is not None:
        return entry.embedded()
    named = _named_folder()
    found = named and _place(named, entry)
    if found:
        return found
    cache = _cache(name)
    if entry.read is None:
        return _place(cache, entry)
    complete = cache.exists() and all((cache / file.name).exists() for file in entry.files)
    return cache if complete else None


def _named_folder() -> Path | None:
    named = os.environ.get("ENGRAM_DATA")
    if not named:
        return None
    root = Path(named).expanduser()
    if not root.is_dir():
        raise DataError(f"ENGRAM_DATA names {named}, which is not a folder: correct it or unset it")
    return root


def _place(root: Path, entry: Entry) -> Path | None:
    return next((root / place for place in entry.places if (root / place).exists()), None)


def _cache(name: str) -> Path:
    return user_cache_path("engram", appauthor=False) / name


def _download(name: str, entry: Entry, progress: Progress) -> Path:
    folder = _cache(name)
    if not entry.files:
        raise DataError(f"{name} is not on this computer: {_remedy(name, entry)}")
    from engram.data.download import download

    try:
        for file in entry.files:
            download(file, folder, progress)
    except (DataError, OSError) as error:
        raise DataError(
            f"{name} is not on this computer and {error}; {_remedy(name, entry)}"
        ) from error
    return folder


def _remedy(name: str, entry: Entry) -> str:
    if not entry.files:
        return (
            f"get {entry.origin}; put it into {_cache(name)}, or set ENGRAM_DATA to a folder that "
            f"holds {' or '.join(entry.places)}"
        )
    files = ", ".join(file.name for file in entry.files)
    return (
        f"put {files} into {_cache(name)}, or set ENGRAM_DATA to a folder that holds "
        f"{' or '.join(entry.places)}, or go online and run `engram data fetch {name}`"
    )


def _hashes(reading: Reading) -> dict[str, str]:
    return {file.resolve().name: sha256_of(file) for file in reading.files}


def _differences(entry: Entry, sha256: dict[str, str]) -> tuple[str, ...]:
    canonical = {file.sha256 for file in entry.files}
    strange = [name for name, found in sha256.items() if canonical and found not in canonical]
    if not strange:
        return ()
    return (f"not the canonical files (their sha256 differs): {', '.join(strange)}",)
