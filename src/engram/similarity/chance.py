"""The similarity of two RDMs that chance alone gives."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

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


def permuted_rsa(
    models: np.ndarray,
    rdms: np.ndarray,
    rng: np.random.Generator,
    method: str = "spearman",
    draws: int = 200,
) -> np.ndarray:
    """Mean similarities over subjects with the stimuli of the subjects in random orders.

    The similarity is a product of standardised ranks or values, so that one product with their
    mean over the subjects gives the mean similarity, for all models at once.

    Args:
        models: `(models, pairs)`.
        rdms: `(subjects, pairs)`.
        rng: Random generator of the permutations.
        method: spearman or pearson.
        draws: Number of permutations.

    Returns:
        `(draws, models)`.

    Raises:
        ValueError: As `compare`, or the method is another.
    """
    if method not in ("spearman", "pearson") or draws < 1:
        raise EngramError(
            f"method={method!r}, draws={draws}: give spearman or pearson, and 1 or more"
        )
    for rdm in (*models, *rdms):
        compare(rdm, rdm, method)  # refuses what has no similarity
    ours = np.stack([standardised(model, method) for model in models])
    mean = np.mean([standardised(rdm, method) for rdm in rdms], axis=0)
    square = squareform(mean, checks=False)
    upper = np.triu_indices(len(square), 1)
    found = np.empty((draws, len(models)))
    for at in range(draws):
        order = rng.permutation(len(square))
        found[at] = ours @ square[np.ix_(order, order)][upper]
    return found


def standardised(rdm: np.ndarray, method: str) -> np.ndarray:
    """Ranks (spearman) or values (pearson) of mean 0 and length 1: products are correlations."""
    values = rankdata(rdm) if method == "spearman" else np.asarray(rdm, np.float64)
    values = values - values.mean()
    return values / np.linalg.norm(values)
