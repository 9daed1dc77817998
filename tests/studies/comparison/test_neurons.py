import numpy as np
import pytest

from engram.report import Report
from engram.studies.comparison import neurons


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
    comparison = neurons.Comparison(outcomes, 4, seed=0, what="sounds", task="a task")
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
    np.testing.assert_allclose(np.asarray(course.values), [50, 75])
