"""Intervals of a correlation between series whose years are not independent."""

import math

import numpy as np
from scipy.stats import rankdata

from engram.policy.relate.yearly import Floats
from engram.stats import Interval

LEVEL = 0.95
"""Confidence level of all intervals; the critical value below belongs to it."""
REPLICATES = 999
"""Resamples of the stationary bootstrap."""


def correlation(x: Floats, y: Floats) -> Floats:
    """Pearson's correlation along the last axis.

    Args:
        x: Values, (…, n).
        y: Values, (…, n).

    Returns:
        The correlations, (…); 0 where one of the two is constant.
    """
    x = x - x.mean(-1, keepdims=True)
    y = y - y.mean(-1, keepdims=True)
    scale = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    product = (x * y).sum(-1)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)


def rank_correlation(x: Floats, y: Floats) -> Floats:
    """Spearman's correlation along the last axis: Pearson's of the ranks.

    Args:
        x: Values, (…, n).
        y: Values, (…, n).
    """
    return correlation(rankdata(x, axis=-1), rankdata(y, axis=-1))


def long_run_variance(values: Floats, bandwidth: int) -> float:
    """Newey and West's variance of √n times a mean: γ_0 + 2 Σ_j (1 − j / (m + 1)) γ_j.

    Args:
        values: The series, (n).
        bandwidth: m, the number of autocovariances used.

    References:
        Newey and West (1987), A simple, positive semi-definite, heteroskedasticity and
        autocorrelation consistent covariance matrix, Econometrica 55(3).
    """
    n, centred = len(values), values - values.mean()
    total = centred @ centred
    for j in range(1, bandwidth + 1):
        total += 2 * (1 - j / (bandwidth + 1)) * (centred[j:] @ centred[:-j])
    return float(total / n)


def hac_interval(x: Floats, y: Floats) -> Interval:
    """Confidence interval of a correlation, robust to autocorrelation and heteroskedasticity.

    With z-scores a and b, r has the influence a b − r (a² + b²) / 2. Its long-run variance, by
    Newey and West with 1.3 √n lags, gives the standard error of Fisher's arctanh r; its critical
    value is the one for a bandwidth of that share of n.

    Args:
        x: Values in order of time, (n).
        y: Values at the same times, (n).

    References:
        Kiefer and Vogelsang (2005), A new asymptotic theory for heteroskedasticity-autocorrelation
        robust tests, Econometric Theory 21(6), table 1; Lazarus, Lewis, Stock and Watson (2018),
        HAR inference: recommendations for practice, JBES 36(4).
    """
    n, r = len(x), float(correlation(x, y))
    if not np.ptp(x) or not np.ptp(y) or abs(r) >= 1:
        return Interval(r, -1.0, 1.0, LEVEL)
    a, b = ((values - values.mean()) / values.std() for values in (x, y))
    influence = a * b - r * (a * a + b * b) / 2
    bandwidth = min(math.ceil(1.3 * math.sqrt(n)), n - 1)
    error = math.sqrt(long_run_variance(influence, bandwidth) / n) / (1 - r * r)
    half = _critical(bandwidth / n) * error
    centre = math.atanh(r)
    return Interval(r, math.tanh(centre - half), math.tanh(centre + half), LEVEL)


def bootstrap_intervals(
    x: Floats, ys: Floats, rng: np.random.Generator, replicates: int = REPLICATES
) -> list[Interval]:
    """Percentile intervals of correlations by the stationary bootstrap.

    Blocks of consecutive years, of geometric length about the optimum for these series, are drawn
    with replacement, all series together.

    Args:
        x: A series, (n).
        ys: Series to correlate it with, (m, n).
        rng: Random generator for the blocks.
        replicates: Number of resamples.

    Returns:
        One interval for each of `ys`.

    References:
        Politis and Romano (1994), The stationary bootstrap, JASA 89; Politis and White (2004),
        Automatic block-length selection for the dependent bootstrap, Econometric Reviews 23(1).
    """
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415  slow to import

    block = _block_length(x, ys)
    bootstrap = StationaryBootstrap(block, x, ys.T, seed=rng)  # pyright: ignore[reportArgumentType]
    drawn = bootstrap.apply(lambda one, others: correlation(one, others.T), reps=replicates)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    found = correlation(x, ys)
    # a percentile interval may exclude its own estimate when n is small; widen it in a report
    low, high = np.minimum(low, found), np.maximum(high, found)
    return [
        Interval(float(r), float(a), float(b), LEVEL)
        for r, a, b in zip(found, low, high, strict=True)
    ]


def _block_length(x: Floats, ys: Floats) -> float:
    """The longest block that is optimal for any product of the two sides, at most n / 4."""
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  slow to import

    products = (x - x.mean()) * (ys - ys.mean(1, keepdims=True))
    moving = products[np.ptp(products, axis=1) > 0]
    if not len(moving):
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # no power at frequency zero
        lengths = optimal_block_length(moving.T)["stationary"].to_numpy()
    known = lengths[~np.isnan(lengths)]
    return float(np.clip(known.max(initial=1.0), 1.0, len(x) / 4))


def _critical(share: float) -> float:
    """Critical value at 95% for Bartlett's kernel with bandwidth / n fixed at this share."""
    return 1.9600 + 2.9694 * share + 0.4160 * share**2 - 0.5324 * share**3
