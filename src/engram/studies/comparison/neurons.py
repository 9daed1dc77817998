"""Neurons compared in one network: accuracy, firing rates, and learning curves."""

from statistics import median
from typing import final

import numpy as np

from engram.neuron.presets import PRESETS
from engram.report import Figure, Report, Table
from engram.series import Series
from engram.studies.comparison.accuracy import INTERVALS, Accuracy, headline
from engram.studies.comparison.runs import Outcomes


@final
class Comparison:
    """Results of networks that differ only in their neuron, on the same test examples.

    Args:
        outcomes: Results of `train_and_test`, by neuron and run.
        examples: Number of test examples.
        seed: Seed of the bootstrap.
        what: Plural noun for the examples.
        task: Prefix of titles, if a report has several comparisons.
    """

    def __init__(
        self, outcomes: Outcomes, examples: int, seed: int, *, what: str = "images", task: str = ""
    ) -> None:
        labels = {name: PRESETS[name].label for name in outcomes}
        self.outcomes = outcomes
        self.what = what
        self.prefix = f"{task}: " if task else ""
        self.accuracy = Accuracy(outcomes, examples, seed, labels, "neuron")

    def report_accuracy(self, report: Report) -> None:
        """Report the accuracy and the firing rates of the networks."""
        labels = list(self.accuracy.labels.values())
        rates = np.transpose(
            [np.mean([run["rates"] for run in runs], 0) for runs in self.outcomes.values()]
        )
        layers = [f"{self.prefix}layer {layer}" for layer in range(1, len(rates) + 1)]
        accuracy = f"{self.prefix}test accuracy"
        report.add(
            self.accuracy.table(
                f"{self.prefix}Accuracy and firing",
                {"parameters": [runs[0]["parameters"] for runs in self.outcomes.values()]},
                {f"rate, layer {i}": rate.tolist() for i, rate in enumerate(rates, start=1)},
                f"Mean over the runs. The 95% interval resamples both runs and test {self.what}; "
                f"a few runs give little information about the variation between runs. "
                f"Validation: in the selected epoch. Rates in spikes per neuron per step, on the "
                f"test {self.what}.",
            ),
            self.accuracy.series(accuracy, "%", self.accuracy.intervals),
            Figure(
                f"{self.prefix}Test accuracy",
                [accuracy],
                "interval",
                caption=INTERVALS,
            ),
            *(
                Series(layer, labels, rate, axis="neuron", unit="spikes per neuron per step")
                for layer, rate in zip(layers, rates, strict=True)
            ),
            Figure(f"{self.prefix}Firing rate", layers, "bar"),
        )

    def report_differences(self, report: Report) -> None:
        """Report the paired differences from LIF, or from the first neuron if LIF is absent."""
        gains = self.accuracy.differences(self.reference)
        if not gains:
            return
        label = self.accuracy.labels[self.reference]
        title, series = (f"{self.prefix}{kind}difference from {label}" for kind in ("Paired ", ""))
        report.add(
            self.accuracy.difference_table(
                title,
                gains,
                f"Test accuracy on the same {self.what}, from the same initial weights. Each "
                f"interval has 95% coverage on its own; they are not simultaneous.",
            ),
            self.accuracy.series(series, "points", gains),
            Figure(title, [series], "interval", caption=INTERVALS),
        )
        report.note(self.prefix + self.accuracy.conclude(self.reference, gains))

    @property
    def reference(self) -> str:
        """The reference neuron: LIF, or the first if LIF is absent."""
        return "lif" if "lif" in self.outcomes else next(iter(self.outcomes))

    @property
    def headline(self) -> str:
        """The answer in one sentence; empty if there is nothing to compare."""
        labels = self.accuracy.labels
        gains = self.accuracy.differences(self.reference)
        named = {labels[name]: gain for name, gain in gains.items()}
        return self.prefix + headline(labels[self.reference], named) if gains else ""

    def report_course(self, report: Report) -> None:
        """Report the learning curves of the networks, and the time of a step."""
        courses = {
            f"{self.prefix}{PRESETS[name].label}, validation": np.mean(
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
                f"{self.prefix}Validation accuracy during training",
                list(courses),
                y_label="validation accuracy (%)",
                caption="Mean over the runs. A masked PSN reads all steps at first; its mask is "
                "complete after an eighth of the epochs, and weights from earlier epochs "
                "are not selected for any neuron.",
            ),
            Table(
                f"{self.prefix}Time of a training step",
                ["neuron", "ms"],
                [
                    [PRESETS[name].label, median(run["step_ms"] for run in runs)]
                    for name, runs in self.outcomes.items()
                ],
                "The whole network, one batch, forward and backward; the median of the runs.",
                volatile=True,
            ),
        )
