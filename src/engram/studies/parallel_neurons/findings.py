"""Findings of the runs, with the paper's numbers for comparison."""

from engram.report import Report
from engram.studies.comparison.neurons import Comparison

PUBLISHED: dict[str, tuple[float, float]] = {
    "lif": (81.50, 55.45),
    "plif": (83.49, 57.55),
    "psn": (88.45, 62.21),
    "masked": (85.81, 60.69),
    "sliding": (86.70, 62.11),
}
"""Test accuracy in % on sequential CIFAR-10 and CIFAR-100 (arXiv 2304.12760)."""


def report_learning(report: Report, comparison: Comparison) -> None:
    """Report accuracy, firing rates and training time of the networks."""
    report.answer(comparison.headline)
    comparison.report_accuracy(report)
    comparison.report_differences(report)
    published = comparison.accuracy.published_table(
        "Comparison with published numbers",
        ["sequential CIFAR-10 (%)", "sequential CIFAR-100 (%)"],
        PUBLISHED,
        "Fang et al., NeurIPS 2023, arXiv 2304.12760: other images, read as 32 columns, k = 32; "
        "six convolutions and two linear layers, augmented images, 256 epochs; one run, the best "
        "epoch selected on the test images. Here: the data and network described in the notes, no "
        "augmentation, several runs, the epoch selected on validation images. Compare the order "
        "of the neurons, not the numbers.",
    )
    if published:
        report.add(published)
    comparison.report_course(report)
