"""Accuracy of contenders on the same test examples: intervals, paired differences, tables."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import Any, final

import numpy as np

from engram.report import Table
from engram.report.item import Cell
from engram.series import Series
from engram.stats import Interval, crossed_bootstrap
from engram.studies.comparison.runs import Outcomes

INTERVALS = "With 95% intervals."


@final
class Accuracy:
    """Accuracy of contenders on the same test examples.

    Args:
        outcomes: By contender and training: `wrong`, the indices of misclassified test examples,
            and `validation` and `best_epoch`.
        examples: Number of test examples.
        seed: Seed of the bootstrap.
        labels: Label of each contender in a report.
        kind: What the contenders are, such as "neuron".
    """

    def __init__(
        self,
        outcomes: Outcomes,
        examples: int,
        seed: int,
        labels: Mapping[str, str],
        kind: str,
    ) -> None:
        self.outcomes = outcomes
        self.seed = seed
        self.labels = {name: labels[name] for name in outcomes}
        self.kind = kind
        self.right = {name: _correctness(runs, examples) for name, runs in outcomes.items()}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Test accuracy of each contender in %, mean over the trainings."""
        return {name: self._interval(matrix) for name, matrix in self.right.items()}

    def differences(self, reference: str) -> dict[str, Interval]:
        """Test accuracy of every other contender minus that of the reference, in points."""
        return {
            name: self._interval(matrix - self.right[reference])
            for name, matrix in self.right.items()
            if name != reference
        }

    def validation(self, name: str) -> float:
        """Validation accuracy in % in the selected epochs, mean over the trainings."""
        return 100 * fmean(run["validation"][run["best_epoch"]] for run in self.outcomes[name])

    def series(self, title: str, unit: str, intervals: Mapping[str, Interval]) -> Series:
        """Intervals of contenders, under their labels."""
        return Series(
            title,
            [self.labels[name] for name in intervals],
            [interval.estimate for interval in intervals.values()],
            axis=self.kind,
            unit=unit,
            low=[interval.low for interval in intervals.values()],
            high=[interval.high for interval in intervals.values()],
        )

    def table(
        self,
        title: str,
        before: Mapping[str, Sequence[Cell]],
        after: Mapping[str, Sequence[Cell]],
        caption: str,
    ) -> Table:
        """Accuracy as a table, between columns of cells in the order of the contenders."""
        rows = [
            [
                label,
                *(cells[i] for cells in before.values()),
                *self.intervals[name][:3],
                self.validation(name),
                *(cells[i] for cells in after.values()),
            ]
            for i, (name, label) in enumerate(self.labels.items())
        ]
        accuracy = ("test accuracy (%)", "low", "high", "validation (%)")
        return Table(title, [self.kind, *before, *accuracy, *after], rows, caption)

    def difference_table(self, title: str, gains: Mapping[str, Interval], caption: str) -> Table:
        """Paired differences as a table."""
        return Table(
            title,
            [self.kind, "difference (points)", "low", "high"],
            [[self.labels[name], *gain[:3]] for name, gain in gains.items()],
            caption,
        )

    def conclude(self, reference: str, gains: Mapping[str, Interval]) -> str:
        """State in one or two sentences which differences from the reference exclude zero."""
        return conclusion(self.labels[reference], {self.labels[n]: g for n, g in gains.items()})

    def published_table(
        self,
        title: str,
        columns: Sequence[str],
        published: Mapping[str, Sequence[Cell]],
        caption: str,
    ) -> Table | None:
        """Table of our accuracy and published numbers, for contenders that have them.

        Args:
            title: Title of the table.
            columns: Headings of the published columns.
            published: Cells of these columns, by contender.
            caption: The source of the numbers, and what differs.

        Returns:
            The table; None if no contender has a published number.
        """
        rows = [
            [self.labels[name], mean.estimate, *published[name]]
            for name, mean in self.intervals.items()
            if name in published
        ]
        return Table(title, [self.kind, "this run (%)", *columns], rows, caption) if rows else None

    def _interval(self, values: np.ndarray) -> Interval:
        return crossed_bootstrap(values, np.random.default_rng(self.seed))


def conclusion(reference: str, gains: Mapping[str, Interval]) -> str:
    """State in one or two sentences which differences from the reference exclude zero.

    Args:
        reference: Label of the contender that the others are compared with.
        gains: Difference in accuracy, in points, by label.
    """
    better = [label for label, gain in gains.items() if gain.low > 0]
    worse = [label for label, gain in gains.items() if gain.high < 0]
    unclear = [label for label in gains if label not in better + worse]

    def listed(labels: list[str]) -> str:
        return ", ".join(f"{label} ({signed(gains[label].estimate)})" for label in labels)

    said = [
        f"{verdict} {reference}, in points: {listed(labels)}."
        for verdict, labels in (
            ("More accurate than", better),
            ("Less accurate than", worse),
            ("Not distinguishable from", unclear),
        )
        if labels
    ]
    return " ".join(said)


def headline(reference: str, gains: Mapping[str, Interval]) -> str:
    """State in one sentence the largest difference from the reference, with its interval.

    Args:
        reference: Label of the contender that the others are compared with.
        gains: Difference in accuracy, in points, by label; one or more.
    """
    label = max(gains, key=lambda one: gains[one].estimate)
    gain = gains[label]
    chosen = f", the largest of {len(gains)} differences" if len(gains) > 1 else ""
    clear = "" if gain.low > 0 or gain.high < 0 else "; it is not distinguishable from zero"
    return (
        f"{label} differs from {reference} by {signed(gain.estimate)} points of test accuracy "
        f"(95% interval {signed(gain.low)} to {signed(gain.high)}){chosen}{clear}."
    )


def signed(number: float) -> str:
    """Format a number with its sign, one decimal and a typographic minus."""
    return f"{number:+.1f}".replace("-", "−")


def _correctness(runs: Sequence[dict[str, Any]], examples: int) -> np.ndarray:
    """100 where a training classified an example correctly, else 0, (training, example)."""
    right = np.full((len(runs), examples), 100.0)
    for row, run in zip(right, runs, strict=True):
        row[run["wrong"]] = 0.0
    return right
