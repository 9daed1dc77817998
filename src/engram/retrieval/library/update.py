"""Indexing of a folder: what is new is embedded, and what is gone is removed with care."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from engram.errors import EngramError
from engram.progress import Progress, Step, silent
from engram.retrieval.library.calibrate import measure_level
from engram.retrieval.library.catalogue import NAME, Catalogue, Seen, load_catalogue
from engram.retrieval.library.library import Library
from engram.retrieval.library.walk import Found, walk
from engram.retrieval.library.writer import Writer
from engram.retrieval.picture import (
    Facts,
    Picture,
    UnreadablePictureError,
    content_key,
    decode,
    quiet_decoders,
    read_content,
)

BATCH = 32
SAVE_S = 20.0
"""Seconds between two savings of the catalogue: what a kill costs at most, besides reading."""


class Head(Protocol):
    """Brings pictures and texts into one space."""

    @property
    def identity(self) -> str:
        """What its vectors depend on."""
        ...

    @property
    def name(self) -> str:
        """What ranks, in words."""
        ...

    def texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of texts, (texts, dimensions)."""
        ...

    def pictures(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors of pictures by their features, (pictures, dimensions)."""
        ...


class Encoder(NamedTuple):
    """An encoder of pictures.

    Attributes:
        identity: What its features depend on: network, weights, size of the pictures.
        side: Side of the pictures in pixels.
        features: Turns pixels, (n, side, side, 3) 8-bit, into features, (n, features).
    """

    identity: str
    side: int
    features: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass
class Outcome:
    """What became of the files of a folder.

    Args:
        embedded: Pictures that were embedded.
        known: New files with the content of known pictures: copies and moved files.
        unchanged: Files that are as they were.
        removed: Files that are gone and were removed from the index.
        kept: Files that are gone and were kept in the index.
        why_kept: Why they were kept.
        unreadable: The reason for each file that is not read.
        former_model: The model of the index before, if it was another one.
        pictures: Pictures in the index, each with its copies once.
    """

    embedded: int = 0
    known: int = 0
    unchanged: int = 0
    removed: int = 0
    kept: int = 0
    why_kept: str = ""
    unreadable: dict[str, str] = field(default_factory=dict)
    former_model: str = ""
    pictures: int = 0


class _Read(NamedTuple):
    """A file that was read: its picture, or its key only if that is known, or the reason."""

    found: Found
    key: str = ""
    picture: Picture | None = None
    reason: str = ""


def model_of(encoder: Encoder, head: Head) -> str:
    """The identity of what an index is made by."""
    return f"{encoder.identity}; {head.identity}"


def update(
    store: Path,
    root: Path,
    encoder: Encoder,
    head: Head,
    *,
    prune: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
    head_file: str = "",
) -> Outcome:
    """Bring an index up to date with a folder.

    An index of another model is made anew beside the old one, which serves until it is whole.
    Files that are gone are removed from the index, but not if the folder is missing or empty, or
    more than half of its files are gone, unless `prune`.

    Args:
        store: Folder of the index; made if there is none.
        root: Folder of pictures.
        encoder: The encoder of pictures.
        head: Turns features into vectors.
        prune: Whether files that are gone are removed whatever their number.
        workers: Threads that decode; None for the number of cores.
        progress: Called for each file.
        head_file: Name of the file of the head in the index; empty for a head without one.

    Raises:
        ValueError: If another process updates the index, there is nothing to index, or the index
            has files of another model that are not there.
    """
    store.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(store / "lock", timeout=0):
            return _update(
                store, _absolute(root), encoder, head, prune, workers, progress, head_file
            )
    except Timeout as error:
        raise EngramError(f"another process updates the index in {store}; wait for it") from error


def _update(
    store: Path,
    root: str,
    encoder: Encoder,
    head: Head,
    prune: bool,
    workers: int | None,
    progress: Progress,
    head_file: str,
) -> Outcome:
    outcome, model = Outcome(), model_of(encoder, head)
    before = load_catalogue(store) if (store / NAME).exists() else Catalogue(model, encoder.side)
    if before.model != model:
        outcome.former_model = before.model
    own = f"{store.resolve()}{os.sep}"
    files = [found for found in walk(Path(root)) if not found.path.startswith(own)]
    if not files and not any(_below(path, root) for path in before.files):
        there = "is empty" if Path(root).is_dir() else "is not a folder"
        raise EngramError(f"{root} {there}; give a folder with pictures")
    after = Catalogue(model, encoder.side, None, {}, head_file)
    if outcome.former_model:
        files = [*files, *_elsewhere(before, root, prune)]
    else:
        after.files, after.level = dict(before.files), before.level
    with Writer(store, model) as writer, quiet_decoders():
        _embed(files, after, writer, encoder, head, outcome, workers, progress)
        _drop_lost(before, after, root, {found.path for found in files}, prune, outcome)
        live = set(after.pictures)
        if after != before:
            after.save(store)
        writer.finish(live)
    outcome.pictures = len(live)
    if live and (after.level is None or live != set(before.pictures)):
        after.level = measure_level(Library(store), head.texts)
        after.save(store)
    writer.remove_others()
    return outcome


def _absolute(root: Path) -> str:
    return str(root.expanduser().absolute().resolve())


def _elsewhere(before: Catalogue, root: str, prune: bool) -> list[Found]:
    """The indexed files outside of a folder, which another model has to read again."""
    found, gone = [], []
    for path in before.files:
        if not _below(path, root):
            try:
                about = Path(path).stat()
                found.append(Found(path, about.st_size, about.st_mtime_ns))
            except OSError:
                gone.append(path)
    if gone and not prune:
        raise EngramError(
            f"the index is of another model, and {len(gone)} of its files are not there to be "
            f"embedded again, such as {gone[0]}; bring them back, or remove them by --prune"
        )
    return found


def _below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip(os.sep) + os.sep)


def _embed(
    files: list[Found],
    after: Catalogue,
    writer: Writer,
    encoder: Encoder,
    head: Head,
    outcome: Outcome,
    workers: int | None,
    progress: Progress,
) -> None:
    """Read the files that are new or changed, and write the vectors of new pictures."""
    changed = []
    for found in files:
        seen = after.files.get(found.path)
        if seen is not None and _same(seen, found) and (seen.key in writer.known or seen.reason):
            outcome.unchanged += 1
            if seen.reason:
                outcome.unreadable[found.path] = seen.reason
        else:
            changed.append(found)
    saved, waiting = time.monotonic(), _Waiting(writer, encoder, head, outcome)
    reading = _read_all(changed, encoder.side, writer.known, workers)
    for done, read in enumerate(reading, start=1):
        progress(Step("indexing", done, len(changed), label=Path(read.found.path).name[:40]))
        after.files[read.found.path] = Seen(
            read.found.size, read.found.mtime_ns, read.key, read.reason
        )
        if read.reason:
            outcome.unreadable[read.found.path] = read.reason
        elif not waiting.add(read.key, read.picture):
            outcome.known += 1
        if time.monotonic() - saved > SAVE_S and not outcome.former_model:
            waiting.flush()
            writer.commit()
            after.save(writer.store)
            saved = time.monotonic()
    waiting.flush()
    writer.commit()


def _same(seen: Seen, found: Found) -> bool:
    again = "pip install" in seen.reason  # the package may have come meanwhile
    return (seen.size, seen.mtime_ns) == (found.size, found.mtime_ns) and not again


class _Waiting:
    """Pictures that wait for the others of their batch."""

    def __init__(self, writer: Writer, encoder: Encoder, head: Head, outcome: Outcome) -> None:
        self._writer, self._encoder, self._head = writer, encoder, head
        self._outcome = outcome
        self._pictures: dict[str, Picture] = {}

    def add(self, key: str, picture: Picture | None) -> bool:
        """Add a picture; whether it is a new one."""
        if picture is None or key in self._pictures or key in self._writer.known:
            return False
        self._pictures[key] = picture
        if len(self._pictures) == BATCH:
            self.flush()
        return True

    def flush(self) -> None:
        """Embed the pictures that wait."""
        if not self._pictures:
            return
        pixels = np.stack([picture.pixels for picture in self._pictures.values()])
        features = self._encoder.features(pixels)
        facts: list[Facts] = [picture.facts for picture in self._pictures.values()]
        self._writer.add(list(self._pictures), facts, features, self._head.pictures(features))
        self._outcome.embedded += len(self._pictures)
        self._pictures.clear()


def _read_all(
    files: Iterable[Found], side: int, known: set[str], workers: int | None
) -> Iterator[_Read]:
    """Read files on threads, in their order, a few ahead of the encoder."""
    count = workers or min(os.cpu_count() or 1, 16)
    ahead: deque[Future[_Read]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for found in files:
            ahead.append(pool.submit(_read, found, side, known))
            if len(ahead) > 2 * BATCH:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _read(found: Found, side: int, known: set[str]) -> _Read:
    try:
        content = read_content(Path(found.path))
        key = content_key(content)
        if key in known:
            return _Read(found, key)
        return _Read(found, key, decode(content, side, Path(found.path).suffix))
    except UnreadablePictureError as error:
        return _Read(found, reason=str(error))


def _drop_lost(
    before: Catalogue,
    after: Catalogue,
    root: str,
    there: set[str],
    prune: bool,
    outcome: Outcome,
) -> None:
    """Remove the files that are gone, or keep them and say why."""
    indexed = [path for path in before.files if _below(path, root)]
    gone = [path for path in indexed if path not in there]
    moved_to = {after.files[path].key for path in there - before.files.keys()}
    moved = {path for path in gone if before.files[path].key in moved_to - {""}}
    lost = len(gone) - len(moved)
    if lost and not prune:
        if not Path(root).is_dir():
            outcome.why_kept = "the folder is missing"
        elif not any(_below(path, root) for path in there):
            outcome.why_kept = "the folder is empty"
        elif 2 * lost > len(indexed):
            outcome.why_kept = f"{lost} of {len(indexed)} files are gone"
    if outcome.why_kept and outcome.former_model:
        raise EngramError(
            f"the index is of another model, and {outcome.why_kept}, so that it cannot be made "
            "anew; bring the files back, or remove them by --prune"
        )
    drop = moved if outcome.why_kept else gone
    outcome.kept, outcome.removed = (lost, 0) if outcome.why_kept else (0, lost)
    for path in drop:
        after.files.pop(path, None)
