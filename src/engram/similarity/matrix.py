"""Checked feature matrices, their Gram matrices and their principal components."""

import numpy as np

from engram.errors import EngramError

COLUMNS = 4096
"""Features that are converted to float64 at once."""


def features(values: np.ndarray, name: str, fewest: int) -> np.ndarray:
    """A finite matrix `(stimuli, features)`, in its own type.

    Args:
        values: Features of each stimulus; further axes are flattened.
        name: What the matrix is called in messages.
        fewest: Least number of stimuli.

    Raises:
        ValueError: There are too few stimuli, no features, or values that are not finite.
    """
    x = np.asarray(values)
    if x.ndim < 2 or x.shape[0] < fewest or x.size == 0:
        raise EngramError(
            f"{name} has shape {x.shape}: give (stimuli, features) with at least {fewest} stimuli"
        )
    if x.dtype.kind not in "fiub":
        raise EngramError(f"{name} holds {x.dtype}: give real numbers")
    x = x.reshape(len(x), -1)
    if not all(np.isfinite(x[:, at : at + COLUMNS]).all() for at in range(0, x.shape[1], COLUMNS)):
        raise EngramError(f"{name} holds NaN or infinity: drop or average those trials first")
    return x


def paired(x: np.ndarray, y: np.ndarray, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices of the same stimuli; see `features`.

    Raises:
        ValueError: As for `features`, or if the numbers of stimuli differ.
    """
    x, y = features(x, "x", fewest), features(y, "y", fewest)
    if len(x) != len(y):
        raise EngramError(f"x has {len(x)} stimuli and y has {len(y)}: match them by their ids")
    return x, y


def gram(x: np.ndarray, *, rows: bool = False, centre: bool = True) -> np.ndarray:
    """X Xᵀ in float64 of centred features, `(stimuli, stimuli)`.

    The features are converted in blocks of columns, so that no second copy of a large matrix is
    made.

    Args:
        x: `(stimuli, features)`.
        rows: Subtract the mean of each stimulus instead of that of each feature.
        centre: Whether to subtract any mean.
    """
    total = np.zeros((len(x), len(x)))
    of_rows = x.mean(1, dtype=np.float64, keepdims=True) if rows and centre else 0.0
    for at in range(0, x.shape[1], COLUMNS):
        block = x[:, at : at + COLUMNS].astype(np.float64) - of_rows
        if centre and not rows:
            block -= block.mean(0)
        total += block @ block.T
    return total


def components(x: np.ndarray, count: int, name: str) -> np.ndarray:
    """The first principal components, U S of the exact SVD of the centred matrix.

    Args:
        x: `(stimuli, features)`.
        count: Number of components; a smaller number of features is not reduced.
        name: What the matrix is called in messages.

    Returns:
        `(stimuli, components)`.

    Raises:
        ValueError: The stimuli or the rank are too few.
    """
    if count < 1 or len(x) <= count:
        raise EngramError(
            f"{name} has {len(x)} stimuli for {count} components: give more stimuli, or ask for "
            f"1 to {len(x) - 1} components"
        )
    if x.shape[1] > len(x):
        values, vectors = np.linalg.eigh(gram(x))
        u, s = vectors[:, ::-1], np.sqrt(np.maximum(values[::-1], 0))
    else:
        u, s, _ = np.linalg.svd(x - x.mean(0, dtype=np.float64), full_matrices=False)
    kept = min(count, x.shape[1])
    rank = int((s > s[0] * 1e-7).sum()) if s[0] > 0 else 0
    if rank < kept:
        raise EngramError(
            f"{name} varies in {rank} dimensions and {kept} were to be kept: it is silent or "
            f"nearly constant; ask for at most {rank} components, or leave it out"
        )
    return u[:, :kept] * s[:kept]
