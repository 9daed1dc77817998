"""A stored text, decompressed and analysed only as far as its passages need."""

import zlib
from array import array
from bisect import bisect_right
from codecs import getincrementaldecoder
from collections.abc import Sequence
from itertools import chain, groupby

from engram.policy import analyzer
from engram.policy.segment.file import BLOCK, block_end

_BYTES = 1 << 14
"""Number of bytes that are decompressed at once."""


class Excerpt:
    """The beginning of a text, as far as it has been read.

    Args:
        data: The compressed text.
        before: Number of terms before each block but the first, as 32-bit integers.
        title: What is searched if the text is empty.
    """

    def __init__(self, data: bytes, before: bytes, title: str) -> None:
        self._packed, self._unpacker = data, zlib.decompressobj()
        self._decoder = getincrementaldecoder("utf-8")()
        self._before = [0, *array("I", before)]
        self._cuts = [0]  # where blocks start
        self.text = ""
        self.read(1)
        self.text = self.text or title

    def read(self, characters: int) -> str:
        """Decompress the text up to a number of characters, or its end.

        Args:
            characters: Minimum number of characters.

        Returns:
            The text that has been read so far.
        """
        while len(self.text) < characters and not self._unpacker.eof:
            part = self._unpacker.decompress(self._packed, _BYTES)
            self._packed = self._unpacker.unconsumed_tail
            if not (part or self._packed or self._unpacker.eof):
                raise zlib.error("a stored text is truncated")
            self.text += self._decoder.decode(part, final=self._unpacker.eof)
        return self.text

    def places(self, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return where spans of terms start and end in the text, in characters.

        Args:
            spans: First and last term of each.
        """
        places: dict[int, tuple[int, int]] = {}
        terms = sorted(set(chain.from_iterable(spans)))
        for block, some in groupby(terms, lambda term: bisect_right(self._before, term) - 1):
            needed = list(some)
            first, behind = (x - self._before[block] for x in (needed[0], needed[-1] + 1))
            start, text = self._block(block)
            found = analyzer.spans(text, first, behind)
            for term in needed:
                low, high = found[term - needed[0]]
                places[term] = start + low, start + high
        return [(places[first][0], places[last][1]) for first, last in spans]

    def _block(self, block: int) -> tuple[int, str]:
        """Where a block starts, and its text."""
        while len(self._cuts) <= block + 1:
            start = self._cuts[-1]
            size = start + 2 * BLOCK
            while (end := block_end(self.read(size), start)) == len(self.text):
                if self._unpacker.eof:
                    break
                size *= 2
            self._cuts.append(end)
        start, end = self._cuts[block : block + 2]
        return start, self.text[start:end]
