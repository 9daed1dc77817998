"""The language of tax increases and decreases: its wordings, its counts, and its rates."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2

from engram.policy.engine import Engine, Tally
from engram.series import Series

LEVEL = 0.95
"""Confidence level of the rates' intervals."""
MILLION = 1_000_000
_TAXES = "{tax, taxes, taxation, duty, duties, tariff, excise}"

TERMS: dict[str, str] = {
    "INCREASE": f"{{raise, increase, new, higher, impose, hike}} NEAR/3 {_TAXES} "
    'OR "tax {increase, hike}"',
    "DECREASE": f"{{cut, reduce, lower, repeal, relieve, remit}} NEAR/3 {_TAXES} "
    'OR "tax {cut, reduction, relief}"',
}
"""Queries by term: a verb within three words of a tax, or a fixed phrase."""

WORDINGS: dict[str, Sequence[str]] = {
    "INCREASE": ("raise the {}", "higher {}", "impose a new {}", "increase of {}"),
    "DECREASE": ("cut the {}", "reduce {}", "repeal of the {}", "lower {}"),
}
"""Phrases of each term for a generated record."""


class Counts(NamedTuple):
    """A tally as lists, which JSON can hold.

    Args:
        groups: Years, or Congresses.
        occurrences: Occurrences in each.
        matching: Documents that have one.
        documents: All documents.
        tokens: All terms of these.
        dispersion: Sums of k² / n over the documents.
    """

    groups: list[int]
    occurrences: list[int]
    matching: list[int]
    documents: list[int]
    tokens: list[int]
    dispersion: list[float]


def count(engine: Engine, term: str, doc_type: str, by: str) -> dict[str, Any]:
    """Count a term in the documents of a type.

    Args:
        engine: Answers the query.
        term: One of `TERMS`.
        doc_type: The type of the documents.
        by: "year" or "congress".
    """
    return as_counts(engine.tally(f"type:{doc_type} ({TERMS[term]})", by=by))._asdict()


def as_counts(tally: Tally) -> Counts:
    """A tally as lists.

    Args:
        tally: By year or Congress.
    """
    return Counts(
        [int(label) for label in tally.groups if label is not None],
        *(
            column[: len(tally.groups) - (None in tally.groups)].tolist()
            for column in (
                tally.occurrences,
                tally.documents,
                tally.all_documents,
                tally.all_tokens,
                tally.dispersion,
            )
        ),
    )


def overdispersion(counts: Counts) -> float:
    """How much more documents of a group differ than chance at one rate makes them; at least 1.

    φ = Σ_g (N_g / K_g Σ k² / n − K_g) / Σ_g (D_g − 1), over groups with occurrences.

    Args:
        counts: Counts in groups of several documents, such as Congresses.
    """
    k, d, n, s = (
        np.array(column, dtype=np.float64)
        for column in (counts.occurrences, counts.documents, counts.tokens, counts.dispersion)
    )
    several = (k > 0) & (d > 1)
    if not several.any():
        return 1.0
    pearson = n[several] / k[several] * s[several] - k[several]
    return max(1.0, float(pearson.sum() / (d[several] - 1).sum()))


def rates(name: str, counts: Counts, axis: str, dispersion: float) -> Series:
    """Occurrences a million words, with intervals of an over-dispersed Poisson count.

    The interval is that of K / φ occurrences, exact for a Poisson count, times φ.

    Args:
        name: Name of the series.
        counts: Counts by group.
        axis: "year" or "congress".
        dispersion: φ, at least 1.

    References:
        Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28.
    """
    kept = [i for i, tokens in enumerate(counts.tokens) if tokens]
    k = np.array(counts.occurrences, dtype=np.float64)[kept]
    scale = MILLION / np.array(counts.tokens, dtype=np.float64)[kept]
    half = dispersion / 2 * scale
    low = np.where(k > 0, half * chi2.ppf((1 - LEVEL) / 2, np.maximum(2 * k / dispersion, 1e-9)), 0)
    high = half * chi2.ppf((1 + LEVEL) / 2, 2 * k / dispersion + 2)
    return Series(
        name,
        [counts.groups[i] for i in kept],
        k * scale,
        axis=axis,
        unit="per million words",
        low=low,
        high=high,
    )
