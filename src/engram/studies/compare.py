"""Neurons compared: tables, figures with intervals, and sentences computed from the numbers."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import fmean, median
from typing import Any, final

import numpy as np

from engram.report import Figure, Report, Table
from engram.series import Series
from engram.stats import Interval, crossed_bootstrap
from engram.studies.members import MEMBERS

Outcomes = Mapping[str, Sequence[dict[str, Any]]]
"""For each neuron, what `train_and_test` found of each of its networks."""


@final
class Comparison:
    """What networks that differ in their neuron came to on the same test examples.

    Args:
        outcomes: What `train_and_test` found, by neuron and run.
        examples: Number of test examples.
        seed: Seed of the bootstrap.
        what: What the examples are, in the plural.
        task: What titles begin with, where a report holds several comparisons.
    """

    def __init__(
        self, outcomes: Outcomes, examples: int, seed: int, *, what: str = "images", task: str = ""
    ) -> None:
        self.outcomes = outcomes
        self.seed = seed
        self.what = what
        self.prefix = f"{task}: " if task else ""
        self.right = {name: correctness(runs, examples) for name, runs in outcomes.items()}

    @cached_property
    def accuracy(self) -> dict[str, Interval]:
        """Test accuracy of each neuron in %, mean over the runs."""
        return {name: _interval(matrix, self.seed) for name, matrix in self.right.items()}

    def report_accuracy(self, report: Report) -> None:
        """Report how accurate the networks are, and how sparsely they fire."""
        labels = [MEMBERS[name].label for name in self.outcomes]
        rates = np.array(
            [np.mean([run["rates"] for run in runs], 0) for runs in self.outcomes.values()]
        )
        layers = [f"{self.prefix}layer {layer}" for layer in range(1, rates.shape[1] + 1)]
        accuracy = f"{self.prefix}test accuracy"
        report.add(
            Table(
                f"{self.prefix}Accuracy and firing",
                ["neuron", "parameters", "test accuracy (%)", "low", "high", "validation (%)"]
                + [f"rate, layer {layer}" for layer in range(1, rates.shape[1] + 1)],
                [
                    [label, runs[0]["parameters"], *self.accuracy[name][:3], _validation(runs), *at]
                    for label, (name, runs), at in zip(
                        labels, self.outcomes.items(), rates, strict=True
                    )
                ],
                f"Mean over the runs. The 95% interval resamples runs and test {self.what} both, "
                "and a few runs say little of the spread between runs. Validation: in the epoch "
                "that it chose. Rates in spikes a neuron and step, on the test "
                f"{self.what}.",
            ),
            _intervals(accuracy, "%", self.accuracy),
            Figure(
                f"{self.prefix}Test accuracy",
                [accuracy],
                "interval",
                caption="With 95% intervals.",
            ),
            *(
                Series(layer, labels, rates[:, i], axis="neuron", unit="spikes a neuron and step")
                for i, layer in enumerate(layers)
            ),
            Figure(f"{self.prefix}Firing rate", layers, "bar"),
        )

    def report_differences(self, report: Report) -> None:
        """Report the paired differences from LIF, or from the first neuron where there is none."""
        reference = "lif" if "lif" in self.right else next(iter(self.right))
        label = MEMBERS[reference].label
        gains = {
            name: _interval(matrix - self.right[reference], self.seed)
            for name, matrix in self.right.items()
            if name != reference
        }
        if not gains:
            return
        title, series = (f"{self.prefix}{kind}difference from {label}" for kind in ("Paired ", ""))
        report.add(
            Table(
                title,
                ["neuron", "difference (points)", "low", "high"],
                [[MEMBERS[name].label, *gain[:3]] for name, gain in gains.items()],
                f"Test accuracy, on the same {self.what} from the same initial weights. Each "
                "interval covers 95% by itself, not all of them together.",
            ),
            _intervals(series, "points", gains),
            Figure(title, [series], "interval", caption="With 95% intervals."),
        )
        report.note(self.prefix + conclusion(label, gains))

    def report_course(self, report: Report) -> None:
        """Report how the networks learned, epoch by epoch, and the time of a step."""
        courses = {
            f"{self.prefix}{MEMBERS[name].label}, validation": np.mean(
                [run["validation"] for run in runs], 0
            )
            for name, runs in self.outcomes.items()
        }
        report.add(
            *(
                Series(name, range(len(course)), 100 * course, axis="epoch", unit="%")
                for name, course in courses.items()
            ),
            Figure(
                f"{self.prefix}Validation accuracy while learning",
                list(courses),
                y_label="validation accuracy (%)",
                caption="Mean over the runs. A masked PSN reads every step at first; after an "
                "eighth of the epochs its mask is whole, and no neuron keeps weights from before "
                "that.",
            ),
            Table(
                f"{self.prefix}Time of a training step",
                ["neuron", "ms"],
                [
                    [MEMBERS[name].label, median(run["step_ms"] for run in runs)]
                    for name, runs in self.outcomes.items()
                ],
                "The whole network, one batch, forward and backward; the median of the runs.",
                volatile=True,
            ),
        )


def conclusion(reference: str, gains: Mapping[str, Interval]) -> str:
    """Say in a sentence or two which differences from the reference exclude zero.

    Args:
        reference: Label of the neuron that the others are compared with.
        gains: Difference in accuracy, in points.
    """
    better = [name for name, gain in gains.items() if gain.low > 0]
    worse = [name for name, gain in gains.items() if gain.high < 0]
    unclear = [name for name in gains if name not in better + worse]

    def listed(names: list[str]) -> str:
        text = ", ".join(f"{MEMBERS[name].label} ({gains[name].estimate:+.1f})" for name in names)
        return text.replace("-", "−")

    said = [
        f"{verdict} {reference}, in points: {listed(names)}."
        for verdict, names in (
            ("More accurate than", better),
            ("Less accurate than", worse),
            ("Not told apart from", unclear),
        )
        if names
    ]
    return " ".join(said)


def correctness(runs: Sequence[dict[str, Any]], examples: int) -> np.ndarray:
    """100 where a run was right about an example, else 0, (run, example)."""
    right = np.full((len(runs), examples), 100.0)
    for row, run in zip(right, runs, strict=True):
        row[run["wrong"]] = 0.0
    return right


def _validation(runs: Sequence[dict[str, Any]]) -> float:
    return 100 * fmean(run["validation"][run["best_epoch"]] for run in runs)


def _interval(values: np.ndarray, seed: int) -> Interval:
    return crossed_bootstrap(values, np.random.default_rng(seed))


def _intervals(name: str, unit: str, intervals: Mapping[str, Interval]) -> Series:
    return Series(
        name,
        [MEMBERS[neuron].label for neuron in intervals],
        [interval.estimate for interval in intervals.values()],
        axis="neuron",
        unit=unit,
        low=[interval.low for interval in intervals.values()],
        high=[interval.high for interval in intervals.values()],
    )
