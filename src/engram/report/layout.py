"""Fit a table of text to a width: divide its columns into blocks, and set their widths."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

PADDING = 3
"""Characters per column in addition to its text."""
EDGES = 1
"""Characters per table in addition to its columns."""
SHORT = 16
"""Text of at most this many characters, such as an interval, is kept on one line."""
LONG_WORD = 24
"""A word of more characters, such as an address, may be broken."""
NARROW = 12
"""Minimum number of characters per line of wrapped text."""
MAX_KEYS = 3
"""Maximum number of columns that identify a row."""


@dataclass(frozen=True)
class Cells:
    """A table as text.

    Args:
        headings: Headings, (m).
        rows: Rows of m texts, (n).
        numeric: Whether each column holds numbers, which are never wrapped, (m).
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]

    def column(self, i: int) -> list[str]:
        """The texts of the column at position `i`."""
        return [row[i] for row in self.rows]


@dataclass(frozen=True)
class Block:
    """Columns that are printed side by side.

    Args:
        columns: Their positions.
        widths: Width of each, in characters.
    """

    columns: list[int]
    widths: list[int]


def divide(cells: Cells, width: int) -> list[Block]:
    """Divide the columns of a table into as few blocks as the width allows.

    Args:
        cells: The table.
        width: Characters per line.

    Returns:
        The blocks, each of which begins with the columns that identify a row; none if these and
        one more column do not fit side by side.
    """
    everything = list(range(len(cells.headings)))
    least = [_least(cells, i) for i in everything]
    keys = everything[: _keys(cells)]
    others = everything[len(keys) :]
    if _total(least) <= width:
        return [_block(cells, everything, least, width)]
    widest = max((least[i] for i in others), default=0)
    if _total([*(least[i] for i in keys), *([widest] if others else [])]) > width:
        return []
    groups: list[list[int]] = [[*keys]]
    for i in others:
        if _total([least[j] for j in (*groups[-1], i)]) > width:
            groups.append([*keys])
        groups[-1].append(i)
    return [_block(cells, group, least, width) for group in groups]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + PADDING * len(widths) + EDGES


def _keys(cells: Cells) -> int:
    """Number of leading columns that identify a row."""
    most = min(MAX_KEYS, len(cells.headings))
    for count in range(1, most + 1):
        if len({tuple(row[:count]) for row in cells.rows}) == len(cells.rows):
            return count
    text = next((i for i, numeric in enumerate(cells.numeric) if numeric), most)
    return min(max(text, 1), most)


def _least(cells: Cells, i: int) -> int:
    """The minimum width at which no number or short text is broken."""
    texts = cells.column(i)
    longest = max(map(cell_len, texts), default=0)
    heading = max(map(cell_len, cells.headings[i].split()), default=0)
    if cells.numeric[i] or longest <= SHORT:
        return max(longest, heading)
    words = max(cell_len(word) for text in texts for word in text.split() or [""])
    return max(min(words, LONG_WORD), min(longest, NARROW), heading)


def _block(cells: Cells, columns: list[int], least: Sequence[int], width: int) -> Block:
    """The columns at the width of their text, or narrowed until they fit, the widest first."""
    widths = [max(map(cell_len, (cells.headings[i], *cells.column(i))), default=0) for i in columns]
    while (excess := _total(widths) - width) > 0:
        room = [wide - least[i] for wide, i in zip(widths, columns, strict=True)]
        at = room.index(max(room))
        if room[at] <= 0:
            break
        second = max((r for k, r in enumerate(room) if k != at), default=0)
        widths[at] -= min(excess, max(1, room[at] - second))
    return Block(columns, widths)
