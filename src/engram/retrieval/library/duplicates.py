"""Near-duplicates: pictures that differ in size, compression or a small change."""

import numpy as np

from engram.errors import EngramError
from engram.retrieval.library.library import Library

BLOCK = 1024


def near_duplicates(library: Library, bits: int = 4, cosine: float = 0.9) -> list[list[str]]:
    """Groups of pictures that look nearly the same.

    Two pictures are linked if at most `bits` of the 64 signs of their differences of brightness
    differ, and the cosine of their vectors is at least `cosine`; linked pictures are a group.

    Args:
        library: The index.
        bits: Number of signs that may differ, 0 … 64.
        cosine: Least cosine of the vectors.

    Returns:
        The keys of each group of two or more, in the order of their first paths.

    Raises:
        ValueError: If a number is out of range.
    """
    if not 0 <= bits <= 64:
        raise EngramError(f"bits is {bits}; give 0 … 64")
    if not len(library):
        return []
    looks = np.frombuffer(bytes.fromhex("".join(e.facts.look for e in library.entries)), np.uint8)
    signs = np.unpackbits(looks.reshape(-1, 8), axis=1).astype(np.float32) * 2 - 1
    vectors = np.concatenate(list(library.blocks()))
    parents = np.arange(len(signs))
    for start in range(0, len(signs), BLOCK):
        alike = signs[start : start + BLOCK] @ signs[start:].T >= 64 - 2 * bits
        for i, j in np.argwhere(np.triu(alike, k=1)) + start:
            if vectors[i] @ vectors[j] >= cosine:
                parents[_first(parents, j)] = _first(parents, i)
    groups: dict[int, list[str]] = {}
    for number, entry in enumerate(library.entries):
        groups.setdefault(_first(parents, number), []).append(entry.key)
    several = [group for group in groups.values() if len(group) > 1]
    for group in several:
        group.sort(key=lambda key: library.entry(key).paths[0])
    return sorted(several, key=lambda group: library.entry(group[0]).paths[0])


def _first(parents: np.ndarray, number: int) -> int:
    """The first of the group of a picture."""
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = int(parents[number])
    return number
