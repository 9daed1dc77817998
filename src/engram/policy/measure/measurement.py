"""What is measured, in which unit, and how its intervals are computed."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from engram.errors import EngramError
from engram.policy.engine import Question

Measure: TypeAlias = Literal["per-million", "per-document", "share", "count"]
Method: TypeAlias = Literal["quasi-poisson", "bootstrap", "none"]

UNITS: dict[str, str] = {
    "per-million": "per million tokens",
    "per-document": "per document",
    "share": "% of documents",
    "count": "occurrences",
}
"""The measures, with their units."""

METHODS = ("quasi-poisson", "bootstrap", "none")
"""Methods for intervals."""


@dataclass(frozen=True)
class Measurement:
    """What is measured, and how its intervals are computed; see `frequency`.

    Args:
        measure: A key of `UNITS`.
        method: One of `METHODS`.
        level: Confidence level, in (0, 1).
        replicates: Number of resamples of a bootstrap.
        seed: Seed of the resamples.

    Raises:
        ValueError: If a setting is unknown or out of range.
    """

    measure: str = "per-million"
    method: str = "quasi-poisson"
    level: float = 0.95
    replicates: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.measure not in UNITS:
            raise EngramError(f"cannot measure {self.measure!r}; choose one of {', '.join(UNITS)}")
        if self.method not in METHODS:
            raise EngramError(
                f"there is no interval method {self.method!r}; choose one of {', '.join(METHODS)}"
            )
        if not 0 < self.level < 1:
            raise EngramError(f"level is {self.level}; give a share between 0 and 1, such as 0.95")
        if self.replicates < 100:
            raise EngramError(f"replicates is {self.replicates}; give at least 100 for an interval")
        if self.seed < 0:
            raise EngramError(f"seed is {self.seed}; give 0 or more")

    def question(self, *by: str | None) -> Question:
        """What to ask of a query to measure it by some groupings.

        Args:
            by: Each one of `GROUPINGS`; None for everything together.
        """
        resampled = self.method == "bootstrap" and self.measure != "share"
        return Question(by=by, each=by if resampled else ())


PER_MILLION = Measurement()
"""Occurrences per million tokens, with quasi-Poisson intervals."""
