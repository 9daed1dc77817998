"""Fingerprints: detect texts with the same words, whatever their typography.

A text is reduced to its letters and digits in lower case: case, punctuation, white space,
hyphenation, accents and other diacritics are removed. Two reduced texts are compared by their
shingles, the sets of all runs of `WIDTH` letters (three to four words).

References:
    Broder, On the resemblance and containment of documents, SEQUENCES 1997.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH = 16
"""Number of letters per shingle."""

SKETCH = 16
"""Number of shingles per sketch."""

LEAST = 250
"""Minimum number of letters, about fifty words, of a text that is compared with others."""

_SAMPLED = 16
"""One of this many shingles, chosen by its first three letters, can enter a sketch."""

_EXACT = 1 << 13
"""Maximum letters of a text of which all shingles are compared; longer ones are sampled."""

_LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_DROPPED = bytes(byte for byte in range(128) if not chr(byte).isalnum())
_SYMBOLS = b"\xc2\xe2" + bytes(range(0x80, 0xC0))
"""The bytes in UTF-8 of U+0080 to U+00BF and U+2000 to U+2FFF: punctuation and symbols."""

_FOREIGN = re.compile(rb"[\x80-\xff]+")
_ODD = np.uint64(0x9E3779B97F4A7C15)


class Overlap(NamedTuple):
    """Similarity of two texts.

    Args:
        jaccard: Shared shingles as a share of those of both texts together.
        containment: Shared shingles as a share of those of the shorter text.
    """

    jaccard: float
    containment: float


def letters(text: str) -> bytes:
    """Return the letters and digits of a text in UTF-8, in lower case without diacritics.

    Args:
        text: Any text.
    """
    data = text.encode("utf-8", "replace").translate(_LOWER, _DROPPED)
    if data.isascii():
        return data
    plain = data.translate(None, _SYMBOLS)
    return plain if plain.isascii() else _FOREIGN.sub(lambda run: _plain(run[0]), data)


def digest(data: bytes) -> int:
    """A 64-bit hash.

    Args:
        data: The bytes.
    """
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def sketches(texts: Sequence[bytes]) -> NDArray[np.uint32]:
    """Return the smallest hashes of each text's sampled shingles; similar texts share some.

    Args:
        texts: The letters of each text.

    Returns:
        The hashes in ascending order, padded with zeros; only zeros for a text of fewer than
        `LEAST` letters, (texts, `SKETCH`).
    """
    found = np.zeros((len(texts), SKETCH), dtype=np.uint32)
    data = b"".join(texts)
    ends = np.cumsum([len(text) for text in texts])
    if len(data) < LEAST:
        return found
    at = _sampled(data)
    text = np.searchsorted(ends, at, side="right")
    sizes = np.diff(ends, prepend=0)
    whole = (at + WIDTH <= ends[text]) & (sizes[text] >= LEAST)
    at, text = at[whole], text[whole]
    hashes = np.maximum(_hashes(data, at) >> np.uint64(32), 1)
    keys = _distinct(text.astype(np.uint64) << np.uint64(32) | hashes)
    text = (keys >> np.uint64(32)).astype(np.int64)
    rank = np.arange(len(keys)) - np.searchsorted(text, text)
    low = rank < SKETCH
    found[text[low], rank[low]] = keys[low].astype(np.uint32)
    return found


def overlap(one: bytes, other: bytes) -> Overlap:
    """Compare two texts by their shingles, sampled if a text has over 8,192 letters.

    Args:
        one: The letters of a text.
        other: The letters of another.
    """
    if one == other:
        return Overlap(1.0, 1.0)
    if min(len(one), len(other)) < WIDTH:
        return Overlap(0.0, 0.0)
    every = max(len(one), len(other)) <= _EXACT
    a, b = (
        _distinct(_hashes(data, _all(data) if every else _sampled(data))) for data in (one, other)
    )
    shared = len(np.intersect1d(a, b, assume_unique=True))
    least, either = min(len(a), len(b)), len(a) + len(b) - shared
    return Overlap(shared / either if either else 0.0, shared / least if least else 0.0)


@lru_cache(maxsize=4096)
def _plain(run: bytes) -> bytes:
    """A run of non-ASCII characters without diacritics, punctuation and symbols."""
    kept = (c for c in run.decode() if "\xbf" < c < "\u2000" or c > "\u2fff")
    folded = unicodedata.normalize("NFKD", "".join(kept).casefold())
    return "".join(filter(str.isalnum, folded)).casefold().encode()


def _distinct(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The distinct values in order; faster than `np.unique`, which first puts them into a hash."""
    values.sort()
    return values[np.append(True, values[1:] != values[:-1])[: len(values)]]


def _all(data: bytes) -> NDArray[np.int64]:
    return np.arange(len(data) - WIDTH + 1)


def _sampled(data: bytes) -> NDArray[np.int64]:
    """Positions of the sampled shingles, chosen by their letters and so alike in similar texts."""
    codes = np.frombuffer(data, dtype=np.uint8)[: len(data) - WIDTH + 3]
    mixed = codes[:-2] * np.uint8(167) + codes[1:-1] * np.uint8(59) + codes[2:] * np.uint8(13)
    return np.flatnonzero(mixed < 256 // _SAMPLED)


def _hashes(data: bytes, at: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes of the shingles that begin at some places."""
    codes = np.frombuffer(data, dtype=np.uint8)
    runs = np.lib.stride_tricks.sliding_window_view(codes, WIDTH)[at].view("<u8")
    mixed = np.zeros(len(at), dtype=np.uint64)
    for part in runs.T:
        mixed = (mixed ^ part) * _ODD
        mixed ^= mixed >> np.uint64(29)
    return mixed * _ODD
