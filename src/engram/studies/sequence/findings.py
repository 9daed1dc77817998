"""What the runs say: each task by itself, then all of them side by side."""

from collections.abc import Mapping

from engram.report import Report, Table
from engram.studies.compare import Comparison
from engram.studies.members import MEMBERS
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
    rows = [
        [MEMBERS[name].label, mean.estimate, task.published[name]]
        for name, mean in comparison.accuracy.items()
        if name in task.published
    ]
    if rows:
        report.add(
            Table(
                f"{task.label}: Beside the published numbers",
                ["neuron", "this run (%)", "published (%)"],
                rows,
                f"{task.source} Here: the data and network of the notes, the epoch chosen on "
                "validation images. Compare the order of the neurons, not the numbers.",
            )
        )
    comparison.report_course(report)


def report_overview(report: Report, comparisons: Mapping[str, Comparison]) -> None:
    """Report the accuracy of every neuron on every task.

    Args:
        report: The report to fill in.
        comparisons: What the networks came to, by task.
    """
    neurons = dict.fromkeys(name for one in comparisons.values() for name in one.accuracy)
    report.add(
        Table(
            "Test accuracy on every task (%)",
            ["neuron", *(TASKS[task].label for task in comparisons)],
            [
                [
                    MEMBERS[name].label,
                    *(
                        one.accuracy[name].estimate if name in one.accuracy else None
                        for one in comparisons.values()
                    ),
                ]
                for name in neurons
            ],
            "Mean over the runs. Empty where sequences differ in length and a neuron knows one.",
        )
    )
