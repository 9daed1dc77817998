"""Whether a series keeps to one level: two tests with opposite null hypotheses, and advice."""

import warnings
from typing import NamedTuple

from engram.policy.relate.yearly import Floats, Yearly

ALPHA = 0.05
"""Level of both tests."""


class Stationarity(NamedTuple):
    """What two tests say of a series.

    Args:
        name: The series.
        years: Its length.
        adf_p: p-value of the augmented Dickey–Fuller test, whose null is a unit root.
        kpss_p: p-value of the KPSS test, whose null is stationarity.
        adf_differences_p: p-value of the Dickey–Fuller test of the first differences.
        order: Differences to take until the series is stationary: 0, 1 or 2.
        advice: What follows, in words.
    """

    name: str
    years: int
    adf_p: float
    kpss_p: float
    adf_differences_p: float
    order: int
    advice: str


def assess_stationarity(series: Yearly) -> Stationarity:
    """Test a series for a unit root and for stationarity about one level.

    Args:
        series: The series.

    References:
        Said and Dickey (1984), Testing for unit roots in autoregressive-moving average models of
        unknown order, Biometrika 71(3); Kwiatkowski, Phillips, Schmidt and Shin (1992), Testing
        the null hypothesis of stationarity against the alternative of a unit root, Journal of
        Econometrics 54.
    """
    x = series.values
    differences = x[1:] - x[:-1]
    adf_p, kpss_p, differences_p = _adf(x), _kpss(x), _adf(differences)
    unit_root, moving = adf_p > ALPHA, kpss_p < ALPHA
    steady = not unit_root and not moving
    order = 0 if steady else 1 if differences_p <= ALPHA else 2
    return Stationarity(
        series.name, len(x), adf_p, kpss_p, differences_p, order, _advice(unit_root, moving, order)
    )


def _advice(unit_root: bool, moving: bool, order: int) -> str:
    if order == 0:
        return "keeps to one level: correlations of levels can be read"
    if order == 2:
        return "even its differences wander: do not read levels, and differences with care"
    if unit_root and moving:
        return "wanders like a random walk: do not read correlations of levels; take differences"
    if moving:
        return "returns, but to a level that shifts or drifts: take differences, look for breaks"
    return "too few years to tell a random walk from a slow return: take differences to be safe"


def _adf(x: Floats) -> float:
    from arch.unitroot import ADF  # noqa: PLC0415  slow to import

    return float(ADF(x, trend="c", method="aic").pvalue)


def _kpss(x: Floats) -> float:
    from arch.unitroot import KPSS  # noqa: PLC0415  slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it announces the choice wanted here
        return float(KPSS(x, trend="c").pvalue)
