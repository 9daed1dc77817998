"""Similarity of subspaces: SVCCA, debiased CKA and Procrustes."""

import numpy as np
from scipy.integrate import quad

from engram.errors import EngramError
from engram.similarity.linear import parity_components
from engram.similarity.matrix import components, gram, paired


def svcca(x: np.ndarray, y: np.ndarray, count: int = 40) -> float:
    """The mean canonical correlation of the principal components, corrected.

    Args:
        x: Features of the model, `(stimuli, features)`.
        y: Responses, `(stimuli, neurons)`.
        count: Components that are kept of each; smaller matrices are not reduced.

    Returns:
        The mean, in [0, 1]; what independent features give is `svcca_chance`.

    Raises:
        ValueError: The matrices are not finite or of different stimuli, or have too few
            dimensions.

    References:
        Raghu et al., "SVCCA", NeurIPS 2017, arXiv 1706.05806.
    """
    x, y = paired(x, y, 3)
    return _canonical(components(x, count, "x"), components(y, count, "y"))


def svcca_parity(
    x: np.ndarray, y: np.ndarray, count: int = 40, seed: int = 2022, *, reduce_y: bool = False
) -> float:
    """SVCCA with the settings of Huang et al.: see `tsvd_reg_parity` for the reduction.

    Args:
        x: Features of the model, `(stimuli, features)`.
        y: Responses, `(stimuli, neurons)`.
        count: Number of components.
        seed: Seed of the randomised SVD; another one changes the score.
        reduce_y: Reduce the responses too, as the paper does for the mouse.

    Raises:
        ValueError: As `svcca`.

    References:
        Huang et al., AAAI 2023, arXiv 2303.06060.
    """
    x, y = paired(x, y, 3)
    right = parity_components(y, count, seed) if reduce_y else y.astype(np.float64)
    return _canonical(parity_components(x, count, seed), right)


def _canonical(x: np.ndarray, y: np.ndarray) -> float:
    if max(x.shape[1], y.shape[1]) >= len(x):
        raise EngramError(
            f"{len(x)} stimuli for {x.shape[1]} and {y.shape[1]} dimensions: every canonical "
            "correlation would be 1; reduce the dimensions or give more stimuli"
        )
    bases = [_basis(each - each.mean(0)) for each in (x, y)]
    values = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return float(np.minimum(values, 1).mean())


def _basis(x: np.ndarray) -> np.ndarray:
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    if s[0] == 0:
        raise EngramError("one of the two is constant: it is silent; leave it out")
    return u[:, s > s[0] * len(x) * np.finfo(float).eps]


def svcca_chance(stimuli: int, dims: int, others: int) -> float:
    """The mean canonical correlation of independent Gaussian features.

    The mean of √λ under the limiting distribution of the squared canonical correlations, with
    stimuli − 1 degrees of freedom.

    Args:
        stimuli: Number of stimuli.
        dims: Dimensions of the one, after reduction.
        others: Dimensions of the other.

    Raises:
        ValueError: A number is below 1, or there are no more stimuli than dimensions.

    References:
        Wachter, "The limiting empirical measure of multiple discriminant ratios", Annals of
        Statistics 8(5) (1980).
    """
    if min(dims, others) < 1 or stimuli - 1 <= max(dims, others):
        raise EngramError(
            f"{stimuli} stimuli and {dims} and {others} dimensions: give at least 1 dimension and "
            "more stimuli than dimensions + 1"
        )
    free = stimuli - 1
    c, d = sorted((dims / free, others / free))
    low, high = ((np.sqrt(c * (1 - d)) + sign * np.sqrt(d * (1 - c))) ** 2 for sign in (-1, 1))

    def density(angle: float) -> float:  # λ on a half circle: the ends of the support are smooth
        middle, radius = (high + low) / 2, (high - low) / 2
        value = middle - radius * np.cos(angle)
        height = (radius * np.sin(angle)) ** 2
        return float(height / (2 * np.pi * c * np.sqrt(value) * (1 - value)))

    atom = max(0.0, (c + d - 1) / c)
    return float(quad(density, 0, np.pi)[0]) + atom


def cka(x: np.ndarray, y: np.ndarray) -> float:
    """Debiased linear CKA: the unbiased HSIC, normalised.

    Its expectation is near 0 for independent features, however many there are; single values can
    be negative.

    Args:
        x: `(stimuli, features)`.
        y: `(stimuli, neurons)`.

    Raises:
        ValueError: The matrices are not finite or of different stimuli, there are fewer than four
            stimuli, or the unbiased HSIC of one with itself is not positive.

    References:
        Song et al., "Feature selection via dependence maximization", JMLR 13 (2012), equation 5;
        Kornblith et al., "Similarity of neural network representations revisited", ICML 2019.
    """
    x, y = paired(x, y, 4)
    one, two = gram(x), gram(y)
    own = _hsic(one, one), _hsic(two, two)
    for name, value, products in (("x", own[0], one), ("y", own[1], two)):
        if value <= 1e-14 * float((products**2).sum()) / len(x) ** 2:
            raise EngramError(
                f"the unbiased HSIC of {name} with itself is {value:.3g}, not positive: {name} is "
                f"constant, or {len(x)} stimuli are too few for its noise; give more stimuli"
            )
    return float(_hsic(one, two) / np.sqrt(own[0] * own[1]))


def _hsic(one: np.ndarray, two: np.ndarray) -> float:
    n = len(one)
    k, m = one - np.diag(one.diagonal()), two - np.diag(two.diagonal())
    rows = k.sum(0), m.sum(0)
    corner = rows[0].sum() * rows[1].sum() / ((n - 1) * (n - 2))
    return float(((k * m).sum() + corner - 2 * (rows[0] @ rows[1]) / (n - 2)) / (n * (n - 3)))


def procrustes(x: np.ndarray, y: np.ndarray) -> float:
    """The cosine of the two after the best rotation: ‖XᵀY‖_* / (‖X‖ ‖Y‖), centred.

    It is defined for any number of features; 1 − its square is the disparity of
    `scipy.spatial.procrustes`. With more features than stimuli it is high for independent ones.

    Args:
        x: `(stimuli, features)`.
        y: `(stimuli, neurons)`.

    Returns:
        A value in [0, 1].

    Raises:
        ValueError: The matrices are not finite or of different stimuli, or one is constant.

    References:
        Williams et al., "Generalized shape metrics on neural representations", NeurIPS 2021,
        arXiv 2110.14739.
    """
    x, y = paired(x, y, 2)
    factors = []
    for name, each in (("x", x), ("y", y)):
        values, vectors = np.linalg.eigh(gram(each))
        scales = np.sqrt(np.maximum(values, 0))
        if scales[-1] <= 1e-12 * np.abs(each).max():
            raise EngramError(f"{name} is constant: it is silent; leave it out")
        factors.append(vectors * (scales / np.linalg.norm(scales)))
    return float(min(np.linalg.svd(factors[0].T @ factors[1], compute_uv=False).sum(), 1.0))
