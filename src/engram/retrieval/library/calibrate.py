"""The score below which nothing is close: what texts that no picture shows reach."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engram.retrieval.library.library import Library

SHARE = 0.95
"""Share of the texts that no picture shows whose best score is below the level."""

UNSEEN = (
    "The committee adjourned without a vote.",
    "the theorem follows by induction on n",
    "quarterly earnings per share",
    "an abstract noun",
    "terms and conditions apply",
    "the subjunctive mood of irregular verbs",
    "asdf qwer zxcv",
    "lkjh poiu mnbv",
    "xyzzy plugh",
    "monetary policy and inflation expectations",
    "jurisdiction of the appellate court",
    "the square root of two is irrational",
    "please reset my password",
    "the meeting is moved to Thursday at noon",
    "epistemology and the problem of induction",
    "interest is compounded monthly",
    "undefined reference to main",
    "he said that she had said so",
    "justice, liberty and equality",
    "a rise of four per cent since last year",
    "null pointer exception",
    "whereas the parties agree as follows",
    "the boiling point of ethanol",
    "probability distributions with heavy tails",
    "it depends on what you mean",
    "tax deductions for the previous year",
    "the etymology of this word is uncertain",
    "0123456789",
    "version 2.1 fixes several defects",
    "nostalgia for a time before memory",
    "the rules of inference in logic",
    "subject to the approval of the board",
    "the melody modulates to the dominant",
    "a proof by contradiction",
    "yesterday, or perhaps the day before",
    "insurance premiums and deductibles",
    "gradient descent with momentum",
    "the second amendment to the contract",
    "why is there something rather than nothing",
    "foo bar baz",
)
"""Texts without anything that a camera sees."""


def measure_level(
    library: "Library", texts: Callable[[list[str]], NDArray[np.float32]]
) -> float | None:
    """The level of an index: a quantile of the best scores of texts that no picture shows.

    Args:
        library: The index.
        texts: Turns texts into unit vectors, (texts, dimensions).

    Returns:
        The score that 95 % of these texts do not reach; None for an index without pictures.
    """
    if not len(library):
        return None
    best = library.scores(texts(list(UNSEEN))).max(axis=1)
    return float(np.quantile(best, SHARE))
