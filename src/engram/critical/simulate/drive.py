"""The drive of a network over time: the probability η at each step."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engram.errors import EngramError


def constant(chance: float, steps: int) -> np.ndarray:
    """The same probability at each step, (time).

    Args:
        chance: The probability.
        steps: Number of steps.
    """
    return np.full(steps, chance)


def poisson(rate: float, steps: int) -> np.ndarray:
    """The probability that a Poisson number of events is not 0, 1 − exp(−rate), (time).

    Args:
        rate: Expected number of events per step and node.
        steps: Number of steps.
    """
    return np.full(steps, -np.expm1(-rate))


def smoothed(
    chance: float, deviation: float, width: float, steps: int, rng: np.random.Generator
) -> np.ndarray:
    """A probability that fluctuates as white Gaussian noise smoothed by a Gaussian, (time).

    Args:
        chance: Its mean.
        deviation: Its standard deviation, before it is limited to 0 and 1.
        width: Standard deviation of the smoothing kernel, in steps.
        steps: Number of steps.
        rng: Draws the noise.
    """
    noise = gaussian_filter1d(rng.standard_normal(steps), width, mode="wrap")
    return np.clip(chance + deviation * noise / noise.std(), 0, 1)


class Protocol(NamedTuple):
    """A drive with stimuli.

    Attributes:
        drive: The probability, (time).
        onsets: The first step of each stimulus, (stimulus).
    """

    drive: np.ndarray
    onsets: np.ndarray


def stimuli(
    chance: float, stimulus: float, before: int, during: int, after: int, repeats: int
) -> Protocol:
    """Stimuli of one strength, presented again and again.

    Args:
        chance: The probability without a stimulus.
        stimulus: The probability during a stimulus.
        before: Steps before each onset.
        during: Steps of a stimulus.
        after: Steps from its end to the next presentation.
        repeats: Number of presentations.

    Raises:
        EngramError: If a number of steps is not positive.
    """
    if min(before, during, after, repeats) < 1:
        raise EngramError(
            f"before={before}, during={during}, after={after}, repeats={repeats}: give 1 or more"
        )
    one = np.full(before + during + after, chance)
    one[before : before + during] = stimulus
    return Protocol(np.tile(one, repeats), np.arange(repeats) * len(one) + before)
