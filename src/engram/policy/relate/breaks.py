"""Structural breaks: the years from which a regression has other coefficients."""

import math
from typing import NamedTuple

import numpy as np

from engram.policy.relate.yearly import Floats

MAX_BREAKS = 3
"""Maximum number of breaks to look for."""
TRIM = 0.15
"""Minimum share of the years between two breaks."""


class Breaks(NamedTuple):
    """Breaks of a regression.

    Args:
        starts: Position of the first observation of each new regime, in order.
        criterion: Value of the criterion with 0, 1, 2 … breaks; the number of breaks is the one
            that minimizes it.
    """

    starts: tuple[int, ...]
    criterion: tuple[float, ...]


def find_breaks(target: Floats, design: Floats, max_breaks: int = MAX_BREAKS) -> Breaks:
    """Bai and Perron's breaks: the least-squares partition for each number of breaks.

    The number of breaks m minimizes LWZ = ln(S / (n − q)) + 0.299 q / n · ln(n)^2.1 with
    q = (m + 1) k + m parameters for k coefficients. The criterion rarely finds too
    many breaks in long series.

    Args:
        target: Dependent variable, (n).
        design: Regressors, including a column of ones, (n, k).
        max_breaks: Maximum number of breaks to look for.

    References:
        Bai and Perron (2003), Computation and analysis of multiple structural change models,
        Journal of Applied Econometrics 18(1); Liu, Wu and Zidek (1997), On segmented
        multivariate regression, Statistica Sinica 7.
    """
    import ruptures  # noqa: PLC0415  slow to import

    n, k = design.shape
    least = max(math.ceil(TRIM * n), k + 2)
    search = ruptures.Dynp(model="linear", min_size=least, jump=1)
    search.fit(np.column_stack([target, design]))
    numbers = range(1, min(max_breaks, n // least - 1) + 1)
    partitions = [(n,), *(tuple(search.predict(n_bkps=number)) for number in numbers)]
    criterion = tuple(_lwz(target, design, ends) for ends in partitions)
    ends = partitions[int(np.argmin(criterion))]
    return Breaks(tuple(int(end) for end in ends[:-1]), criterion)


def _lwz(target: Floats, design: Floats, ends: tuple[int, ...]) -> float:
    n, k = design.shape
    left, start = 0.0, 0
    for end in ends:
        part, y = design[start:end], target[start:end]
        residual = y - part @ np.linalg.lstsq(part, y, rcond=None)[0]
        left += float(residual @ residual)
        start = end
    count = len(ends) * k + len(ends) - 1
    spread = max(left, np.finfo(float).tiny) / (n - count)
    return math.log(spread) + 0.299 * count / n * math.log(n) ** 2.1
