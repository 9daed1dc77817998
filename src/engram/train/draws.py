"""Random numbers of an example in an epoch, whatever process or order draws them."""

from enum import IntEnum

import numpy as np

from engram.kernel.philox import halves, philox


class Purpose(IntEnum):
    """What numbers are for; each purpose has its own."""

    FLIP = 0
    CROP = 1
    POLICY = 2
    ERASE = 3
    MIX = 4


def uniform(seed: int, epoch: int, ids: np.ndarray, purpose: Purpose, count: int) -> np.ndarray:
    """Uniform numbers in [0, 1) that depend on these arguments only.

    Args:
        seed: Seed, 0 to 2^64 − 1.
        epoch: Epoch, below 2^32.
        ids: Numbers of the examples, `(n,)`.
        purpose: What they are for.
        count: Numbers per example.

    Returns:
        float64, `(n, count)`.
    """
    blocks = -(-count // 4)
    counter = np.empty((len(ids), blocks, 4), np.uint32)
    wide = np.asarray(ids, np.uint64)[:, None]
    counter[..., 0], counter[..., 1] = wide & np.uint64(0xFFFFFFFF), wide >> np.uint64(32)
    counter[..., 2] = np.uint32(int(purpose) << 16) + np.arange(blocks, dtype=np.uint32)
    counter[..., 3] = epoch
    words = philox(counter, np.array(halves(seed), np.uint32))
    return words.reshape(len(ids), -1)[:, :count] / 2.0**32
