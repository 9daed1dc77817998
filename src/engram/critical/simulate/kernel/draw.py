"""Random links and weights, compiled: one counter-based draw after the other, no temporaries."""

# compiled by Numba; to a type checker its numbers are Python's
# pyright: reportReturnType=false, reportArgumentType=false

import math
from typing import Any

import numpy as np
from numba import njit

from engram.kernel.philox_cpu import block, to_uniform

FOUR = np.uint64(4)


def random_links(n: int, p: float, seed: Any, stream: Any) -> tuple[np.ndarray, np.ndarray]:
    """Links between all ordered pairs with a probability, found by skipping from link to link.

    Args:
        n: Number of nodes.
        p: The probability.
        seed: Seed of the generator.
        stream: Its stream.

    Returns:
        Pointers (node + 1) and targets (link), as in a Graph.
    """
    pairs = n * (n - 1)
    room = int(pairs * p + 10 * math.sqrt(pairs * p) + 100)
    pointers = np.zeros(n + 1, np.int64)
    targets = np.empty(room, np.int32)
    count = _random_links(n, p, seed, stream, pointers, targets)
    targets.resize(count, refcheck=False)
    return pointers, targets


@njit(cache=True)
def _random_links(
    n: int, p: float, seed: Any, stream: Any, pointers: np.ndarray, targets: np.ndarray
) -> int:
    rate = 1 / math.log1p(-p) if p < 1 else 0.0
    place, count, number = np.int64(-1), 0, np.uint64(0)
    while True:
        four = block(seed, stream, number)
        number += np.uint64(1)
        for j in range(0, 4, 2):
            # 48 bits: a gap may be longer than 32 bits can resolve
            word = (np.uint64(four[j]) << np.uint64(16)) | (np.uint64(four[j + 1]) >> np.uint64(16))
            u = (np.float64(word) + 0.5) * 2.0**-48
            place += 1 + np.int64(math.log(u) * rate)
            sender = place // (n - 1)
            if sender >= n:
                for i in range(n):
                    pointers[i + 1] += pointers[i]
                return count
            receiver = place - sender * (n - 1)
            targets[count] = receiver + (receiver >= sender)
            pointers[sender + 1] += 1
            count += 1


@njit(cache=True)
def fixed_in_degree(n: int, degree: int, seed: Any, stream: Any) -> np.ndarray:
    """Different senders for each node, by a partial shuffle of the others.

    Args:
        n: Number of nodes.
        degree: In-degree.
        seed: Seed of the generator.
        stream: Its stream.

    Returns:
        The senders, (node, degree).
    """
    others = np.arange(n - 1)
    found = np.empty((n, degree), np.int32)
    number, left = np.uint64(0), 0
    four = block(seed, stream, number)
    for node in range(n):
        for i in range(degree):
            if left == 4:
                number += np.uint64(1)
                four = block(seed, stream, number)
                left = 0
            span = np.uint64(n - 1 - i)
            j = i + np.int64((np.uint64(four[left]) * span) >> np.uint64(32))
            left += 1
            others[i], others[j] = others[j], others[i]
            found[node, i] = others[i] + (others[i] >= node)
    return found


@njit(cache=True)
def uniforms(count: int, seed: Any, stream: Any) -> np.ndarray:
    """Numbers between 0 and 1, (count).

    Args:
        count: How many.
        seed: Seed of the generator.
        stream: Its stream.
    """
    found = np.empty(count, np.float32)
    for i in range(0, count, 4):
        four = block(seed, stream, np.uint64(i) // FOUR)
        for j in range(min(4, count - i)):
            found[i + j] = to_uniform(four[j])
    return found


@njit(cache=True)
def has_cycle(pointers: np.ndarray, targets: np.ndarray) -> bool:
    """Whether a graph has a cycle, by removing nodes without incoming links one after another.

    Args:
        pointers: Where the links of each sender begin, (node + 1).
        targets: The receiver of each link, (link).
    """
    n = len(pointers) - 1
    incoming = np.zeros(n, np.int64)
    for target in targets:
        incoming[target] += 1
    removed = np.empty(n, np.int64)
    known = 0
    for node in range(n):
        if incoming[node] == 0:
            removed[known] = node
            known += 1
    done = 0
    while done < known:
        node = removed[done]
        done += 1
        for link in range(pointers[node], pointers[node + 1]):
            incoming[targets[link]] -= 1
            if incoming[targets[link]] == 0:
                removed[known] = targets[link]
                known += 1
    return known < n
