"""Pieces: whole files, or ranges of their lines, of bounded size."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from engram.data.files import BLOCK, open_location


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole file, or those of its lines that begin in a range of bytes.

    Args:
        origin: Display name of the file and of its archive.
        name: The path inside the input.
        start: The first byte of the range.
        stop: The byte after its last.
        url: Where to read it; None if `data` holds it.
        data: Its bytes, if they come from an archive.
        cut: Whether the range may begin or end inside a line.
        companions: URLs of its companion files, or their bytes, by role.
    """

    origin: str
    name: str
    start: int
    stop: int
    url: str | None = None
    data: bytes | None = None
    cut: bool = False
    companions: dict[str, str | bytes] = field(default_factory=dict)


def sha256_at(location: str) -> str:
    """The SHA-256 of the file at a path or URL."""
    digest = hashlib.sha256()
    fs, path = open_location(location)
    with fs.open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read(piece: Piece, limit: int) -> tuple[bytes, int, str | None]:
    """The bytes of a piece.

    A line belongs to the range in which its first byte lies.

    Args:
        piece: What to read.
        limit: The longest line, in bytes, that is read.

    Returns:
        The bytes, their position in the file, and lines left out because they are too long.

    Raises:
        OSError: If the file cannot be read.
    """
    if piece.data is not None:
        return piece.data, piece.start, None
    fs, path = open_location(piece.url or "")
    with fs.open(path, "rb") as file:
        if not piece.cut:
            return file.read(), 0, None
        begin = _line_start(file, piece.start)
        if begin >= piece.stop:
            return b"", begin, None
        file.seek(begin)
        data = file.read(piece.stop - begin)
        tail = b"" if data.endswith(b"\n") else _to_newline(file, limit)
        if tail is not None:
            return data + tail, begin, None
        whole = data.rfind(b"\n") + 1
        return data[:whole], begin, f"the line at byte {begin + whole} is over {limit:,} bytes"


def read_companion(url: str) -> bytes:
    """The bytes of a file beside others; empty if it does not exist."""
    fs, path = open_location(url)
    try:
        with fs.open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def stream_lines(stream: IO[bytes], block: int) -> Iterator[tuple[int, bytes, str | None]]:
    """Divide a stream between lines.

    Args:
        stream: The bytes of a file.
        block: Maximum number of bytes in a run; a longer line is left out.

    Yields: Position of a run, its bytes, and lines left out after it.
    """
    start, rest, skipping = 0, b"", False
    while True:
        read = stream.read(block - len(rest))
        data = rest + read
        if skipping:
            end = data.find(b"\n") + 1
            start, data = start + (end or len(data)), data[end:] if end else b""
            skipping = not end and bool(read)
        whole = len(data) if not read else data.rfind(b"\n") + 1
        if not whole and len(data) >= block:
            yield start, b"", f"the line at byte {start} is over {block:,} bytes"
            start, data, skipping = start + len(data), b"", True
        elif whole:
            yield start, data[:whole], None
        start, rest = start + whole, data[whole:]
        if not read:
            return


def _line_start(file: IO[bytes], position: int) -> int:
    """Position of the first line that begins at or after a position."""
    if position == 0:
        return 0
    file.seek(position - 1)
    at = position - 1
    while block := file.read(BLOCK):
        found = block.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(block)
    return at


def _to_newline(file: IO[bytes], limit: int) -> bytes | None:
    """The bytes up to the end of the line; None if it does not end within the limit."""
    found = b""
    while len(found) <= limit:
        block = file.read(min(BLOCK, limit))
        end = block.find(b"\n") + 1
        found += block[:end] if end else block
        if end or not block:
            return found
    return None
