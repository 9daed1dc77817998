"""Partitions: bounded batches of one loader's input, each of which becomes one segment."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from engram.data.files import DAMAGE, Archive, File, Input, LeftOut, is_archive, is_remote, shown
from engram.policy.document import Rejected
from engram.policy.ingestion.pieces import Piece, read, read_companion, stream_lines
from engram.policy.loader import LOADERS, TABLES, Loader, Material, TableFormat

PIECES_AT_MOST = 10_000
UNREAD_EXAMPLES = 5
WHOLE_AT_MOST = 1 << 30
"""Maximum size in bytes of a file that has to be read as a whole."""


@dataclass(frozen=True, slots=True)
class Partition:
    """The part of an input that becomes one segment.

    Args:
        loader: The name of the loader.
        pieces: What it reads, in order.
        rejected: What was rejected before it was read.
        size: Total bytes of the pieces.
    """

    loader: str
    pieces: tuple[Piece, ...]
    rejected: tuple[Rejected, ...]
    size: int


@dataclass
class Plan:
    """How an input is divided, and which of its files no loader reads.

    Args:
        partition_size: Number of bytes after which a partition is full.
        limit: The largest record, in bytes.
        only: The names of the loaders to use.
        table: How the user's own tables and texts are read, before any other loader; None if not.
    """

    partition_size: int
    limit: int
    only: tuple[str, ...] = tuple(LOADERS)
    table: TableFormat | None = None
    files: int = 0
    beside_others: int = 0
    superseded: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)

    def loader_of(self, name: str) -> Loader | None:
        """Return the loader that reads a file of that name."""
        if self.table is not None and TABLES.search(name) and not self.beside(name):
            return LOADERS["table"]
        ours = (LOADERS[key] for key in self.only if self.table or not LOADERS[key].mapped)
        return next((loader for loader in ours if loader.matches.search(name)), None)

    def beside(self, name: str) -> bool:
        """Whether a file of that name is read together with others."""
        patterns = (LOADERS[key].beside for key in self.only)
        return any(pattern.search(name) for pattern in patterns if pattern)

    def size(self, source: Input) -> int:
        """Return the bytes of an input that the loaders read; also lists an archive's members."""
        files = source.survey(self.beside) if isinstance(source, Archive) else source.files()
        return sum(file.size for file in files if self.loader_of(file.name))

    def partitions(self, source: Input) -> Iterator[Partition]:
        """Yield the partitions of an input, in an order that depends only on the input."""
        batches = {key: _Batch(key) for key in LOADERS}
        for file in source.files():
            loader = self.loader_of(file.name)
            if loader is None:
                self._note(file.name, unread_reason(file.name))
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
        for left in source.left_out:
            self._note(left.name, left.reason)
        yield from (batch.take() for batch in batches.values() if batch.count)

    def _note(self, name: str, reason: str) -> None:
        if self.beside(name):
            self.beside_others += 1
            return
        self.left_out.append(LeftOut(name, reason))
        known = len(self.unread) < UNREAD_EXAMPLES
        self.unread[shown(name) if known else "others"] += 1

    def _parts(self, source: Input, file: File, loader: Loader) -> Iterator[Piece | Rejected]:
        """The pieces of one file, or why it is not read."""
        origin = source.origin(file.name)
        better = loader.better(file.name)
        if better and source.has(better):
            self.superseded += 1
            yield Rejected("superseded", f"{better} is read instead", origin, "", loader.name)
            return
        limit = WHOLE_AT_MOST if loader.many else self.limit
        if file.size > limit and not loader.by_line:
            detail = f"the file has {file.size:,} bytes; the limit is {limit:,}"
            yield Rejected("too-large", detail, origin, "", loader.name)
            return
        beside = loader.companions(file.name)
        found: dict[str, str | bytes] = {
            role: source.companion(path) for role, path in beside.items() if source.has(path)
        }
        if loader.mapped and self.table is not None:
            found["format"] = self.table.to_bytes()
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
            detail = f"the member cannot be read completely: {error}"
            yield Rejected("unreadable-file", detail, whole.origin, "", loader.name)


def unread_reason(name: str) -> str:
    """Return why no loader reads a file of that name, and the remedy.

    Args:
        name: The path inside the input.
    """
    ending = kind_of_name(name)
    if is_archive(name):
        return "an archive inside an input: name it as an input, or unpack it"
    if ending in (".zst", ".gz", ".xz", ".bz2", ".7z", ".rar", ".z", ".lz4"):
        return "compressed in an unsupported format: unpack it"
    if ending in (".csv", ".tsv", ".jsonl", ".ndjson", ".json"):
        return "a table of unknown format: map its columns, as --map date=Day text=Speech"
    if ending == ".txt":
        return (
            "a text whose name states no day: map it, as --map date=@name --date-format '%d %B %Y'"
        )
    return "no loader reads files of this name"


def kind_of_name(name: str) -> str:
    """The suffix of a file's name in lower case; "no ending" if it has none."""
    base = name.rpartition("/")[2]
    stem, dot, ending = base.rpartition(".")
    return f".{ending.lower()}" if dot and stem else "no ending"


class _Batch:
    """The pieces collected for the next partition of one loader."""

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
        partition: What to read.
        limit: The longest line, in bytes.

    Returns:
        A key that identifies the content, equal for equal bytes under equal names at any location;
        the material for the loader; and what could not be read.
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
        line = f"{piece.name}\0{start}\0{hashlib.sha256(data).hexdigest()}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
        for role, content in beside.items():
            digest.update(f"{role}\0{_sha256(content)}\n".encode())
    for rejection in rejected:
        line = f"{rejection.reason}\0{rejection.detail}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest(), found, rejected


def carried(partition: Partition) -> Partition:
    """Return the partition with its companions' bytes, for a machine that cannot read them."""
    fetch = lru_cache(maxsize=4)(read_companion)
    pieces = tuple(
        piece if piece.data is None else replace(piece, companions={**_fetched(piece, fetch)})
        for piece in partition.pieces
    )
    return replace(partition, pieces=pieces)


def _fetched(piece: Piece, fetch: Callable[[str], bytes]) -> dict[str, bytes]:
    """Return the bytes of a piece's companions, by role."""
    return {
        role: where if isinstance(where, bytes) else fetch(where)
        for role, where in piece.companions.items()
    }


@lru_cache(maxsize=4)
def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
