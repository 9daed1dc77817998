"""Findings of the runs: each task separately, then all tasks in one table."""

from collections.abc import Mapping

from engram.neuron.presets import PRESETS
from engram.report import Report, Table
from engram.studies.comparison.neurons import Comparison
from engram.studies.sequence.task import TASKS, Task


def report_task(report: Report, task: Task, comparison: Comparison) -> None:
    """Report accuracy, firing rates and training time of the networks of a task."""
    comparison.report_accuracy(report)
    comparison.report_differences(report)
    published = comparison.accuracy.published_table(
        f"{task.label}: Comparison with published numbers",
        ["published (%)"],
        {name: [number] for name, number in task.published.items()},
        f"{task.source} Here: the data and network described in the notes, the epoch selected on "
        f"validation images. Compare the order of the neurons, not the numbers.",
    )
    if published:
        report.add(published)
    comparison.report_course(report)


def report_overview(report: Report, comparisons: Mapping[str, Comparison]) -> None:
    """Report the accuracy of every neuron on every task, from the comparison of each task."""
    report.answer(" ".join(filter(None, (one.headline for one in comparisons.values()))))
    neurons = dict.fromkeys(name for one in comparisons.values() for name in one.accuracy.intervals)
    report.add(
        Table(
            "Test accuracy on every task (%)",
            ["neuron", *(TASKS[task].label for task in comparisons)],
            [
                [
                    PRESETS[name].label,
                    *(
                        one.accuracy.intervals[name].estimate
                        if name in one.accuracy.intervals
                        else None
                        for one in comparisons.values()
                    ),
                ]
                for name in neurons
            ],
            "Mean over the runs. Empty where sequences differ in length and a neuron requires one "
            "length.",
        )
    )
