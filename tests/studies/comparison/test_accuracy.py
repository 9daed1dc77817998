import pytest

from engram.stats import Interval
from engram.studies.comparison.accuracy import Accuracy, conclusion, headline


def test_the_conclusion_follows_the_intervals():
    def gain(low: float, estimate: float, high: float) -> Interval:
        return Interval(estimate, low, high, 0.95)

    gains = {"PSN": gain(0.1, 1, 2), "IF": gain(-3, -2.04, -1), "PLIF": gain(-1, 0.5, 2)}
    assert conclusion("LIF", gains) == (
        "More accurate than LIF, in points: PSN (+1.0). "
        "Less accurate than LIF, in points: IF (−2.0). "
        "Not distinguishable from LIF, in points: PLIF (+0.5)."
    )
    assert conclusion("LIF", {"PSN": gain(0.0, 1, 2)}).startswith("Not distinguishable")


def test_the_headline_is_the_largest_difference_with_its_interval():
    gains = {"PSN": Interval(1.0, 0.5, 1.5, 0.95), "IF": Interval(-2.0, -3.0, -1.0, 0.95)}
    assert headline("LIF", gains) == (
        "PSN differs from LIF by +1.0 points of test accuracy (95% interval +0.5 to +1.5), "
        "the largest of 2 differences."
    )
    unclear = {"PSN": Interval(-1.0, -2.5, 1.5, 0.95)}
    assert headline("LIF", unclear) == (
        "PSN differs from LIF by −1.0 points of test accuracy (95% interval −2.5 to +1.5); "
        "it is not distinguishable from zero."
    )


def test_published_numbers_stand_beside_those_that_have_them():
    run = {"wrong": [0], "validation": [0.5], "best_epoch": 0}
    labels = {"a": "A", "b": "B"}
    accuracy = Accuracy({"a": [run], "b": [run]}, 4, 0, labels, "network")
    table = accuracy.published_table("Published", ["published (%)"], {"b": [80.0]}, "A paper.")
    assert table is not None
    assert list(table.columns) == ["network", "this run (%)", "published (%)"]
    assert [list(row) for row in table.rows] == [["B", pytest.approx(75.0), 80.0]]
    assert accuracy.published_table("Published", ["published (%)"], {}, "A paper.") is None
