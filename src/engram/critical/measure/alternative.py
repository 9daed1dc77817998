"""Laws to compare a power law with, on the same range: lognormal, exponential, stretched."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import erfc

from engram.critical.measure.powerlaw import Histogram, PowerLaw
from engram.errors import EngramError

EXACT = 10_000
"""Up to this value the terms of a normalisation are summed one by one."""
PER_OCTAVE = 64
"""Beyond it, intervals of Gauss–Legendre quadrature per octave."""


class Comparison(NamedTuple):
    """A power law against another law on the same range.

    Attributes:
        name: The other law.
        parameters: Its parameters.
        log_ratio: The log-likelihood of the power law less that of the other, R.
        z: R over its standard deviation, Vuong's statistic; above 0 for the power law.
        p: The two-sided p-value of z.
        bic: BIC of the other law less that of the power law; above 0 for the power law.
    """

    name: str
    parameters: tuple[float, ...]
    log_ratio: float
    z: float
    p: float
    bic: float

    @property
    def power_law_preferred(self) -> bool:
        """Whether the BIC is lower for the power law."""
        return self.bic > 0


Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The logarithm of a density up to a constant, of ln k and the parameters."""


def _lognormal(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """−ln k − (ln k − μ)² / 2σ², in terms of μ/σ² and 1/2σ²; a power law where the second is 0."""
    return (t[0] - 1) * y - math.exp(t[1]) * y * y


def _exponential(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    return -math.exp(t[0]) * np.exp(y)


def _stretched(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(β − 1) ln k − (λ k)^β: Weibull's density."""
    beta = math.exp(t[1])
    return (beta - 1) * y - np.exp(np.minimum(beta * (y + t[0]), 700))


ALTERNATIVES: dict[str, tuple[Shape, tuple[tuple[float, ...], ...]]] = {
    "lognormal": (_lognormal, ((0.0, -2.0), (2.0, 0.0), (-1.0, -6.0))),
    "exponential": (_exponential, ((-1.0,), (-4.0,), (-8.0,))),
    "stretched exponential": (_stretched, ((0.0, -1.0), (-4.0, -0.5), (-8.0, 0.0))),
}
"""The laws, with the points at which their fits start."""


def compare(data: Histogram, law: PowerLaw, name: str) -> Comparison:
    """Compare a bounded power law with another law on its range.

    A lognormal on a bounded range can approach any power law, so its likelihood is hardly ever
    the smaller one; the BIC charges it for its second parameter.

    Args:
        data: The values.
        law: The power law, with a finite xmax.
        name: "lognormal", "exponential" or "stretched exponential".

    Raises:
        EngramError: If there is no such law, or the power law has no upper bound.

    References:
        Vuong (1989), Econometrica 57(2); Clauset, Shalizi, Newman (2009), appendix C.
    """
    if name not in ALTERNATIVES:
        raise EngramError(f"there is no law {name!r}; choose from {', '.join(ALTERNATIVES)}")
    if not math.isfinite(law.xmax):
        raise EngramError("the power law has no upper bound; compare one with a finite xmax")
    shape, starts = ALTERNATIVES[name]
    kept = data.within(law.xmin, law.xmax)
    y, weight = np.log(kept.values), kept.counts
    nodes, mass = support(law.xmin, int(law.xmax))

    def log_law(t: np.ndarray, shape: Shape) -> np.ndarray:
        terms = shape(nodes, t)
        top = terms.max()
        return shape(y, t) - top - math.log(mass @ np.exp(terms - top))

    def loss(t: np.ndarray) -> float:
        if np.abs(t).max() > 60:
            return 1e9
        return -float(weight @ log_law(t, shape)) / law.n

    fits = [minimize(loss, start, method="Nelder-Mead", options=_PRECISE) for start in starts]
    best = min(fits, key=lambda one: one.fun).x
    ours = log_law(np.array([law.alpha]), lambda y, t: -t[0] * y)
    gain = ours - log_law(best, shape)
    ratio = float(weight @ gain)
    spread = math.sqrt(float(weight @ (gain - ratio / law.n) ** 2))
    z = ratio / spread if spread else 0.0
    bic = 2 * ratio + (len(best) - 1) * math.log(law.n)
    return Comparison(
        name,
        tuple(float(one) for one in best),
        ratio,
        z,
        float(erfc(abs(z) / math.sqrt(2))),
        bic,
    )


_PRECISE = {"xatol": 1e-7, "fatol": 1e-11, "maxiter": 2000}


def support(xmin: int, xmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms y and weights w with Σ_k f(ln k) ≈ Σ w f(y), over k from xmin to xmax.

    Args:
        xmin: The first k.
        xmax: The last k.
    """
    few = np.arange(xmin, min(xmax, EXACT) + 1)
    if xmax <= EXACT:
        return np.log(few), np.ones(len(few))
    start, end = max(xmin, EXACT + 1) - 0.5, xmax + 0.5
    edges = np.geomspace(start, end, max(2, round(PER_OCTAVE * math.log2(end / start)) + 1))
    at, share = np.polynomial.legendre.leggauss(4)
    half = np.diff(edges)[:, None] / 2
    nodes = (edges[:-1, None] + half * (1 + at)).ravel()
    return np.concatenate([np.log(few), np.log(nodes)]), np.concatenate(
        [np.ones(len(few)), (half * share).ravel()]
    )
