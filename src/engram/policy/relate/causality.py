"""Whether the past of one series helps to predict another: Granger, and Toda and Yamamoto."""

from typing import NamedTuple

import numpy as np

from engram.policy.relate.prewhiten import EXACT
from engram.policy.relate.yearly import Floats, Yearly, overlap

MAX_ORDER = 4
"""Largest lag order tried, in years."""
DRAWS = 999
"""Number of random sign patterns."""


class Causality(NamedTuple):
    """A test of whether the past of one series helps to predict another, given its own past.

    Args:
        cause: The series whose past may help.
        effect: The series to predict.
        order: Number of lags p tested, chosen by AIC.
        toda_yamamoto_p: p-value in levels; None where the pasts of both are collinear.
        granger_p: p-value in first differences; None likewise.
    """

    cause: str
    effect: str
    order: int
    toda_yamamoto_p: float | None
    granger_p: float | None


def assess_causality(
    cause: Yearly,
    effect: Yearly,
    rng: np.random.Generator,
    integration: int = 1,
    draws: int = DRAWS,
) -> Causality:
    """Test whether the past of one series helps to predict another.

    y_t is regressed on p + d lags of y and of x. The first p lags of x are tested; the other d
    absorb the unit roots, so that the test keeps its distribution in levels whether or not the
    series are cointegrated (Toda and Yamamoto). Granger's test uses differences and d = 0.

    Args:
        cause: The series x.
        effect: The series y.
        rng: Random generator for the signs.
        integration: d, the highest order of integration of the two series; at least 1 is used.
        draws: Number of sign patterns.

    Raises:
        ValueError: If they share too few years.

    References:
        Granger (1969), Investigating causal relations by econometric models and cross-spectral
        methods, Econometrica 37(3); Toda and Yamamoto (1995), Statistical inference in vector
        autoregressions with possibly integrated processes, Journal of Econometrics 66.
    """
    a, b = overlap(cause, effect)
    x, y = a.values, b.values
    order = _order(x, y)
    levels = past_adds(x, y, order, rng, extra=max(1, integration), draws=draws)
    differences = past_adds(np.diff(x), np.diff(y), order, rng, draws=draws)
    p_values = (None if score is None else score.p_value for score in (levels, differences))
    return Causality(cause.name, effect.name, order, *p_values)


class Score(NamedTuple):
    """A score test.

    Args:
        statistic: Approximately χ²; the degrees of freedom are the number of lags tested.
        p_value: Its p-value by sign flips.
    """

    statistic: float
    p_value: float


def past_adds(
    x: Floats,
    y: Floats,
    order: int,
    rng: np.random.Generator,
    *,
    extra: int = 0,
    draws: int = DRAWS,
) -> Score | None:
    """Test that the first lags of x are absent from the regression of y.

    Let e be the residuals of y without them, and Z the part of those lags that the other
    regressors do not explain. The score is s = Zᵀ e and the statistic sᵀ (Σ_t e_t² z_t z_tᵀ)⁻¹ s,
    which allows for years of unequal variance. Its distribution comes from flipping the signs of
    e: an F test would mistake years in which both series vary more, such as wars, for a relation.

    Args:
        x: The cause, (n).
        y: The effect, (n).
        order: Number of lags tested.
        rng: Random generator for the signs.
        extra: Number of further lags of both series that are in the regression but not tested.
        draws: Number of sign patterns.

    Returns:
        The test; None if the other regressors explain the lags of x, or y, exactly.

    References:
        Davidson and Flachaire (2008), The wild bootstrap, tamed at last, Journal of Econometrics
        146(1).
    """
    n, lags = len(y), order + extra
    own = [y[lags - k : n - k] for k in range(1, lags + 1)]
    other = [x[lags - k : n - k] for k in range(1, lags + 1)]
    base = np.column_stack([np.ones(n - lags), *own, *other[order:]])
    target, tested = y[lags:], np.column_stack(other[:order])
    e, z = _left(base, target), _left(base, tested)
    if _explained(z, tested) or _explained(e[:, None], target[:, None]):
        return None
    scores = z * e[:, None]
    # orthonormal columns make the statistic a squared length; flips leave the middle term as it is
    parts, _ = np.linalg.qr(scores)
    found = float((parts.sum(0) ** 2).sum())
    signs = rng.choice([-1.0, 1.0], (draws, len(e)))
    drawn = ((signs @ parts) ** 2).sum(1)
    return Score(found, float((1 + (drawn >= found - 1e-9).sum()) / (1 + draws)))


def _explained(left: Floats, columns: Floats) -> bool:
    """Whether the residuals of any combination of columns are only rounding errors."""
    spread = np.linalg.norm(columns - columns.mean(0), axis=0)
    if (spread == 0).any():
        return True
    return bool(np.linalg.svd(left / spread, compute_uv=False).min() <= EXACT)


def _order(x: Floats, y: Floats) -> int:
    """Order of the vector autoregression by AIC, fitted to the same years for every order."""
    n = len(x)
    both = np.column_stack([x, y])
    target = both[MAX_ORDER:]
    scores = []
    for order in range(1, MAX_ORDER + 1):
        past = [both[MAX_ORDER - k : n - k] for k in range(1, order + 1)]
        design = np.column_stack([np.ones(n - MAX_ORDER), *past])
        left = _left(design, target)
        _, spread = np.linalg.slogdet(left.T @ left / len(target))
        if not np.isfinite(spread):  # this order predicts a combination of both series exactly
            return order
        scores.append(spread + 2 * 2 * design.shape[1] / len(target))
    return 1 + int(np.argmin(scores))


def _left(design: Floats, target: Floats) -> Floats:
    return target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
