"""The similarity of two RDMs that chance alone gives."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import squareform

from engram.errors import EngramError
from engram.similarity.rdm import compare


class Chance(NamedTuple):
    """A permutation test.

    Attributes:
        score: The similarity.
        mean: Mean similarity after permutations of the stimuli: the chance level.
        quantile: The 95 % quantile of them.
        p: Share of permutations, the observed order among them, with at least that similarity.
    """

    score: float
    mean: float
    quantile: float
    p: float


def permutation_test(
    a: np.ndarray,
    b: np.ndarray,
    rng: np.random.Generator,
    method: str = "spearman",
    draws: int = 1000,
) -> Chance:
    """Test whether two RDMs are more similar than if the stimuli of one were in random order.

    Args:
        a: An RDM, `(pairs)`; its stimuli are permuted.
        b: An RDM of the same stimuli, `(pairs)`.
        rng: Random generator of the permutations.
        method: See `engram.similarity.compare`.
        draws: Number of random permutations.

    Raises:
        ValueError: As `compare`, or there are fewer than 19 draws, which cannot reach p = 0.05.

    References:
        Mantel, "The detection of disease clustering and a generalized regression approach", Cancer
        Research 27 (1967); Nili et al., PLoS Comput. Biol. 10(4) (2014).
    """
    if draws < 19:
        raise EngramError(f"draws={draws}: give at least 19, fewer cannot reach p = 0.05")
    score = compare(a, b, method)
    square = squareform(np.asarray(a, np.float64), checks=False)
    upper = np.triu_indices(len(square), 1)
    found = np.empty(draws)
    for number in range(draws):
        order = rng.permutation(len(square))
        found[number] = compare(square[np.ix_(order, order)][upper], b, method)
    above = int((found >= score - 1e-12).sum())
    high = float(np.quantile(found, 0.95))
    return Chance(score, float(found.mean()), high, (above + 1) / (draws + 1))
