"""How far one pulse moves a conductance: models of the mean step, and their fit to ramps.

With the way u gone from the bound where the pulses start (0) to the bound where they end (1), the
mean step in the direction of the pulses, as a share of the range, is

    linear        a
    soft-bounds   a(1 − u/c)
    exponential   a·exp(−b·u)
    power         a(1 − u/c)ᵇ
    piecewise     straight lines between values at five equally spaced u
    table         the mean of the steps seen in each tenth of the data; each step is drawn from them

A negative b of the exponential makes steps that grow on the way; the power's b is 0 or more. The
bound c, where steps vanish, is between 0.5 and 100: at 100, steps of soft bounds are equal.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from engram.errors import EngramError
from engram.memristor.device.ramp import LARGEST_S, Ramp

KNOTS = np.linspace(0.0, 1.0, 5)
BINS = 10

Mean = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Mean step at u for parameters."""

MEANS: dict[str, Mean] = {
    "linear": lambda u, p: np.full_like(u, p[0]),
    "soft-bounds": lambda u, p: p[0] * np.maximum(1 - u / p[1], 0.0),
    "exponential": lambda u, p: p[0] * np.exp(-p[1] * u),
    "power": lambda u, p: p[0] * np.maximum(1 - u / p[1], 0.0) ** p[2],
    "piecewise": lambda u, p: np.interp(u, KNOTS, p),
    "table": lambda u, p: p[BINS - 1 :][np.searchsorted(p[: BINS - 1], u, side="right")],
}
"""Models by name. The parameters of a table are the edges between its bins, then their means."""

LIMITS: dict[str, tuple[list[float], list[float]]] = {
    "soft-bounds": ([-np.inf, 0.5], [np.inf, 100.0]),
    "power": ([-np.inf, 0.5, 0.0], [np.inf, 100.0, np.inf]),
}
"""Lowest and highest parameters of a fit, where they have any."""


class Range(NamedTuple):
    """Bounds of a conductance, in siemens.

    Attributes:
        low_s: The lower bound.
        high_s: The upper bound.
    """

    low_s: float
    high_s: float

    def check(self) -> None:
        """Refuse what no memristor has.

        Raises:
            EngramError: If the bounds are not a lower and a higher possible conductance.
        """
        if not 0 <= self.low_s < self.high_s <= LARGEST_S:
            raise EngramError(
                f"the range goes from {self.low_s:.4g} to {self.high_s:.4g} S; give a lower and a "
                f"higher conductance between 0 and {LARGEST_S:g} S"
            )

    def way(self, conductance_s: np.ndarray, rising: bool) -> np.ndarray:
        """u: the way gone from the bound where pulses start, as a share of the range."""
        width = self.high_s - self.low_s
        gone = conductance_s - self.low_s if rising else self.high_s - conductance_s
        return gone / width

    def conductance_s(self, way: np.ndarray, rising: bool) -> np.ndarray:
        """The conductance at u."""
        width = self.high_s - self.low_s
        return self.low_s + width * way if rising else self.high_s - width * way


class Fit(NamedTuple):
    """A model of the steps of one direction, fitted to ramps.

    Attributes:
        model: Its name in `MEANS`.
        parameters: Its parameters, as shares of the range.
        cycle: Standard deviation of single steps about the mean, from cycle to cycle, as a share
            of the range.
        between: Standard deviation of the mean step from ramp to ramp, relative to the mean step.
    """

    model: str
    parameters: np.ndarray
    cycle: float
    between: float

    def mean(self, way: np.ndarray) -> np.ndarray:
        """The mean step at u, as a share of the range."""
        return MEANS[self.model](np.asarray(way, float), self.parameters)


def response(model: str, parameters: np.ndarray, start: np.ndarray, pulses: int) -> np.ndarray:
    """The way gone after each pulse, without noise.

    Args:
        model: Name in `MEANS`.
        parameters: Its parameters.
        start: u before the first pulse, (ramp,).
        pulses: Number of pulses.

    Returns:
        u, (pulses + 1, ramp), between 0 and 1.
    """
    mean = MEANS[model]
    ways = np.empty((pulses + 1, len(start)))
    ways[0] = start
    for i in range(pulses):
        ways[i + 1] = np.clip(ways[i] + mean(ways[i], parameters), 0.0, 1.0)
    return ways


def deviations(
    model: str, parameters: np.ndarray, ramps: Sequence[Ramp], bounds: Range
) -> list[np.ndarray]:
    """Measured minus expected u of each ramp, from its first conductance on.

    Args:
        model: Name in `MEANS`.
        parameters: Its parameters.
        ramps: Ramps of one direction.
        bounds: The range.
    """
    ways = [bounds.way(ramp.conductance_s, ramp.rising) for ramp in ramps]
    start = np.clip([way[0] for way in ways], 0.0, 1.0)
    expected = response(model, parameters, start, max(map(len, ways)) - 1)
    return [way[1:] - expected[1 : len(way), i] for i, way in enumerate(ways)]


def fit(model: str, ramps: Sequence[Ramp], bounds: Range) -> Fit:
    """Fit a model to ramps of one direction.

    Parameters minimise the squared distance of whole ramps from the expected course, starting from
    single steps; those of a table are means of single steps.

    Args:
        model: Name in `MEANS`.
        ramps: Ramps of one direction, at least one.
        bounds: The range.

    Raises:
        EngramError: If the model is unknown, or there are no ramps, or two directions.
    """
    if model not in MEANS:
        raise EngramError(f"model={model!r}: choose from {', '.join(MEANS)}")
    if len({ramp.rising for ramp in ramps}) != 1:
        raise EngramError(
            f"{len(ramps)} ramps, {sum(ramp.rising for ramp in ramps)} of them rising: give ramps "
            "of one direction"
        )
    ways = [bounds.way(ramp.conductance_s, ramp.rising) for ramp in ramps]
    at = np.concatenate([way[:-1] for way in ways])
    steps = np.concatenate([np.diff(way) for way in ways])
    parameters = _single_steps(model, at, steps)
    if model != "table":
        found = least_squares(
            lambda p: np.concatenate(deviations(model, p, ramps, bounds)),
            parameters,
            bounds=LIMITS.get(model, (-np.inf, np.inf)),
        )
        parameters = np.asarray(found.x)
    expected = [MEANS[model](way[:-1], parameters) for way in ways]
    residuals = steps - np.concatenate(expected)
    scales = [np.diff(w) @ m / (m @ m) for w, m in zip(ways, expected, strict=True) if m @ m > 0]
    between = float(np.std(scales, ddof=1)) if len(scales) > 1 else 0.0
    return Fit(model, parameters, float(residuals.std()), between)


def _single_steps(model: str, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Parameters by least squares of single steps, or a rough start for models of a curve."""
    mean = float(steps.mean())
    if model == "linear":
        return np.array([mean])
    if model == "soft-bounds":
        return np.array([2 * mean, 1.05])
    if model == "exponential":
        return np.array([mean, 0.0])
    if model == "power":
        return np.array([2 * mean, 1.05, 1.0])
    if model == "piecewise":
        hats = np.array([np.interp(at, KNOTS, unit) for unit in np.eye(len(KNOTS))]).T
        return np.linalg.lstsq(hats, steps, rcond=None)[0]
    edges = np.quantile(at, np.arange(1, BINS) / BINS)
    bins = np.searchsorted(edges, at, side="right")
    means = [steps[bins == i].mean() if np.any(bins == i) else mean for i in range(BINS)]
    return np.concatenate([edges, means])
