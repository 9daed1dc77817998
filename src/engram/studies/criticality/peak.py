"""Where a measure peaks or changes sign along λ, for each seed, with an interval over seeds."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from engram.stats import Interval, t_interval

Numbers = Sequence[float | None]


def peak(radii: Sequence[float], values: Numbers) -> float:
    """The λ of the maximum: the vertex of a parabola through it and its two neighbours.

    Args:
        radii: The values of λ, ascending, (n).
        values: The measure, (n); None is passed over.

    Returns:
        λ; that of the largest value if it is the first or the last.
    """
    known = [(x, y) for x, y in zip(radii, values, strict=True) if y is not None]
    x, y = np.array(known, dtype=np.float64).T
    at = int(y.argmax())
    if not 0 < at < len(x) - 1:
        return float(x[at])
    near = slice(at - 1, at + 2)
    a, b, _ = np.polyfit(x[near] - x[at], y[near], 2)
    return float(np.clip(x[at] - b / (2 * a), x[at - 1], x[at + 1])) if a < 0 else float(x[at])


def sign_flip(radii: Sequence[float], values: Numbers) -> float | None:
    """The λ at which a measure turns from positive to negative for the last time.

    Args:
        radii: The values of λ, ascending, (n).
        values: The measure, (n).

    Returns:
        λ, between two values by a straight line; None if it never does.
    """
    known = [(x, y) for x, y in zip(radii, values, strict=True) if y is not None]
    for (x, y), (later, below) in reversed(list(pairwise(known))):
        if y > 0 >= below:
            return x + (later - x) * y / (y - below)
    return None


def over_seeds(
    find: Callable[[Sequence[float], Numbers], float | None],
    radii: Sequence[float],
    runs: Sequence[Numbers],
) -> Interval | None:
    """The mean over seeds of what is found in each, with Student's interval.

    Args:
        find: `peak` or `sign_flip`.
        radii: The values of λ.
        runs: The measure by λ, for each seed.

    Returns:
        The interval; without width for one seed; None if a seed has none.
    """
    found = [find(radii, run) for run in runs]
    if any(one is None for one in found):
        return None
    places = [float(one) for one in found if one is not None]
    one = places[0]
    return t_interval(places) if len(places) > 1 else Interval(one, one, one, 0.95)
