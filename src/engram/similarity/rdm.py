"""Representational dissimilarity matrices (RDMs): how they are made, compared and explained.

An RDM is a vector of its upper triangle, row by row, as `numpy.triu_indices(n, 1)` lists it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.spatial.distance import squareform

from engram.errors import EngramError
from engram.similarity.matrix import features, gram, paired


def correlation_rdm(x: np.ndarray, *, centre: bool = True) -> np.ndarray:
    """1 − Pearson's correlation between the features of each two stimuli.

    Args:
        x: `(stimuli, features)`.
        centre: Whether to subtract the mean of each stimulus; not from a random projection of
            features from which it was subtracted before.

    Returns:
        `(stimuli · (stimuli − 1) / 2)`.

    Raises:
        ValueError: The features are not finite, or equal for all features of a stimulus.
    """
    x = features(x, "x", 2)
    products = gram(x, rows=True, centre=centre)
    norms = np.sqrt(products.diagonal())
    largest = np.maximum(x.max(1).astype(np.float64), -x.min(1).astype(np.float64))
    scale = largest * np.sqrt(x.shape[1])
    silent = np.flatnonzero(norms <= 1e-12 * scale)
    if silent.size:
        raise EngramError(
            f"stimulus {silent[0]} (and {silent.size - 1} others) has equal values in all "
            f"{x.shape[1]} features, so it has no correlation: the layer is silent; leave it out"
        )
    return 1 - (products / np.outer(norms, norms))[np.triu_indices(len(x), 1)]


def crossnobis(x: np.ndarray, precision: np.ndarray | None = None) -> np.ndarray:
    """Squared Mahalanobis distances, cross-validated between partitions, per channel.

    d_ij = mean over ordered pairs a ≠ b of (x_ai − x_aj)ᵀ Σ⁻¹ (x_bi − x_bj) / channels. Its
    expectation is 0 where two stimuli have equal means; single values can be negative.

    Args:
        x: Means of each partition, such as a run, `(partitions, stimuli, channels)`.
        precision: Σ⁻¹, the inverse of the noise covariance, `(channels, channels)`; default: the
            identity.

    Returns:
        `(stimuli · (stimuli − 1) / 2)`.

    Raises:
        ValueError: There are fewer than two partitions or stimuli, or values are not finite.

    References:
        Walther et al., "Reliability of dissimilarity measures for multi-voxel pattern analysis",
        NeuroImage 137 (2016).
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 3 or x.shape[0] < 2 or x.shape[1] < 2 or not x.shape[2]:
        raise EngramError(
            f"x has shape {x.shape}: give (partitions, stimuli, channels) with 2 or more of the "
            "first two"
        )
    if not np.isfinite(x).all():
        raise EngramError("x holds NaN or infinity: give each partition all stimuli")
    count, stimuli, channels = x.shape
    metric = np.eye(channels) if precision is None else np.asarray(precision, np.float64)
    if metric.shape != (channels, channels) or not np.isfinite(metric).all():
        raise EngramError(f"precision has shape {metric.shape}: give ({channels}, {channels})")
    total = x.sum(0)
    within = sum(part @ metric @ part.T for part in x)
    second = (total @ metric @ total.T - within) / (count * (count - 1) * channels)
    second = (second + second.T) / 2
    own = second.diagonal()
    return (own[:, None] + own - 2 * second)[np.triu_indices(stimuli, 1)]


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    return _cosine(a - a.mean(), b - b.mean())


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return _pearson(stats.rankdata(a), stats.rankdata(b))


def _rho_a(a: np.ndarray, b: np.ndarray) -> float:
    count, middle = a.size, (a.size + 1) / 2
    product = (stats.rankdata(a) - middle) @ (stats.rankdata(b) - middle)
    return float(12 * product / (count**3 - count))


def _tau_a(a: np.ndarray, b: np.ndarray) -> float:
    def untied(values: np.ndarray) -> float:
        sizes = np.unique(values, return_counts=True)[1].astype(np.float64)
        return pairs - float((sizes * (sizes - 1)).sum()) / 2

    pairs = a.size * (a.size - 1) / 2
    tau_b = float(stats.kendalltau(a, b)[0])  # pyright: ignore[reportArgumentType]
    return tau_b * np.sqrt(untied(a) * untied(b)) / pairs


def _whitened(a: np.ndarray, b: np.ndarray) -> float:
    def second(rdm: np.ndarray) -> np.ndarray:
        square = squareform(rdm, checks=False)
        square = square - square.mean(0)
        return (square - square.mean(1, keepdims=True)).ravel()

    return _cosine(second(a - a.mean()), second(b - b.mean()))


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": _pearson,
    "spearman": _spearman,
    "tau-a": _tau_a,
    "rho-a": _rho_a,
    "cosine": _cosine,
    "whitened": _whitened,
}
"""How two RDMs are compared, by name."""


def compare(a: np.ndarray, b: np.ndarray, method: str = "spearman") -> float:
    """The similarity of two RDMs, in [−1, 1].

    Args:
        a: An RDM, `(pairs)`.
        b: An RDM of the same stimuli, `(pairs)`.
        method: pearson; spearman, with mean ranks for ties; tau-a; rho-a, the expectation of
            Spearman's ρ over random orders of the ties; cosine; or whitened, the correlation
            under the covariance of estimated distances with independent noise of equal variance.

    Raises:
        ValueError: The RDMs are not finite vectors of equal size that vary, or there is no such
            method.

    References:
        Nili et al., "A toolbox for representational similarity analysis", PLoS Comput. Biol.
        10(4) (2014), for τ_a; Schütt et al., "Statistical inference on representational
        geometries", eLife 12 (2023), for ρ_a; Diedrichsen et al., "Comparing representational
        geometries using whitened unbiased-distance-matrix similarity", NBDT 5(3) (2021).
    """
    if method not in METHODS:
        raise EngramError(f"method={method!r}: choose one of {', '.join(METHODS)}")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    stimuli = (1 + np.sqrt(1 + 8 * a.size)) / 2
    if a.ndim != 1 or a.shape != b.shape or a.size < 3 or stimuli != int(stimuli):
        raise EngramError(
            f"RDMs have shapes {a.shape} and {b.shape}: give two upper triangles of the same 3 or "
            "more stimuli"
        )
    for name, rdm in (("first", a), ("second", b)):
        if not np.isfinite(rdm).all():
            raise EngramError(f"the {name} RDM holds NaN or infinity: leave those stimuli out")
        flat = not rdm.any() if method == "cosine" else np.ptp(rdm) <= 1e-14 * np.abs(rdm).max()
        if flat:
            raise EngramError(
                f"the {name} RDM has equal distances between all stimuli, so {method} is not "
                "defined: leave it out"
            )
    return METHODS[method](a, b)


def rsa_parity(x: np.ndarray, y: np.ndarray) -> float:
    """RSA as the code of Huang et al. computes it, with its faults.

    The ranks are `argsort(argsort)`, without a correction for ties; the undefined distances of a
    silent stimulus get ranks too and change the score. Use `compare` for results.

    Args:
        x: Features of the model, `(stimuli, features)`.
        y: Responses of the neurons, `(stimuli, neurons)`.

    Raises:
        ValueError: The matrices are not finite or of different stimuli.

    References:
        Huang et al., "Deep spiking neural networks with high representation similarity model
        visual pathways of macaque and mouse", AAAI 2023, arXiv 2303.06060.
    """
    x, y = paired(x, y, 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        rdms = [1 - np.corrcoef(each)[np.triu_indices(len(x), 1)] for each in (x, y)]
    return _pearson(*(np.argsort(np.argsort(rdm)).astype(np.float64) for rdm in rdms))


class Partition(NamedTuple):
    """The explained variance of an RDM.

    Attributes:
        total: R² of all predictors together.
        unique: What R² loses without each predictor.
        shared: The rest of `total`; negative where predictors suppress each other.
    """

    total: float
    unique: dict[str, float]
    shared: float


def partition_variance(target: np.ndarray, predictors: Mapping[str, np.ndarray]) -> Partition:
    """Divide the variance of an RDM among model RDMs by least squares with an intercept.

    Args:
        target: The RDM to explain, `(pairs)`.
        predictors: RDMs of models by name, each `(pairs)`.

    Raises:
        ValueError: The RDMs differ in size, are not finite, do not vary, or depend on each other.
    """
    y = np.asarray(target, np.float64)
    columns = {name: np.asarray(rdm, np.float64) for name, rdm in predictors.items()}
    for name, rdm in {"the target": y, **columns}.items():
        if rdm.ndim != 1 or rdm.shape != y.shape or not np.isfinite(rdm).all() or not np.ptp(rdm):
            raise EngramError(f"RDM {name} must be finite, vary, and have shape {y.shape}")
    x = np.stack([rdm - rdm.mean() for rdm in columns.values()], 1) if columns else None
    if x is None or np.linalg.matrix_rank(x) < x.shape[1]:
        raise EngramError(
            f"predictors {list(columns)} are none or depend on each other: give RDMs of which none "
            "is a sum of the others"
        )
    y = y - y.mean()

    def explained(design: np.ndarray) -> float:
        if not design.shape[1]:
            return 0.0
        rest = y - design @ np.linalg.lstsq(design, y)[0]
        return 1 - float(rest @ rest / (y @ y))

    total = explained(x)
    unique = {name: total - explained(np.delete(x, at, axis=1)) for at, name in enumerate(columns)}
    return Partition(total, unique, total - sum(unique.values()))
