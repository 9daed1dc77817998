"""Linear prediction of neurons from features, each stimulus predicted from the others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import TruncatedSVD

from engram.errors import EngramError
from engram.similarity.matrix import components, gram, paired

ALPHAS = tuple(10.0**power for power in range(-3, 7))
"""Penalties that are tried."""


class Ridge(NamedTuple):
    """Leave-one-out predictions.

    Attributes:
        prediction: Prediction of each stimulus from the others, `(stimuli, neurons)`.
        scores: Pearson's correlation with the response of each neuron; NaN for neurons that are
            in `silent`, which have none.
        score: Mean of the scores of the others.
        alphas: The penalty that was chosen without each stimulus, `(stimuli)`.
        silent: Indices of the neurons with one constant response.
    """

    prediction: np.ndarray
    scores: np.ndarray
    score: float
    alphas: np.ndarray
    silent: np.ndarray


def leave_one_out_ridge(x: np.ndarray, y: np.ndarray, alphas: Sequence[float] = ALPHAS) -> Ridge:
    """Ridge regression with an intercept, every stimulus predicted from all others.

    One eigendecomposition gives the hat matrix H of each α. Without stimulus i the residual is
    e_i / (1 − H_ii). α is chosen without i: it minimises the squared leave-one-out errors of the
    other stimuli, summed over the neurons. Those are residuals without i and j,
    ((1 − H_ii) e_j + H_ij e_i) / ((1 − H_ii)(1 − H_jj) − H_ij²). All are exact; nothing is fitted
    again.

    Args:
        x: `(stimuli, features)`.
        y: Responses, `(stimuli, neurons)`.
        alphas: Penalties to choose from, positive; one value is used as it is.

    Raises:
        ValueError: The matrices are not finite or of different stimuli, there are fewer than four
            stimuli, a penalty is not positive, or every neuron is silent.

    References:
        Allen, "The relationship between variable selection and data augmentation and a method for
        prediction", Technometrics 16(1) (1974), for the residuals of one; those of two are the
        same identity for a 2 × 2 block.
    """
    x, y = paired(x, y, 4)
    if not len(alphas) or not all(0 < alpha < np.inf for alpha in alphas):
        raise EngramError(f"alphas={tuple(alphas)}: give positive penalties")
    values, vectors = np.linalg.eigh(gram(x))
    values = np.maximum(values, 0)
    y = y.astype(np.float64)
    left_out = np.empty((len(alphas), *y.shape))
    errors = np.empty((len(alphas), len(y)))
    for number, alpha in enumerate(alphas):
        hat = (vectors * (values / (values + alpha))) @ vectors.T + 1 / len(x)
        rest = y - hat @ y
        keep = 1 - hat.diagonal()
        left_out[number] = rest / keep[:, None]
        errors[number] = _errors_without(hat, keep, rest @ rest.T)
    best = errors.argmin(0)
    prediction = y - left_out[best, np.arange(len(y))]
    return _scored(prediction, y, np.asarray(alphas, np.float64)[best])


def _errors_without(hat: np.ndarray, keep: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Squared leave-one-out errors of the other stimuli, for each stimulus that is held out."""
    scale = np.outer(keep, keep) - hat**2
    np.fill_diagonal(scale, np.inf)
    own, cross = keep[:, None] / scale, hat / scale
    squares = products.diagonal()
    terms = own**2 * squares + 2 * own * cross * products + cross**2 * squares[:, None]
    return terms.sum(1)


def _scored(prediction: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> Ridge:
    silent = np.ptp(y, axis=0) == 0
    if silent.all():
        raise EngramError("every neuron has one constant response: there is nothing to predict")
    a, b = prediction - prediction.mean(0), y - y.mean(0)
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    flat = norms == 0
    scores = np.where(flat, 0.0, (a * b).sum(0) / np.where(flat, 1.0, norms))
    scores[silent] = np.nan
    score = float(scores[~silent].mean())
    return Ridge(prediction, scores, score, alphas, np.flatnonzero(silent))


def tsvd_reg(
    x: np.ndarray, y: np.ndarray, count: int = 40, alphas: Sequence[float] = ALPHAS
) -> Ridge:
    """TSVD-Reg, corrected: exact principal components, then ridge with α chosen inside.

    Args:
        x: Features of the model, `(stimuli, features)`.
        y: Responses, `(stimuli, neurons)`.
        count: Number of components.
        alphas: See `leave_one_out_ridge`.

    Raises:
        ValueError: As `leave_one_out_ridge`, or the features have too few dimensions.
    """
    x, y = paired(x, y, 4)
    return leave_one_out_ridge(components(x, count, "x"), y, alphas)


def tsvd_reg_parity(x: np.ndarray, y: np.ndarray, count: int = 40, seed: int = 2022) -> Ridge:
    """TSVD-Reg with the settings of Huang et al.

    The matrix is standardised by one mean and one standard deviation, reduced by scikit-learn's
    randomised SVD without centring, and ridge regression with α = 1 predicts each stimulus from
    the others.

    Args:
        x: Features of the model, `(stimuli, features)`.
        y: Responses, `(stimuli, neurons)`.
        count: Number of components.
        seed: Seed of the randomised SVD.

    Raises:
        ValueError: As `leave_one_out_ridge`, or there are too few stimuli or features.

    References:
        Huang et al., AAAI 2023, arXiv 2303.06060.
    """
    x, y = paired(x, y, 4)
    return leave_one_out_ridge(parity_components(x, count, seed), y, (1.0,))


def parity_components(x: np.ndarray, count: int, seed: int) -> np.ndarray:
    """scikit-learn's randomised SVD of the matrix, standardised as a whole, `(stimuli, count)`.

    Raises:
        ValueError: There are fewer stimuli or features than components.
    """
    if not 1 <= count <= min(x.shape):
        raise EngramError(f"{count} components of a {x.shape} matrix: give 1 to {min(x.shape)}")
    scaled = (x - x.mean(dtype=np.float64)) / (x.std(dtype=np.float64) + 1e-10)
    return TruncatedSVD(count, n_iter=5, random_state=seed).fit_transform(scaled)
