"""Multiple comparisons: sign-flip tests with max-T."""

from typing import NamedTuple

import numpy as np

from engram.policy.relate.yearly import Floats

DRAWS = 1999
"""Number of random sign patterns."""
CHUNK = 1 << 22
"""Maximum number of values held in memory at once."""


class Flips(NamedTuple):
    """Result of the sign-flip test for every cell, that is, for each term, indicator and lag.

    Args:
        statistic: S, approximately standard normal under no relation, (terms, indicators, lags).
        alone: Unadjusted p-value of each cell.
        family: p-value adjusted over all cells by max-T: the probability that any cell is this
            extreme if none is related.
        pair: p-value of a term and an indicator adjusted over their lags only, (terms, indicators).
        critical: The |S| exceeded in 5% of the families without a relation.
    """

    statistic: Floats
    alone: Floats
    family: Floats
    pair: Floats
    critical: float


def sign_flips(
    terms: Floats,
    moved: Floats,
    rng: np.random.Generator,
    draws: int = DRAWS,
    spent: Floats | float = 0.0,
) -> Flips:
    """Test whether innovations of terms correlate with those of indicators, over all cells at once.

    S = √(1 − k / n) Σ_t u_t v_t / √(Σ_t u_t² v_t²) over n years, with k the number of coefficients
    estimated in pre-whitening. Flipping the sign of whole years, the same for all terms, keeps the
    size of every innovation in its year, the relations among the terms, and all of the indicators;
    it breaks only the association between terms and indicators. The denominator stays the same, so
    wars and crises in which both vary more do not count as a relation. Where signs of u are
    random, the test is exact.

    Args:
        terms: Innovations u, or scores of them, (terms, years); NaN where there is none.
        moved: Innovations v by indicator, lag and year, shifted to the year of the term,
            (indicators, lags, years); NaN where there is none.
        rng: Random generator for the signs.
        draws: Number of sign patterns.
        spent: k of each pair, (terms, indicators).

    Returns:
        Statistics and p-values.

    References:
        Westfall and Young (1993), Resampling-based multiple testing; Wu (1986), Jackknife,
        bootstrap and other resampling methods in regression analysis, Annals of Statistics 14(4).
    """
    cells, statistic = _cells(terms, moved, spent)
    shape = statistic.shape
    # rounding must not separate a draw that repeats the data from the data
    found = np.abs(statistic).ravel() - 1e-9
    order = np.argsort(found)
    alone, stepped, pair = np.ones(len(found)), np.ones(len(found)), np.ones(shape[:2])
    peaks = []
    step = max(1, CHUNK // max(cells.shape))
    for start in range(0, draws, step):
        signs = rng.choice([-1.0, 1.0], (min(step, draws - start), cells.shape[1]))
        drawn = np.abs(signs @ cells.T)
        alone += (drawn >= found).sum(0)
        # step-down: a cell is compared with the largest of those no larger than itself
        stepped[order] += (np.maximum.accumulate(drawn[:, order], axis=1) >= found[order]).sum(0)
        pair += (drawn.reshape(-1, *shape).max(3) >= found.reshape(shape).max(2)).sum(0)
        peaks.append(drawn.max(1))
    stepped[order[::-1]] = np.maximum.accumulate(stepped[order[::-1]])
    share = 1 / (draws + 1)
    return Flips(
        statistic,
        (alone * share).reshape(shape),
        (stepped * share).reshape(shape),
        pair * share,
        float(np.quantile(np.concatenate(peaks), 0.95)),
    )


def _cells(terms: Floats, moved: Floats, spent: Floats | float) -> tuple[Floats, Floats]:
    """Products by cell and year, scaled to unit sum of squares, (cells, years), and S by cell."""
    products = terms[:, None, None, :] * moved[None]
    shape = products.shape[:3]
    years = np.maximum(np.isfinite(products).sum(3), 1)
    products = np.nan_to_num(products)
    scale = np.sqrt((products**2).sum(3, keepdims=True))
    products = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    free = 1 - np.broadcast_to(spent, shape[:2])[:, :, None] / years
    statistic = products.sum(3) * np.sqrt(np.maximum(free, 0.0))
    return products.reshape(-1, products.shape[-1]), statistic
