"""Pre-whitening: the residuals of an autoregression."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from engram.policy.relate.yearly import Floats, Yearly

MAX_ORDER = 8
"""Largest order tried, in years; n / 12 for short series."""
EXACT = 1e-7
"""Share of a series' standard deviation below which innovations are considered rounding errors."""


class Innovations(NamedTuple):
    """The innovations of a series and the autoregression that they are the residuals of.

    Args:
        values: One value per year, (n); NaN in the first `order` years and in years not observed.
        order: Order p of the autoregression.
        coefficients: Intercept and weights of the previous years, the nearest first, (p + 1).
    """

    values: Floats
    order: int
    coefficients: Floats


def innovations(series: Yearly, max_order: int | None = None) -> Innovations:
    """Fit an autoregression by least squares and return its residuals.

    x_t = c + φ_1 x_(t−1) + … + φ_p x_(t−p) + u_t, in levels, with the order p from 1 to P that
    minimizes AIC. A random walk has φ_1 = 1 and is differenced by that; a stationary series is
    not. So no test has to decide first which of the two a series is.

    Args:
        series: The series.
        max_order: P; None chooses it from the length of the series, at most 8.

    Returns:
        The innovations.

    References:
        Haugh (1976), Checking the independence of two covariance-stationary time series: a
        univariate residual cross-correlation approach, JASA 71.
    """
    x = series.values
    most = max_order or min(MAX_ORDER, max(1, len(x) // 12))
    order = _order(x, most)
    design, target = lagged_design(x, order), x[order:]
    coefficients: Floats = np.linalg.lstsq(design, target, rcond=None)[0].astype(np.float64)
    left = np.full(len(x), np.nan)
    left[order:] = target - design @ coefficients
    left[~series.observed] = np.nan
    return Innovations(left, order, coefficients)


def is_predictable(series: Yearly) -> bool:
    """Whether the past of a series predicts it exactly, so that it has no innovations.

    Straight lines, other polynomials, exponentials and strict cycles, such as a mark in every
    fourth year, are predictable. Their residuals are rounding errors, which carry no information
    about a relation.
    """
    left = innovations(series).values
    left = left[np.isfinite(left)]
    return len(left) < 2 or float(np.std(left)) <= EXACT * float(np.std(series.values))


def normal_scores(values: Floats) -> Floats:
    """Replace values by the normal quantiles of their ranks, Φ⁻¹(rank / (n + 1)).

    An extraordinary year then weighs no more than the largest of n ordinary ones, and skewed
    innovations, as rates of rare words have, become symmetric.

    Args:
        values: One value per year, (…, n); NaN stays NaN and is ignored.

    References:
        van der Waerden (1952), Order tests for the two-sample problem and their power,
        Indagationes Mathematicae 14.
    """
    scores = np.full(values.shape, np.nan)
    for row in np.ndindex(values.shape[:-1]):
        known = np.isfinite(values[row])
        scores[row][known] = ndtri(rankdata(values[row][known]) / (known.sum() + 1))
    return scores


def lagged_design(x: Floats, order: int) -> Floats:
    """The regressors of an autoregression: ones, then the lagged values of x, (n − p, p + 1).

    Args:
        x: The series, (n).
        order: The order p.
    """
    n = len(x)
    past = [x[order - k : n - k] for k in range(1, order + 1)]
    return np.column_stack([np.ones(n - order), *past])


def _order(x: Floats, most: int) -> int:
    """The order that minimizes AIC; one QR of the largest design serves all nested ones."""
    q, _ = np.linalg.qr(lagged_design(x, most))
    target = x[most:] - x[most:].mean()
    explained = np.cumsum((q.T @ target) ** 2)
    left = np.maximum(target @ target - explained, np.finfo(float).tiny)
    n, orders = len(target), np.arange(1, most + 1)
    return int(orders[np.argmin(n * np.log(left[1:] / n) + 2 * (orders + 1))])
