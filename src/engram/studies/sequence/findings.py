"""What the runs say: each task by itself, then all of them side by side."""

from collections.abc import Mapping

from engram.neuron.presets import PRESETS
from engram.report import Report, Table
from engram.studies.comparison.neurons import Comparison
from engram.studies.sequence.task import TASKS, Task


def report_task(report: Report, task: Task, comparison: Comparison) -> None:
    """Report how well, how sparsely and how fast the networks learned a task.

    Args:
        report: The report to fill in.
        task: The task.
        comparison: What its networks came to.
    """
    comparison.report_accuracy(report)
    comparison.report_differences(report)
    beside = comparison.accuracy.beside(
        f"{task.label}: Beside the published numbers",
        ["published (%)"],
        {name: [number] for name, number in task.published.items()},
        f"{task.source} Here: the data and network of the notes, the epoch chosen on validation "
        "images. Compare the order of the neurons, not the numbers.",
    )
    if beside:
        report.add(beside)
    comparison.report_course(report)


def report_overview(report: Report, comparisons: Mapping[str, Comparison]) -> None:
    """Report the accuracy of every neuron on every task.

    Args:
        report: The report to fill in.
        comparisons: What the networks came to, by task.
    """
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
            "Mean over the runs. Empty where sequences differ in length and a neuron knows one.",
        )
    )
