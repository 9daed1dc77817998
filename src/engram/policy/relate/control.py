"""Nonsense controls: series that cannot be related to the record, tested by the same procedure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engram.policy.relate.lag import moved, naive_p
from engram.policy.relate.multiplicity import DRAWS, sign_flips
from engram.policy.relate.prewhiten import innovations, normal_scores
from engram.policy.relate.yearly import MIN_YEARS, Floats, Yearly, overlap
from engram.series import Series
from engram.stats import Interval, wilson

ALPHA = 0.05
"""Level of every test."""


class Nonsense(NamedTuple):
    """How often nonsense series appear to be related.

    Args:
        levels: Share of the pairs of a term and a nonsense series whose correlation of levels is
            "significant" to a test that takes years as independent.
        verdict: Share that the test of this report calls related; 5% by design.
    """

    levels: Interval
    verdict: Interval

    @property
    def failed(self) -> bool:
        """Whether the test calls nonsense related clearly more often than its level allows."""
        return self.verdict.low > ALPHA


def imitate(series: Yearly, rng: np.random.Generator) -> Yearly:
    """Generate an unrelated series with the same autocorrelation and step size.

    It follows the autoregression of the series, driven by the series' own innovations in random
    order with replacement. An explosive autoregression is scaled back to a unit root.

    Args:
        series: The series to imitate.
        rng: Random generator for the order.
    """
    left, order, coefficients = innovations(series)
    steps = left[np.isfinite(left)]
    shocks = rng.choice(steps - steps.mean(), len(series))
    weights = _at_most_a_unit_root(coefficients[1:])
    values = series.values.copy()
    for t in range(order, len(values)):
        past = values[t - order : t][::-1]
        values[t] = coefficients[0] + weights @ past + shocks[t]
    everything = np.ones(len(series), dtype=bool)
    return Yearly(f"nonsense like {series.name}", series.first, values, everything, series.unit)


def assess_nonsense(
    terms: Sequence[Yearly],
    indicators: Sequence[Yearly],
    lags: Sequence[int],
    rng: np.random.Generator,
    count: int = 200,
    draws: int = DRAWS,
) -> Nonsense:
    """Replace the indicators by imitations and count how many appear to be related.

    Args:
        terms: Rates of the terms.
        indicators: The indicators to imitate, in rotation.
        lags: Lags in years.
        rng: Random generator for the imitations and the signs.
        count: Number of imitations.
        draws: Sign patterns of each test.
    """
    fooled = claimed = pairs = 0
    whitened = [innovations(term) for term in terms]
    for number in range(count):
        nonsense = imitate(indicators[number % len(indicators)], rng)
        v = innovations(nonsense)
        for term, u in zip(terms, whitened, strict=True):
            both = (term.first, term.last), (nonsense.first, nonsense.last)
            first, last = max(span[0] for span in both), min(span[1] for span in both)
            a = normal_scores(u.values)[first - term.first : last - term.first + 1]
            b = normal_scores(v.values)[first - nonsense.first : last - nonsense.first + 1]
            spent = float(len(u.coefficients) + len(v.coefficients))
            flips = sign_flips(a[None], moved(b, lags)[None], rng, draws, spent)
            x, y = overlap(term, nonsense)
            fooled += naive_p(x.values, y.values) <= ALPHA
            claimed += bool(flips.pair[0, 0] <= ALPHA)
            pairs += 1
    return Nonsense(wilson(fooled, pairs), wilson(claimed, pairs))


def sunspots(first: int, last: int) -> Series | None:
    """Yearly sunspot numbers, 1700-2008: a real autocorrelated series that no Congress influences.

    Args:
        first: First year wanted.
        last: Last year wanted.

    Returns:
        The series; None if too few of these years are known.
    """
    from statsmodels.datasets import sunspots as source  # noqa: PLC0415  slow to import

    table = np.asarray(source.load_pandas().data, dtype=np.float64)
    years, numbers = table[:, 0].astype(int), table[:, 1]
    wanted = (years >= first) & (years <= last)
    if wanted.sum() < MIN_YEARS:
        return None
    return Series("sunspots", years[wanted].tolist(), numbers[wanted], axis="year", unit="spots")


def _at_most_a_unit_root(weights: Floats) -> Floats:
    roots = np.roots(np.concatenate([[1.0], -weights]))
    largest = max(1.0, float(np.abs(roots).max(initial=0.0)))
    return weights / largest ** np.arange(1, len(weights) + 1)
