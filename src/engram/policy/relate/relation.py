"""Relate rates of terms to indicators: all tests, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.policy.relate.breaks import Breaks, find_breaks
from engram.policy.relate.causality import Causality, assess_causality
from engram.policy.relate.control import ALPHA, Nonsense, assess_nonsense, sunspots
from engram.policy.relate.correlation import REPLICATES
from engram.policy.relate.lag import (
    LAGS,
    MOST_LAGS,
    AtLag,
    Correlation,
    lag_profile,
    level_correlation,
    moved,
)
from engram.policy.relate.multiplicity import DRAWS, Flips, sign_flips
from engram.policy.relate.prewhiten import innovations, is_predictable, lagged_design, normal_scores
from engram.policy.relate.stationarity import Stationarity, assess_stationarity
from engram.policy.relate.yearly import Floats, Yearly, overlap, yearly
from engram.series import Series
from engram.stats import benjamini_hochberg


class Prewhitened(NamedTuple):
    """Innovations on one axis of years, and the sign-flip test of them.

    Args:
        first: First year of the axis.
        u: Innovations of the terms, (terms, years).
        v: Innovations of the indicators, (indicators, years).
        flips: The test over terms × indicators × lags.
    """

    first: int
    u: Floats
    v: Floats
    flips: Flips


@dataclass(frozen=True, eq=False)
class Relation:
    """The results for one term and one indicator.

    Args:
        correlation: Correlation of levels and of differences.
        profile: Innovations at every lag.
        statistic: S by lag, (lags).
        alone: Unadjusted p-value by lag, (lags).
        family: p-value by lag adjusted over all comparisons by max-T, (lags).
        discovery: q-value by lag over all comparisons by Benjamini and Hochberg, (lags).
        forward: Whether the term's past helps to predict the indicator.
        backward: Whether the indicator's past helps to predict the term.
        breaks: First years of new regimes in the relation of the innovations at the best lag.
    """

    correlation: Correlation
    profile: list[AtLag]
    statistic: Floats
    alone: Floats
    family: Floats
    discovery: Floats
    forward: Causality
    backward: Causality
    breaks: tuple[int, ...]

    @property
    def best(self) -> int:
        """Position of the lag with the largest statistic."""
        return int(np.argmax(np.abs(self.statistic)))

    @property
    def survives(self) -> bool:
        """The verdict: whether a lag is significant at 5% after adjusting for all comparisons."""
        return bool(self.family.min() <= ALPHA)


@dataclass(frozen=True, eq=False)
class Findings:
    """The result of `relate`.

    Args:
        terms: The terms' rates by year.
        indicators: The indicators by year.
        lags: Lags in years; at a positive lag the indicator follows the term.
        stationarity: Stationarity tests of every series.
        breaks: First years of new regimes of each series' own regression on its past, by name.
        relations: One for each term and indicator.
        critical: Critical value of |S|.
        nonsense: How often generated nonsense series appear to be related.
        control: Name of a real series that cannot be related; empty if there is none.
        control_p: Its p-value over terms and lags; None if there is none.
        seed: Seed of all resampling.
        excluded: Why a term or an indicator could not be tested, by name.
    """

    terms: list[Yearly]
    indicators: list[Yearly]
    lags: tuple[int, ...]
    stationarity: list[Stationarity]
    breaks: dict[str, tuple[int, ...]]
    relations: list[Relation]
    critical: float
    nonsense: Nonsense
    control: str
    control_p: float | None
    seed: int
    excluded: dict[str, str] = field(default_factory=dict)

    @property
    def comparisons(self) -> int:
        """Number of comparisons: cells of term, indicator and lag."""
        return len(self.relations) * len(self.lags)

    @property
    def surviving(self) -> list[Relation]:
        """The relations that remain significant; empty if the controls failed."""
        return [] if self.nonsense.failed else [one for one in self.relations if one.survives]


def relate(
    terms: Sequence[Series],
    indicators: Sequence[Series],
    *,
    seed: int = 0,
    lags: int = LAGS,
    draws: int = DRAWS,
    replicates: int = REPLICATES,
    nonsense: int = 200,
    control: Series | None = None,
) -> Findings:
    """Relate rates of terms to indicators.

    One test decides: sign flips of the normal scores of pre-whitened series, max-T over terms ×
    indicators × lags. All other tests are descriptive. A term or indicator that cannot be tested,
    such as a constant one, is left out, and the findings say why.

    Args:
        terms: Rates by year, one series per term.
        indicators: Indicators by year.
        seed: Seed of all resampling.
        lags: Largest lag in years, before and after.
        draws: Number of sign patterns of the test.
        replicates: Number of resamples of the bootstrap intervals.
        nonsense: Number of generated nonsense series that replace the indicators.
        control: A real series that cannot be related; None uses sunspots.

    Returns:
        The findings.

    Raises:
        ValueError: If there is no term or indicator, two have the same name, or none can be tested.
    """
    check_settings(lags, seed)
    _check(terms, indicators, draws, nonsense)
    streams = np.random.default_rng(seed).spawn(4)
    of_terms, of_indicators, excluded = _testable(terms, indicators)
    steps = tuple(range(-lags, lags + 1))
    prewhitened = prewhiten(of_terms, of_indicators, steps, streams[0], draws)
    everything = [*of_terms, *of_indicators]
    tested = [assess_stationarity(series) for series in everything]
    order = {one.name: one.order for one in tested}
    discovery = benjamini_hochberg(prewhitened.flips.alone)
    relations = [
        _relation(of_terms[i], of_indicators[j], prewhitened, (i, j), steps, discovery[i, j], order,
                  streams[1], replicates)
        for i, j in product(range(len(of_terms)), range(len(of_indicators)))
    ]  # fmt: skip
    name, p_value = _control(of_terms, control, steps, streams[2], draws)
    return Findings(
        of_terms,
        of_indicators,
        steps,
        tested,
        {series.name: _own_breaks(series) for series in everything},
        relations,
        prewhitened.flips.critical,
        assess_nonsense(of_terms, of_indicators, steps, streams[3], nonsense),
        name,
        p_value,
        seed,
        excluded,
    )


def _testable(
    terms: Sequence[Series], indicators: Sequence[Series]
) -> tuple[list[Yearly], list[Yearly], dict[str, str]]:
    """Return the series that can be tested, and why the others cannot."""
    excluded: dict[str, str] = {}
    of_terms = _read(terms, (), excluded)
    of_indicators = _read(indicators, of_terms, excluded)
    of_indicators = [one for one in of_indicators if _has_innovations(one, of_terms, excluded)]
    of_terms = [one for one in of_terms if _has_innovations(one, of_indicators, excluded)]
    if not of_terms or not of_indicators:
        raise EngramError(f"nothing is left to relate: {'; '.join(excluded.values())}")
    return of_terms, of_indicators, excluded


def _read(
    series: Sequence[Series], others: Sequence[Yearly], excluded: dict[str, str]
) -> list[Yearly]:
    """Yearly series that share enough years with others; the reason is recorded for the rest."""
    found = []
    for one in series:
        try:
            by_year = yearly(one)
            for other in others:
                overlap(other, by_year)
        except ValueError as error:
            excluded[one.name] = str(error)
        else:
            found.append(by_year)
    return found


def _has_innovations(series: Yearly, others: Sequence[Yearly], excluded: dict[str, str]) -> bool:
    """Whether a series has innovations given its past; if not, the reason is recorded."""
    for part in (series, *(overlap(series, other)[0] for other in others)):
        if is_predictable(part):
            excluded[series.name] = (
                f"{part.name!r} is predicted exactly by its own past in {part.first}-{part.last}, "
                "as straight lines and strict cycles are: it has no residuals to relate"
            )
            return False
    return True


def prewhiten(
    terms: Sequence[Yearly],
    indicators: Sequence[Yearly],
    lags: Sequence[int],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Prewhitened:
    """Pre-whiten every series, and test all terms against all indicators at all lags.

    The normal scores of the innovations are tested.

    Args:
        terms: The terms' rates.
        indicators: The indicators.
        lags: Lags in years.
        rng: Random generator for the signs.
        draws: Number of sign patterns.

    Raises:
        ValueError: If a term and an indicator share too few years.
    """
    for term, indicator in product(terms, indicators):
        overlap(term, indicator)
    everything = [*terms, *indicators]
    first = min(series.first for series in everything)
    last = max(series.last for series in everything)
    (u, of_terms), (v, of_indicators) = (
        _on_axis(series, first, last) for series in (terms, indicators)
    )
    shifted = np.stack([moved(row, lags) for row in normal_scores(v)])
    spent = np.add.outer(of_terms, of_indicators)
    return Prewhitened(first, u, v, sign_flips(normal_scores(u), shifted, rng, draws, spent))


def _on_axis(series: Sequence[Yearly], first: int, last: int) -> tuple[Floats, Floats]:
    """Innovations on one axis of years, and the number of coefficients of each series."""
    rows = np.full((len(series), last - first + 1), np.nan)
    spent = np.zeros(len(series))
    for i, one in enumerate(series):
        left = innovations(one)
        rows[i, one.first - first : one.last - first + 1] = left.values
        spent[i] = len(left.coefficients)
    return rows, spent


def _relation(
    term: Yearly,
    indicator: Yearly,
    prewhitened: Prewhitened,
    cell: tuple[int, int],
    lags: Sequence[int],
    discovery: Floats,
    order: dict[str, int],
    rng: np.random.Generator,
    replicates: int,
) -> Relation:
    u, v, flips = prewhitened.u[cell[0]], prewhitened.v[cell[1]], prewhitened.flips
    integration = max(order[term.name], order[indicator.name])
    best = lags[int(np.argmax(np.abs(flips.statistic[cell])))]
    return Relation(
        level_correlation(term, indicator, rng, replicates),
        lag_profile(u, v, lags, rng, replicates),
        flips.statistic[cell],
        flips.alone[cell],
        flips.family[cell],
        discovery,
        assess_causality(term, indicator, rng, integration),
        assess_causality(indicator, term, rng, integration),
        _breaks_between(u, moved(v, [best])[0], prewhitened.first),
    )


def _breaks_between(u: Floats, v: Floats, first: int) -> tuple[int, ...]:
    """Regimes of the regression of the indicator's innovations on the term's."""
    known = np.flatnonzero(np.isfinite(u) & np.isfinite(v))
    design = np.column_stack([np.ones(len(known)), u[known]])
    return _years(find_breaks(v[known], design), known + first)


def _own_breaks(series: Yearly) -> tuple[int, ...]:
    """Regimes of the regression of a series on its previous year."""
    x = series.values
    return _years(find_breaks(x[1:], lagged_design(x, 1)), np.arange(1, len(x)) + series.first)


def _years(breaks: Breaks, years: np.ndarray) -> tuple[int, ...]:
    return tuple(int(years[start]) for start in breaks.starts)


def _control(
    terms: Sequence[Yearly],
    control: Series | None,
    lags: Sequence[int],
    rng: np.random.Generator,
    draws: int,
) -> tuple[str, float | None]:
    if control is None:
        first, last = max(term.first for term in terms), min(term.last for term in terms)
        control = sunspots(first, last)
    if control is None:
        return "", None
    family = prewhiten(terms, [yearly(control)], lags, rng, draws).flips.family
    return control.name, float(family.min())


def check_settings(lags: int, seed: int) -> None:
    """Refuse settings that no series can be related with, before any series is made.

    Args:
        lags: Largest lag in years.
        seed: Seed of all resampling.

    Raises:
        ValueError: If the lags are below 0 or above `MOST_LAGS`, or the seed is below 0.
    """
    if not 0 <= lags <= MOST_LAGS:
        raise EngramError(f"lags is {lags}; give 0 to {MOST_LAGS} years")
    if seed < 0:
        raise EngramError(f"seed is {seed}; give 0 or more")


def _check(
    terms: Sequence[Series], indicators: Sequence[Series], draws: int, nonsense: int
) -> None:
    if not terms or not indicators:
        raise EngramError(
            f"{len(terms)} terms and {len(indicators)} indicators; give at least one of each"
        )
    names = [series.name for series in (*terms, *indicators)]
    if len(set(names)) < len(names):
        raise EngramError(f"series are called {names}; give each its own name")
    if draws < 99 or nonsense < 1:
        raise EngramError(
            f"draws={draws}, nonsense={nonsense}: give 99 draws or more, and at least 1 nonsense "
            "series"
        )
