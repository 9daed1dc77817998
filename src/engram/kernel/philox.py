"""Philox 4×32-10: counter-based random numbers, independent of order and partition.

A draw has an address: a seed, a stream, and its position in the stream. Its bits depend on the
address only, so a split batch, a loop over threads or processes, and a resumed run draw the same
numbers as the whole would.
"""

import numpy as np

from engram.errors import EngramError

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
"""Added to the key after each round: the golden ratio and √3 − 1, as fractions of 2³²."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox(counter: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Encrypt counters with Philox 4×32-10.

    Args:
        counter: uint32, (..., 4).
        key: uint32, (..., 2), broadcast against the counters.

    Returns:
        uint32, (..., 4): four words for each counter, uniform and independent.

    References:
        Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
    """
    c0, c1, c2, c3 = (counter[..., i].astype(np.uint64) for i in range(4))
    k0, k1 = (key[..., i].astype(np.uint64) for i in range(2))
    for _ in range(ROUNDS):
        first, second = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1 = (second >> _HALF) ^ c1 ^ k0, second & _LOW
        c2, c3 = (first >> _HALF) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + np.uint64(WEYL[0])) & _LOW, (k1 + np.uint64(WEYL[1])) & _LOW
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), -1).astype(np.uint32)


def words(seed: int, stream: int, start: int, count: int) -> np.ndarray:
    """Words of a stream in a range of positions.

    Word i is element i mod 4 of the block that the counter (i div 4, stream), each of 64 bits,
    gives under the key `seed`.

    Args:
        seed: Seed, 0 to 2^64 − 1.
        stream: Number of the stream, 0 to 2^64 − 1; the streams of a seed are independent.
        start: Position of the first word, from 0.
        count: Number of words.

    Returns:
        uint32, (count,).

    Raises:
        ValueError: A number is negative or too large.
    """
    check(seed, stream, start, count)
    blocks = np.arange(start // 4, -(-(start + count) // 4), dtype=np.uint64)
    counter = np.empty((len(blocks), 4), np.uint32)
    counter[:, 0], counter[:, 1] = blocks & _LOW, blocks >> _HALF
    counter[:, 2:] = halves(stream)
    return philox(counter, np.array(halves(seed), np.uint32)).reshape(-1)[start % 4 :][:count]


def uniform(seed: int, stream: int, start: int, count: int) -> np.ndarray:
    """Uniform numbers in [0, 1), one per word of a stream: its upper 24 bits / 2^24.

    Args:
        seed: As in `words`.
        stream: As in `words`.
        start: As in `words`.
        count: As in `words`.

    Returns:
        float32, (count,).
    """
    return (words(seed, stream, start, count) >> np.uint32(8)).astype(np.float32) * np.float32(
        2.0**-24
    )


def halves(number: int) -> tuple[int, int]:
    """The lower and upper 32 bits of a 64-bit number."""
    return number & 0xFFFFFFFF, number >> 32


def check(seed: int, stream: int, start: int, count: int) -> None:
    """Raise ValueError unless the address of the draws is valid."""
    for name, number in (("seed", seed), ("stream", stream), ("start", start), ("count", count)):
        if not 0 <= number < 1 << 64:
            raise EngramError(f"{name}={number}: give an integer from 0 to 2^64 - 1")
