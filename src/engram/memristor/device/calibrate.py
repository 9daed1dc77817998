"""Choose a model of a device by ramps that it was not fitted to."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.memristor.device.ramp import Ramp
from engram.memristor.device.step import MEANS, Fit, Range, deviations, fit


class Candidate(NamedTuple):
    """A model of one direction and how far it is from ramps.

    Attributes:
        fit: The model, fitted to the other ramps.
        fitted_s: Root mean square distance from the ramps of the fit, in siemens.
        held_out_s: The same for ramps that were held out.
    """

    fit: Fit
    fitted_s: float
    held_out_s: float


class Direction(NamedTuple):
    """The models of set or of reset pulses.

    Attributes:
        rising: Whether these are set pulses.
        fitted: Ramps to which the models were fitted.
        held_out: Ramps by which the model was chosen.
        candidates: All models, in the order of `MEANS`.
    """

    rising: bool
    fitted: list[Ramp]
    held_out: list[Ramp]
    candidates: list[Candidate]

    @property
    def chosen(self) -> Candidate:
        """The model that is nearest to the ramps that were held out."""
        return min(self.candidates, key=lambda candidate: candidate.held_out_s)


class Calibration(NamedTuple):
    """A device as its ramps show it.

    Attributes:
        bounds: Lowest and highest conductance of the ramps of the fit.
        directions: Set pulses, reset pulses, or both.
    """

    bounds: Range
    directions: list[Direction]


def calibrate(ramps: Sequence[Ramp], *, held_out: float = 0.25, seed: int = 0) -> Calibration:
    """Fit every model to a part of the ramps and compare them on the others.

    Args:
        ramps: Set ramps, reset ramps or both; at least two of each direction that there is.
        held_out: Share of the ramps of each direction that is held out, at least one ramp.
        seed: Seed of the choice of those ramps.

    Raises:
        EngramError: If there are too few ramps, or the share is not between 0 and 1.
    """
    if not 0 < held_out < 1:
        raise EngramError(f"held_out={held_out}: give a share between 0 and 1, such as 0.25")
    generator = np.random.default_rng(seed)
    parts: list[tuple[bool, list[Ramp], list[Ramp]]] = []
    for rising in (True, False):
        own = [ramp for ramp in ramps if ramp.rising is rising]
        if len(own) == 1:
            raise EngramError(
                f"{own[0].name} is the only {'set' if rising else 'reset'} ramp; give at least "
                "two, one of which is held out"
            )
        if own:
            order = [own[i] for i in generator.permutation(len(own))]
            tested = min(max(1, round(held_out * len(own))), len(own) - 1)
            parts.append((rising, order[tested:], order[:tested]))
    if not parts:
        raise EngramError("there are no ramps; give at least two")
    values = np.concatenate([ramp.conductance_s for _, fitted, _ in parts for ramp in fitted])
    bounds = Range(float(values.min()), float(values.max()))
    return Calibration(bounds, [_compare(*part, bounds) for part in parts])


def _compare(rising: bool, fitted: list[Ramp], tested: list[Ramp], bounds: Range) -> Direction:
    candidates: list[Candidate] = []
    width = bounds.high_s - bounds.low_s
    for model in MEANS:
        found = fit(model, fitted, bounds)
        distances = [
            width * _root_mean_square(deviations(model, found.parameters, part, bounds))
            for part in (fitted, tested)
        ]
        candidates.append(Candidate(found, *distances))
    return Direction(rising, fitted, tested, candidates)


def _root_mean_square(parts: Sequence[np.ndarray]) -> float:
    """Over all pulses of all ramps."""
    return math.sqrt(float(np.square(np.concatenate(parts)).mean()))
