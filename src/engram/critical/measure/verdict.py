"""Whether a recording may be called critical: one rule, with the reasons in words."""

from typing import NamedTuple

import numpy as np

from engram.critical.measure.alternative import Comparison, compare
from engram.critical.measure.avalanche import (
    Avalanches,
    avalanches,
    mean_interval,
    quantile_threshold,
)
from engram.critical.measure.crackling import Crackling, crackling
from engram.critical.measure.irregularity import as_spikes
from engram.critical.measure.powerlaw import Histogram, histogram
from engram.critical.measure.scan import Fit, bootstrap, scan
from engram.critical.measure.surrogate import Surrogate, shift_trains
from engram.errors import EngramError
from engram.spikes import Spikes
from engram.trace import Trace

RIVALS = ("lognormal", "exponential")
"""The laws that a power law must beat."""


class Scaling(NamedTuple):
    """The avalanches of one activity, with the laws of their sizes and durations.

    Attributes:
        bin_s: Width of a bin, in seconds.
        threshold: The threshold of the activity of a bin.
        found: The avalanches.
        sizes: The law of the sizes.
        durations: The law of the durations.
        comparisons: The law of the sizes against the others.
        crackling: The crackling relation.
        refused: Why a part is missing; empty if none is.
    """

    bin_s: float
    threshold: float
    found: Avalanches
    sizes: Fit | None
    durations: Fit | None
    comparisons: tuple[Comparison, ...]
    crackling: Crackling | None
    refused: str

    @property
    def reasons(self) -> list[str]:
        """What speaks against a power law and the crackling relation, in words."""
        if self.refused:
            return [self.refused]
        assert self.sizes is not None
        assert self.durations is not None
        assert self.crackling is not None
        found = []
        for name, one in (("sizes", self.sizes), ("durations", self.durations)):
            if not one.law.accepted:
                found.append(f"no range of the {name} has a power law with D ≤ 0.8/√n")
        found += [
            f"the sizes follow a {one.name} law as well or better (BIC difference {one.bic:.1f})"
            for one in self.comparisons
            if not one.power_law_preferred
        ]
        if not self.crackling.holds:
            low, high = self.crackling.deviation.low, self.crackling.deviation.high
            found.append(
                f"the deviation from the crackling relation is {low:.3f} to {high:.3f}, not 0"
            )
        return found


class Verdict(NamedTuple):
    """Whether criticality is shown.

    Attributes:
        critical: Whether the recording meets the rule and its surrogates do not.
        reasons: Why not; empty if it is shown.
        scaling: The avalanches of the recording.
        surrogates: Those of the surrogates.
    """

    critical: bool
    reasons: list[str]
    scaling: Scaling
    surrogates: list[Scaling]


def scaling(
    activity: Spikes | Trace,
    rng: np.random.Generator,
    bin_s: float | None = None,
    quantile: float = 0,
    draws: int = 200,
) -> Scaling:
    """Find avalanches and fit the laws of their sizes and durations.

    Args:
        activity: Spikes, or a Trace of spike counts.
        rng: Draws the samples of the bootstraps.
        bin_s: Width of a bin, in seconds; None takes the mean interval between spikes.
        quantile: The threshold is the activity that this share of the bins does not exceed; 0 is
            a threshold of no spikes.
        draws: Number of samples of each bootstrap.

    Returns:
        The avalanches and the laws; what cannot be fitted is None, with the reason.

    Raises:
        EngramError: If the width is not one of a bin, or there are no two spikes to derive it from.
    """
    spikes = as_spikes(activity)
    bin_s = mean_interval(spikes) if bin_s is None else bin_s
    population = spikes.population(bin_s)
    threshold = quantile_threshold(population, quantile) if quantile else 0.0
    found = avalanches(population, threshold)
    refused = Scaling(bin_s, threshold, found, None, None, (), None, "")
    if not len(found.size):
        return refused._replace(
            refused="no avalanche begins and ends within a trial, with bins of "
            f"{bin_s:.4g} s and a threshold of {threshold:g} spikes"
        )
    sizes, durations = histogram(found.size), histogram(found.duration)
    try:
        of_sizes, of_durations = _law(sizes, rng, draws), _law(durations, rng, draws)
        comparisons = tuple(compare(sizes, of_sizes.law, name) for name in RIVALS)
        relation = crackling(found, of_sizes.law, of_durations.law, rng, draws)
    except EngramError as error:
        return refused._replace(refused=str(error))
    return Scaling(
        bin_s, threshold, found, of_sizes, of_durations, comparisons, relation, refused=""
    )


def judge(
    activity: Spikes | Trace,
    rng: np.random.Generator,
    bin_s: float | None = None,
    quantile: float = 0,
    surrogate: Surrogate = shift_trains,
    surrogates: int = 19,
    draws: int = 200,
) -> Verdict:
    """Judge whether an activity shows criticality.

    It does if the power law of the sizes beats a lognormal and an exponential, the interval of the
    deviation from the crackling relation contains 0, no surrogate meets both, and the activity of
    the population has a larger variance than that of every surrogate. Otherwise criticality is not
    shown.

    Args:
        activity: Spikes, or a Trace of spike counts, of several units.
        rng: Draws the surrogates and the samples of the bootstraps.
        bin_s: As in `scaling`.
        quantile: As in `scaling`.
        surrogate: Makes a surrogate.
        surrogates: Number of surrogates, 19 or more: a shuffled recording exceeds all of 19 in
            one of 20 cases.
        draws: As in `scaling`.

    Raises:
        EngramError: If there are too few surrogates, or as in `scaling`.
    """
    if surrogates < 19:
        raise EngramError(f"surrogates={surrogates}: 19 or more are needed for a level of 5 %")
    spikes = as_spikes(activity)
    ours = scaling(spikes, rng, bin_s, quantile, draws)
    reasons = ours.reasons
    if reasons:  # the surrogates decide nothing any more
        return Verdict(False, reasons, ours, [])
    theirs = [
        scaling(surrogate(spikes, rng), rng, ours.bin_s, quantile, draws) for _ in range(surrogates)
    ]
    passed = sum(not one.reasons for one in theirs)
    if passed:
        reasons.append(f"{passed} of {surrogates} surrogates meet the same conditions")
    if ours.found.activity.var() <= max(one.found.activity.var() for one in theirs):
        reasons.append("the activity of the population varies no more than that of a surrogate")
    return Verdict(not reasons, reasons, ours, theirs)


def bin_sweep(
    activity: Spikes | Trace,
    rng: np.random.Generator,
    bin_s: float | None = None,
    quantile: float = 0,
    factors: tuple[float, ...] = (0.5, 1, 2, 4),
    draws: int = 200,
) -> list[Scaling]:
    """The avalanches at several widths of the bin, to show how the laws depend on it.

    Args:
        activity: Spikes, or a Trace of spike counts.
        rng: Draws the samples of the bootstraps.
        bin_s: The width that the factors multiply; None takes the mean interval between spikes.
        quantile: As in `scaling`.
        factors: Multiples of the width; in steps, those that give whole steps.
        draws: As in `scaling`.
    """
    spikes = as_spikes(activity)
    middle = mean_interval(spikes) if bin_s is None else bin_s
    widths = [middle * factor for factor in factors]
    if spikes.dt_s is not None:
        widths = [width for width in widths if abs(width / spikes.dt_s % 1) < 1e-9]
    return [scaling(spikes, rng, width, quantile, draws) for width in widths]


def _law(data: Histogram, rng: np.random.Generator, draws: int) -> Fit:
    return bootstrap(data, scan(data), rng, draws)
