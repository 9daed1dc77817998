import numpy as np
import pytest

from engram.report import Report
from engram.stats import Interval
from engram.studies import compare


def test_the_conclusion_follows_the_intervals():
    def gain(low: float, estimate: float, high: float) -> Interval:
        return Interval(estimate, low, high, 0.95)

    gains = {"psn": gain(0.1, 1, 2), "if": gain(-3, -2.04, -1), "plif": gain(-1, 0.5, 2)}
    assert compare.conclusion("LIF", gains) == (
        "More accurate than LIF, in points: PSN (+1.0). "
        "Less accurate than LIF, in points: IF (−2.0). "
        "Not told apart from LIF, in points: PLIF (+0.5)."
    )
    assert compare.conclusion("LIF", {"psn": gain(0.0, 1, 2)}).startswith("Not told apart")


def outcome(wrong: list[int]) -> dict:
    return {
        "parameters": 7,
        "wrong": wrong,
        "validation": [0.5, 0.75],
        "best_epoch": 1,
        "rates": [0.25],
        "step_ms": 1.0,
    }


def test_accuracies_and_differences_come_from_what_was_wrong():
    outcomes = {
        "sliding": [outcome([0]), outcome([])],
        "lif": [outcome([0, 1]), outcome([0, 2])],
    }
    report = Report("of nothing")
    comparison = compare.Comparison(outcomes, 4, seed=0, what="sounds", task="a task")
    comparison.report_accuracy(report)
    comparison.report_differences(report)
    comparison.report_course(report)
    accuracy, differences, _ = report.tables
    assert [table.title for table in report.tables] == [
        "a task: Accuracy and firing",
        "a task: Paired difference from LIF",
        "a task: Time of a training step",
    ]
    assert [(row[0], row[2], row[5]) for row in accuracy.rows] == [
        ("sliding PSN", pytest.approx(87.5), 75.0),
        ("LIF", pytest.approx(50.0), 75.0),
    ]
    assert [row[:2] for row in differences.rows] == [("sliding PSN", pytest.approx(37.5))]
    assert "test sounds" in accuracy.caption
    (note,) = report.notes
    assert note.startswith("a task: ")
    course = next(series for series in report.series if series.axis == "epoch")
    np.testing.assert_allclose(course.values, [50, 75])
