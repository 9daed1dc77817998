"""Directed graphs as compressed rows of outgoing links, drawn from a counter-based generator."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from engram.critical.simulate.kernel.draw import (
    fixed_in_degree,
    has_cycle,
    random_links,
    uniforms,
)
from engram.errors import EngramError

LINKS, WEIGHTS, ORDER = 1 << 62, 1 << 61, 1 << 60
"""Streams of the generator for links, weights and orders; steps of a simulation are below them."""


class Graph(NamedTuple):
    """Who sends to whom.

    Attributes:
        pointers: Where the links of each sender begin, (node + 1).
        targets: The receiver of each link, (link).
    """

    pointers: np.ndarray
    targets: np.ndarray

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.pointers) - 1

    @property
    def in_degree(self) -> np.ndarray:
        """Number of incoming links, (node)."""
        return np.bincount(self.targets, minlength=self.n)

    @property
    def giant_share(self) -> float:
        """The share of the nodes in the largest strongly connected component."""
        return float(np.bincount(_components(self)).max() / self.n)

    @property
    def cyclic(self) -> bool:
        """Whether there is a cycle; without one the spectral radius is 0."""
        return has_cycle(self.pointers, self.targets)


def erdos_renyi(n: int, degree: float, seed: int) -> Graph:
    """Every ordered pair of different nodes is linked with one probability.

    Args:
        n: Number of nodes.
        degree: Mean in-degree.
        seed: Seed of the generator.
    """
    _check(n, degree)
    return Graph(*random_links(n, degree / (n - 1), np.uint64(seed), np.uint64(LINKS)))


def fixed_degree(n: int, degree: int, seed: int) -> Graph:
    """Every node receives from the same number of different other nodes.

    Args:
        n: Number of nodes.
        degree: In-degree.
        seed: Seed of the generator.
    """
    _check(n, degree)
    sources = fixed_in_degree(n, int(degree), np.uint64(seed), np.uint64(LINKS))
    return from_links(n, sources.ravel(), np.repeat(np.arange(n), int(degree)))


def scale_free(n: int, degree: float, seed: int, exponent: float = 2.5) -> Graph:
    """Out- and in-degrees have a tail of this exponent; a node's two degrees are independent.

    Links are drawn between nodes in proportion to their weights i^(−1/(exponent − 1)).

    Args:
        n: Number of nodes.
        degree: Mean in-degree.
        seed: Seed of the generator.
        exponent: Exponent of the distribution of the degrees, above 2.

    References:
        Goh, Kahng, Kim (2001), Physical Review Letters 87(27), 278701.
    """
    _check(n, degree)
    if not exponent > 2:
        raise EngramError(f"exponent is {exponent}; the mean degree is finite above 2 only")
    rng = _generator(seed)
    weight = np.arange(1, n + 1) ** (-1 / (exponent - 1))
    weight /= weight.sum()
    senders, receivers = rng.permutation(n), rng.permutation(n)
    wanted, found = round(n * degree), np.empty(0, np.int64)
    while len(found) < wanted:
        links = rng.choice(n, (2, wanted), p=weight)
        pairs = senders[links[0]] * n + receivers[links[1]]
        found = np.unique(np.concatenate([found, pairs[pairs // n != pairs % n]]))
    kept = rng.choice(found, wanted, replace=False)
    return from_links(n, kept // n, kept % n)


def small_world(n: int, degree: int, seed: int, rewired: float = 0.1) -> Graph:
    """Nodes on a ring receive from their neighbours; a share of the links starts elsewhere.

    Args:
        n: Number of nodes.
        degree: In-degree, even.
        seed: Seed of the generator.
        rewired: The share of the links whose sender is drawn from all nodes.

    References:
        Watts, Strogatz (1998), Nature 393.
    """
    _check(n, degree)
    if degree % 2 or not 0 <= rewired <= 1:
        raise EngramError(f"degree={degree}, rewired={rewired}: give an even degree and a share")
    rng = _generator(seed)
    offset = np.delete(np.arange(-(degree // 2), degree // 2 + 1), degree // 2)
    receivers = np.repeat(np.arange(n), degree)
    senders = (receivers + np.tile(offset, n)) % n
    moved = rng.random(len(senders)) < rewired
    for _ in range(100):  # a link that exists already, or comes from the node itself, moves again
        senders[moved] = rng.integers(0, n, moved.sum())
        pairs = senders * n + receivers
        first = np.zeros(len(pairs), bool)
        # links that stay come first, so that a moved one gives way to them
        order = np.argsort(moved, kind="stable")
        first[order[np.unique(pairs[order], return_index=True)[1]]] = True
        moved = ~first | (senders == receivers)
        if not moved.any():
            return from_links(n, senders, receivers)
    raise EngramError(f"degree={degree} is too large for {n} nodes; give fewer links")


def modular(n: int, degree: float, seed: int, modules: int = 10, inside: float = 0.9) -> Graph:
    """Modules of equal size, with this share of the links inside them.

    Args:
        n: Number of nodes.
        degree: Mean in-degree.
        seed: Seed of the generator.
        modules: Number of modules.
        inside: Share of the links that stay in their module.
    """
    _check(n, degree)
    if not 2 <= modules <= n // 2 or not 0 <= inside <= 1:
        raise EngramError(
            f"modules={modules}, inside={inside}: give 2 to {n // 2} modules and a share"
        )
    rng = _generator(seed)
    module = np.arange(n) * modules // n
    sizes = np.bincount(module)
    wanted, found = round(n * degree), np.empty(0, np.int64)
    if wanted * inside > 0.9 * (sizes * (sizes - 1)).sum():
        raise EngramError(f"degree={degree}: a module of {sizes.min()} nodes holds fewer links")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    while len(found) < wanted:
        senders, stays = rng.integers(0, n, wanted), rng.random(wanted) < inside
        own = module[senders]
        within = starts[own] + rng.integers(0, sizes[own])
        anywhere = rng.integers(0, n, wanted)
        kept = np.where(stays, within != senders, module[anywhere] != own)
        receivers = np.where(stays, within, anywhere)
        found = np.unique(np.concatenate([found, (senders * n + receivers)[kept]]))
    kept = rng.choice(found, wanted, replace=False)
    return from_links(n, kept // n, kept % n)


GRAPHS: dict[str, Callable[..., Graph]] = {
    "erdos-renyi": erdos_renyi,
    "fixed": fixed_degree,
    "scale-free": scale_free,
    "small-world": small_world,
    "modular": modular,
}
"""The graphs by name; each takes the number of nodes, the mean in-degree and a seed."""


def from_links(n: int, senders: np.ndarray, receivers: np.ndarray) -> Graph:
    """Return the graph of a list of links.

    Args:
        n: Number of nodes.
        senders: The sender of each link, (link).
        receivers: The receiver of each link, (link).

    Raises:
        EngramError: If there is no link, or a node that there is not.
    """
    senders, receivers = np.asarray(senders), np.asarray(receivers)
    if not senders.size:
        raise EngramError("the graph has no links; give at least one")
    ends = np.concatenate([senders, receivers])
    if ends.min() < 0 or ends.max() >= n:
        raise EngramError(f"links name nodes {ends.min()} to {ends.max()}; there are 0 to {n - 1}")
    order = np.lexsort((receivers, senders))
    pointers = np.concatenate([[0], np.cumsum(np.bincount(senders, minlength=n))])
    return Graph(pointers, receivers[order].astype(np.int32))


def uniform_weights(graph: Graph, seed: int) -> np.ndarray:
    """Weights between 0 and 1, equally distributed, (link).

    Args:
        graph: The graph.
        seed: Seed of the generator.
    """
    return uniforms(len(graph.targets), np.uint64(seed), np.uint64(WEIGHTS))


def _components(graph: Graph) -> np.ndarray:
    ones: Any = np.ones(len(graph.targets), np.int8)
    matrix = csr_array((ones, graph.targets, graph.pointers), shape=(graph.n, graph.n))
    return connected_components(matrix, connection="strong")[1]


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, ORDER]))


def _check(n: int, degree: float) -> None:
    if n < 2 or not 0 < degree < n:
        raise EngramError(
            f"n={n}, degree={degree}: give 2 nodes or more, and a degree above 0 and below n"
        )
