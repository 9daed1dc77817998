"""What the runs say: tables, figures with intervals, and sentences computed from the numbers."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

import numpy as np

from engram.report import Figure, Report, Table
from engram.series import Series
from engram.stats import Interval, crossed_bootstrap
from engram.studies.parallel_neurons.network import MEMBERS

Outcomes = Mapping[str, Sequence[dict[str, Any]]]
"""For each neuron, what each of its networks came to."""


def report_learning(report: Report, outcomes: Outcomes, images: int, seed: int) -> None:
    """Report how well, how sparsely and how fast the networks learned.

    Args:
        report: The report to fill in.
        outcomes: What `train_network` found, by neuron and run.
        images: Number of test images.
        seed: Seed of the bootstrap.
    """
    right = {name: _right(runs, images) for name, runs in outcomes.items()}
    accuracy = {name: _interval(matrix, seed) for name, matrix in right.items()}
    _report_accuracy(report, outcomes, accuracy)
    _report_comparison(report, right, seed)
    _report_published(report, accuracy)
    _report_course(report, outcomes)
    report.add(
        Table(
            "Time of a training step",
            ["neuron", "ms"],
            [
                [MEMBERS[name].label, median(run["step_ms"] for run in runs)]
                for name, runs in outcomes.items()
            ],
            "The whole network, one batch, forward and backward; the median of the runs.",
            volatile=True,
        )
    )


def _report_accuracy(report: Report, outcomes: Outcomes, accuracy: Mapping[str, Interval]) -> None:
    labels = [MEMBERS[name].label for name in outcomes]
    rates = np.array([np.mean([run["rates"] for run in runs], 0) for runs in outcomes.values()])
    layers = [f"layer {layer}" for layer in range(1, rates.shape[1] + 1)]
    report.add(
        Table(
            "Accuracy and firing",
            ["neuron", "parameters", "test accuracy (%)", "low", "high", "validation (%)"]
            + [f"rate, {layer}" for layer in layers],
            [
                [label, runs[0]["parameters"], *accuracy[name][:3], _validation(runs), *rate]
                for label, (name, runs), rate in zip(labels, outcomes.items(), rates, strict=True)
            ],
            "Mean over the runs. The 95% interval resamples runs and test images both, and a few "
            "runs say little of the spread between runs. Validation: in the epoch that it chose. "
            "Rates in spikes a neuron and step, on the test images.",
        ),
        _intervals("test accuracy", "%", accuracy),
        Figure("Test accuracy", ["test accuracy"], "interval", caption="With 95% intervals."),
        *(
            Series(layer, labels, rates[:, i], axis="neuron", unit="spikes a neuron and step")
            for i, layer in enumerate(layers)
        ),
        Figure("Firing rate", layers, "bar"),
    )


def _report_comparison(report: Report, right: Mapping[str, np.ndarray], seed: int) -> None:
    reference = "lif" if "lif" in right else next(iter(right))
    label = MEMBERS[reference].label
    gains = {
        name: _interval(matrix - right[reference], seed)
        for name, matrix in right.items()
        if name != reference
    }
    if not gains:
        return
    title = f"difference from {label}"
    report.add(
        Table(
            f"Paired {title}",
            ["neuron", "difference (points)", "low", "high"],
            [[MEMBERS[name].label, *gain[:3]] for name, gain in gains.items()],
            "Test accuracy, on the same images from the same initial weights. Each interval "
            "covers 95% by itself, not all of them together.",
        ),
        _intervals(title, "points", gains),
        Figure(f"Paired {title}", [title], "interval", caption="With 95% intervals."),
    )
    report.note(conclusion(label, gains))


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


def _report_published(report: Report, accuracy: Mapping[str, Interval]) -> None:
    rows = [
        [MEMBERS[name].label, mean.estimate, *published]
        for name, mean in accuracy.items()
        if (published := MEMBERS[name].published)
    ]
    if rows:
        report.add(
            Table(
                "Beside the published numbers",
                ["neuron", "this run (%)", "sequential CIFAR-10 (%)", "sequential CIFAR-100 (%)"],
                rows,
                "Fang et al., NeurIPS 2023, arXiv 2304.12760: other pictures, read by 32 columns, "
                "k = 32; six convolutions and two linear layers, augmented images, 256 epochs; "
                "one run, its best epoch by the test images. Here: the data and network of the "
                "notes, no augmentation, several runs, the epoch chosen on validation images. "
                "Compare the order of the neurons, not the numbers.",
            )
        )


def _report_course(report: Report, outcomes: Outcomes) -> None:
    courses = {
        f"{MEMBERS[name].label}, validation": np.mean([run["validation"] for run in runs], 0)
        for name, runs in outcomes.items()
    }
    report.add(
        *(
            Series(name, range(len(course)), 100 * course, axis="epoch", unit="%")
            for name, course in courses.items()
        ),
        Figure(
            "Validation accuracy while learning",
            list(courses),
            y_label="validation accuracy (%)",
            caption="Mean over the runs. A masked PSN reads every step at first; after an eighth "
            "of the epochs its mask is whole, and no neuron keeps weights from before that.",
        ),
    )


def _right(runs: Sequence[dict[str, Any]], images: int) -> np.ndarray:
    """100 where a run was right about an image, else 0, (run, image)."""
    right = np.full((len(runs), images), 100.0)
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
