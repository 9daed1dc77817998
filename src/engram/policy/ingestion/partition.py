"""Partitions: bounded batches of one loader's input, each of which becomes one segment."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from engram.policy.document import Rejected
from engram.policy.ingestion.inputs import (
    DAMAGE,
    Archive,
    File,
    Input,
    Piece,
    is_remote,
    read,
    read_companion,
    stream_lines,
)
from engram.policy.loader import LOADERS, Loader, Material

PIECES_AT_MOST = 10_000
UNREAD_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Partition:
    """What one process turns into one segment.

    Args:
        loader: the name of the loader.
        pieces: what it reads, in order.
        rejected: what was rejected before it was read.
        size: how many bytes the pieces have.
    """

    loader: str
    pieces: tuple[Piece, ...]
    rejected: tuple[Rejected, ...]
    size: int


@dataclass
class Plan:
    """How an input is divided, and what of it no loader reads.

    Args:
        partition_size: the bytes after which a partition is full.
        limit: the largest record, in bytes.
        only: the names of the loaders to use.
    """

    partition_size: int
    limit: int
    only: tuple[str, ...] = tuple(LOADERS)
    files: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    def loader_of(self, name: str) -> Loader | None:
        """The loader that reads a file of that name."""
        return next((LOADERS[key] for key in self.only if LOADERS[key].matches.search(name)), None)

    def beside(self, name: str) -> bool:
        """Whether a file of that name is read together with others."""
        patterns = (LOADERS[key].beside for key in self.only)
        return any(pattern.search(name) for pattern in patterns if pattern)

    def size(self, source: Input) -> int:
        """How many bytes of an input the loaders read; also finds what an archive holds."""
        files = source.survey() if isinstance(source, Archive) else source.files()
        return sum(file.size for file in files if self.loader_of(file.name))

    def partitions(self, source: Input) -> Iterator[Partition]:
        """The partitions of an input, in an order that depends only on the input."""
        batches = {key: _Batch(key) for key in self.only}
        for file in source.files():
            loader = self.loader_of(file.name)
            if loader is None:
                self._note_unread(file.name)
                continue
            self.files += 1
            batch = batches[loader.name]
            for part in self._parts(source, file, loader):
                batch.add(part)
                if batch.size >= self.partition_size or batch.count >= PIECES_AT_MOST:
                    yield batch.take()
        if isinstance(source, Archive) and source.damage:
            damage = Rejected("unreadable-file", source.damage, source.location)
            batches[self.only[0]].add(damage)
        yield from (batch.take() for batch in batches.values() if batch.count)

    def _note_unread(self, name: str) -> None:
        if not self.beside(name):
            known = len(self.unread) < UNREAD_EXAMPLES
            self.unread[name if known else "others"] += 1

    def _parts(self, source: Input, file: File, loader: Loader) -> Iterator[Piece | Rejected]:
        """The pieces of one file, or why it is not read."""
        origin = source.origin(file.name)
        better = loader.better(file.name)
        if better and source.has(better):
            yield Rejected("superseded", f"{better} is read instead", origin, "", loader.name)
            return
        if file.size > self.limit and not loader.by_line:
            detail = f"the file has {file.size:,} bytes; the limit is {self.limit:,}"
            yield Rejected("too-large", detail, origin, "", loader.name)
            return
        beside = loader.companions(file.name)
        found: dict[str, str | bytes] = {
            role: source.companion(path) for role, path in beside.items() if source.has(path)
        }
        whole = Piece(origin, file.name, 0, file.size, companions=found)
        if isinstance(source, Archive):
            yield from self._out_of_archive(whole, file, loader)
        elif loader.by_line and file.size > self.partition_size:
            url = source.url(file.name)
            for start in range(0, file.size, self.partition_size):
                stop = min(start + self.partition_size, file.size)
                yield replace(whole, url=url, start=start, stop=stop, cut=True)
        else:
            yield replace(whole, url=source.url(file.name))

    def _out_of_archive(
        self, whole: Piece, file: File, loader: Loader
    ) -> Iterator[Piece | Rejected]:
        assert file.stream is not None
        try:
            if not loader.by_line:
                yield replace(whole, data=file.stream.read())
                return
            for start, data, omitted in stream_lines(file.stream, self.partition_size):
                if omitted:
                    yield Rejected("too-large", omitted, whole.origin, "", loader.name)
                if data:
                    yield replace(whole, start=start, stop=start + len(data), data=data)
        except DAMAGE as error:
            if isinstance(error, OSError) and is_remote(whole.origin):
                raise
            detail = f"the member cannot be read to its end: {error}"
            yield Rejected("unreadable-file", detail, whole.origin, "", loader.name)


class _Batch:
    """What has gathered for the next partition of one loader."""

    def __init__(self, loader: str) -> None:
        self._loader = loader
        self._clear()

    def _clear(self) -> None:
        self._pieces: list[Piece] = []
        self._rejected: list[Rejected] = []
        self.size = 0

    @property
    def count(self) -> int:
        return len(self._pieces) + len(self._rejected)

    def add(self, part: Piece | Rejected) -> None:
        if isinstance(part, Piece):
            self._pieces.append(part)
            self.size += part.stop - part.start
        else:
            self._rejected.append(part)

    def take(self) -> Partition:
        partition = Partition(self._loader, tuple(self._pieces), tuple(self._rejected), self.size)
        self._clear()
        return partition


def materials(partition: Partition, limit: int) -> tuple[str, list[Material], list[Rejected]]:
    """Read a partition.

    Args:
        partition: what to read.
        limit: the longest line, in bytes.

    Returns:
        A key that names the content: the same for the same bytes under the same names, wherever
        they stand; what the loader is given; and what could not be read.
    """
    digest = hashlib.sha256(f"{partition.loader}\0{limit}\n".encode())
    found: list[Material] = []
    rejected = list(partition.rejected)
    fetch = lru_cache(maxsize=4)(read_companion)  # neighbours have companions in common
    for piece in partition.pieces:
        try:
            data, start, omitted = read(piece, limit)
        except OSError as error:
            if is_remote(piece.url or ""):
                raise
            detail = f"{type(error).__name__}: {error}"
            rejected.append(Rejected("unreadable-file", detail, piece.origin, "", partition.loader))
            continue
        if omitted:
            rejected.append(Rejected("too-large", omitted, piece.origin, "", partition.loader))
        beside = _fetched(piece, fetch)
        found.append(Material(piece.origin, piece.name, data, start, beside))
        digest.update(f"{piece.name}\0{start}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        for role, content in beside.items():
            digest.update(f"{role}\0{_sha256(content)}\n".encode())
    for rejection in rejected:
        digest.update(f"{rejection.reason}\0{rejection.detail}\n".encode())
    return digest.hexdigest(), found, rejected


def carried(partition: Partition) -> Partition:
    """The partition with the companions' bytes in it, for a machine that cannot read them."""
    fetch = lru_cache(maxsize=4)(read_companion)
    pieces = tuple(
        piece if piece.data is None else replace(piece, companions={**_fetched(piece, fetch)})
        for piece in partition.pieces
    )
    return replace(partition, pieces=pieces)


def _fetched(piece: Piece, fetch: Callable[[str], bytes]) -> dict[str, bytes]:
    """The bytes of a piece's companions, by role."""
    return {
        role: where if isinstance(where, bytes) else fetch(where)
        for role, where in piece.companions.items()
    }


@lru_cache(maxsize=4)
def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
