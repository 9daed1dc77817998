"""What a perfect model could score: ceilings over subjects, reliability over trials."""

from typing import NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.similarity.rdm import compare
from engram.stats import Interval


class Ceiling(NamedTuple):
    """The ceiling of a score over subjects.

    Attributes:
        lower: Mean over subjects of the similarity with the mean RDM of the others.
        upper: Mean over subjects of the similarity with the mean RDM of all.
        subjects: Number of subjects.
    """

    lower: float
    upper: float
    subjects: int

    @property
    def own_share(self) -> float:
        """1 / subjects: what each subject contributes to the mean of all.

        Subjects that share nothing have an upper ceiling of about this in units of R².
        """
        return 1 / self.subjects


def subject_ceiling(
    rdms: np.ndarray, method: str = "spearman", *, squared: bool = False
) -> Ceiling:
    """The ceiling of RSA over subjects.

    The unit is the subject: average the sessions of one subject first, because they are not
    independent.

    Args:
        rdms: One RDM of each subject, `(subjects, pairs)`.
        method: See `engram.similarity.compare`.
        squared: Average squares, as the Algonauts challenge of 2019 does.

    Raises:
        ValueError: There are fewer than two subjects, or as `compare`.

    References:
        Nili et al., PLoS Comput. Biol. 10(4) (2014); Cichy et al., "The Algonauts project", arXiv
        1905.05675, for the squared upper ceiling.
    """
    rdms = np.asarray(rdms, np.float64)
    if rdms.ndim != 2 or len(rdms) < 2:
        raise EngramError(
            f"RDMs have shape {rdms.shape}: a ceiling needs (subjects, pairs) with 2 or more "
            "subjects; one subject has no ceiling"
        )
    power, total = 2 if squared else 1, rdms.sum(0)
    rest = [compare(rdm, (total - rdm) / (len(rdms) - 1), method) ** power for rdm in rdms]
    whole = [compare(rdm, total / len(rdms), method) ** power for rdm in rdms]
    return Ceiling(float(np.mean(rest)), float(np.mean(whole)), len(rdms))


def subject_score(
    model: np.ndarray, rdms: np.ndarray, method: str = "spearman", *, squared: bool = False
) -> float:
    """The mean over subjects of the similarity with a model, which the ceiling is compared with.

    Args:
        model: RDM of the model, `(pairs)`.
        rdms: RDMs of the subjects, `(subjects, pairs)`.
        method: See `engram.similarity.compare`.
        squared: Average squares.

    Raises:
        ValueError: As `compare`, or if the RDMs are not a matrix.
    """
    rdms = np.asarray(rdms, np.float64)
    if rdms.ndim != 2 or not len(rdms):
        raise EngramError(f"RDMs have shape {rdms.shape}: give (subjects, pairs)")
    return float(np.mean([compare(model, rdm, method) ** (2 if squared else 1) for rdm in rdms]))


def split_half(trials: np.ndarray, rng: np.random.Generator, splits: int = 100) -> np.ndarray:
    """Reliability of the mean over trials of each neuron, by random halves.

    The correlation r between the means of two halves of the trials of each stimulus, averaged
    over splits, becomes 2 r / (1 + r) by the formula of Spearman and Brown.

    Args:
        trials: Responses, `(neurons, stimuli, repeats)`; NaN where a stimulus has fewer repeats.
        rng: Random generator of the splits.
        splits: Number of splits.

    Returns:
        `(neurons)`; NaN for a neuron whose half means do not vary, or correlate at −1.

    Raises:
        ValueError: The array has another shape, or a stimulus has fewer than two repeats.
    """
    trials = np.asarray(trials, np.float64)
    if trials.ndim != 3 or trials.shape[1] < 3 or splits < 1 or not len(trials):
        raise EngramError(
            f"trials have shape {trials.shape} and splits is {splits}: give (neurons, stimuli, "
            "repeats) with 3 or more stimuli, and 1 or more splits"
        )
    there = np.isfinite(trials)
    counts = there.sum(2)
    if counts.min() < 2:
        neuron, stimulus = np.argwhere(counts < 2)[0]
        raise EngramError(
            f"neuron {neuron} has {counts[neuron, stimulus]} repeats of stimulus {stimulus}: give "
            "2 or more, or leave it out"
        )
    total = np.zeros(len(trials))
    for _ in range(splits):
        order = np.where(there, rng.random(trials.shape), np.inf).argsort(2)
        shuffled = np.take_along_axis(trials, order, 2)
        place = np.arange(trials.shape[2])
        half = counts[..., None] // 2
        first, second = place < half, (place >= half) & (place < 2 * half)
        means = [np.where(part, shuffled, 0).sum(2) / half[..., 0] for part in (first, second)]
        a, b = (mean - mean.mean(1, keepdims=True) for mean in means)
        norms = np.sqrt((a**2).sum(1) * (b**2).sum(1))
        total += np.divide((a * b).sum(1), norms, out=np.full(len(a), np.nan), where=norms > 0)
    r = total / splits
    return np.divide(2 * r, 1 + r, out=np.full(len(r), np.nan), where=r > -1)


def normalise(score: float, reliability: Interval) -> float:
    """A correlation, as it would be without the noise of the data: r / √reliability.

    Args:
        score: A correlation with averaged responses.
        reliability: Reliability of those averages, with its interval.

    Raises:
        ValueError: The interval reaches 0, so that there is no ceiling, or a number is not finite.

    References:
        Spearman, "The proof and measurement of association between two things", American Journal
        of Psychology 15(1) (1904).
    """
    if not np.isfinite((score, reliability.estimate, reliability.low)).all():
        raise EngramError(f"score {score} and reliability {reliability.estimate} must be finite")
    if reliability.low <= 0:
        raise EngramError(
            f"no ceiling: reliability {reliability.estimate:.2g} "
            f"[{reliability.low:.2g}, {reliability.high:.2g}] is not above 0; report the score "
            "without normalisation, or record more repeats"
        )
    return score / float(np.sqrt(reliability.estimate))
