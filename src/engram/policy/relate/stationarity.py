"""Whether a series is stationary: two tests with opposite null hypotheses, and advice."""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engram.policy.relate.yearly import Floats, Yearly

ALPHA = 0.05
"""Level of both tests."""


class Stationarity(NamedTuple):
    """The results of two stationarity tests of a series.

    Args:
        name: The series.
        years: Its length.
        adf_p: p-value of the augmented Dickey–Fuller test, whose null is a unit root; this one
            and the next two are None where the test cannot be run.
        kpss_p: p-value of the KPSS test, whose null is stationarity.
        adf_differences_p: p-value of the Dickey–Fuller test of the first differences.
        order: Differences to take until the series is stationary: 0, 1 or 2.
        advice: Advice, in words.
    """

    name: str
    years: int
    adf_p: float | None
    kpss_p: float | None
    adf_differences_p: float | None
    order: int
    advice: str


def assess_stationarity(series: Yearly) -> Stationarity:
    """Test a series for a unit root and for stationarity about one level.

    References:
        Said and Dickey (1984), Testing for unit roots in autoregressive-moving average models of
        unknown order, Biometrika 71(3); Kwiatkowski, Phillips, Schmidt and Shin (1992), Testing
        the null hypothesis of stationarity against the alternative of a unit root, Journal of
        Econometrics 54.
    """
    x = series.values
    differences = x[1:] - x[:-1]
    p_values = _adf(x), _kpss(x), _adf(differences)
    names = "Dickey–Fuller", "KPSS", "Dickey–Fuller of changes"
    missing = [name for name, p in zip(names, p_values, strict=True) if p is None]
    if missing:
        advice = (
            f"cannot be tested ({', '.join(missing)}): the values hardly vary, so the regression "
            f"is singular; take differences to be safe"
        )
        return Stationarity(series.name, len(x), *p_values, order=1, advice=advice)
    adf_p, kpss_p, differences_p = (p or 0.0 for p in p_values)
    unit_root, moving = adf_p > ALPHA, kpss_p < ALPHA
    steady = not unit_root and not moving
    order = 0 if steady else 1 if differences_p <= ALPHA else 2
    advice = _advice(unit_root, moving, order)
    return Stationarity(series.name, len(x), adf_p, kpss_p, differences_p, order, advice)


def _advice(unit_root: bool, moving: bool, order: int) -> str:
    if order == 0:
        return "is stationary: correlations of levels can be interpreted"
    if order == 2:
        return "even its differences drift: do not interpret levels, and differences with care"
    if unit_root and moving:
        return "behaves like a random walk: do not correlate levels; take differences"
    if moving:
        return "reverts to a level that shifts or drifts: take differences, look for breaks"
    return "too few years to distinguish a random walk from mean reversion: take differences"


def _adf(x: Floats) -> float | None:
    from arch.unitroot import ADF  # noqa: PLC0415  slow to import

    return _p_value(lambda: ADF(x, trend="c", method="aic").pvalue)


def _kpss(x: Floats) -> float | None:
    from arch.unitroot import KPSS  # noqa: PLC0415  slow to import

    return _p_value(lambda: KPSS(x, trend="c").pvalue)


def _p_value(test: Callable[[], float]) -> float | None:
    """The p-value of a test; None if its regression is singular."""
    from arch.utility.exceptions import InfeasibleTestException  # noqa: PLC0415  slow to import

    with warnings.catch_warnings():
        # KPSS announces the choice wanted here; a singular regression divides by zero
        warnings.simplefilter("ignore")
        try:
            p_value = float(test())
        except (InfeasibleTestException, np.linalg.LinAlgError, ZeroDivisionError):
            return None
    return p_value if math.isfinite(p_value) else None
