"""The control parameter λ: the spectral radius of the weights, set and checked."""

# compiled by Numba in part; to a type checker its arrays are Python's
# pyright: reportArgumentType=false

from typing import Any

import numpy as np
from numba import njit
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from engram.critical.simulate.graph import Graph
from engram.errors import EngramError

_operator: Any = LinearOperator
DENSE = 200
"""Up to this many nodes all eigenvalues are computed at once."""
MOST_DENSE = 3000
"""Up to this many, they are computed where ARPACK does not converge."""


def spectral_radius(graph: Graph, weights: np.ndarray, seed: int = 0) -> float:
    """The largest real part of the eigenvalues of the weights.

    Where no weight is negative it is the spectral radius, by the theorem of Perron and Frobenius;
    of periodic graphs too, whose other eigenvalues of this magnitude have smaller real parts.

    Args:
        graph: The graph.
        weights: The weights, (link).
        seed: Seed of the vector with which ARPACK starts.

    Raises:
        EngramError: If ARPACK does not converge.
    """
    if weights.min() >= 0 and not graph.cyclic:
        return 0.0
    n = graph.n
    if n <= DENSE:
        return _dense(graph, weights)
    operator: Any = _operator((n, n), lambda v: _product(*graph, weights, v.ravel()))
    start = np.random.default_rng(seed).random(n)
    try:
        found: Any = eigs(operator, k=1, which="LR", v0=start, return_eigenvectors=False, tol=1e-10)
    except ArpackNoConvergence as error:
        if n <= MOST_DENSE:
            return _dense(graph, weights)
        raise EngramError(
            f"the largest eigenvalue of {n} nodes did not converge ({error}); "
            "give a denser graph, or another seed"
        ) from error
    return float(found[0].real)


def _dense(graph: Graph, weights: np.ndarray) -> float:
    dense = np.zeros((graph.n, graph.n))
    senders = np.repeat(np.arange(graph.n), np.diff(graph.pointers))
    np.add.at(dense, (senders, graph.targets), weights)
    return float(np.linalg.eigvals(dense).real.max())


@njit(cache=True)
def _product(
    pointers: np.ndarray, targets: np.ndarray, weights: np.ndarray, v: np.ndarray
) -> np.ndarray:
    found = np.empty(len(v))
    for i in range(len(v)):
        total = 0.0
        for k in range(pointers[i], pointers[i + 1]):
            total += weights[k] * v[targets[k]]
        found[i] = total
    return found
