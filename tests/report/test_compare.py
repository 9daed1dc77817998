"""Two reports side by side."""

from engram.report import Report, Scalar, Table, compare


def report(lr: float, accuracy: float, rate: float | None) -> Report:
    made = Report("train", "Training")
    made.provenance.settings = {"lr": lr, "epochs": 3}
    made.provenance.versions = {"torch": "2.13.0"}
    made.answer(f"It classifies {accuracy} %.")
    made.add(Scalar("accuracy", accuracy, "%", accuracy - 1, accuracy + 1))
    made.add(Scalar("rate", rate))
    made.add(Table("Layers", ["layer", "rate", "kind"], [["a", rate, "LIF"], ["b", 0.5, "IF"]]))
    return made


def rows(found: Report, title: str) -> list[list]:
    return [list(row) for table in found.tables if table.title == title for row in table.rows]


def test_only_what_differs_of_the_settings_is_shown_and_every_number_in_pairs():
    found = compare(report(0.1, 90.0, 0.2), report(0.01, 92.5, 0.25), ("x", "y"))
    assert rows(found, "What the runs depend on, where it differs") == [["lr", "0.1", "0.01"]]
    accuracy, rate = rows(found, "Numbers")
    assert accuracy == ["accuracy (%)", "90.0 (89.0 to 91.0)", "92.5 (91.5 to 93.5)", 2.5]
    assert rate[0] == "rate"
    assert abs(rate[3] - 0.05) < 1e-12
    ((row, column, one, other, _),) = rows(found, "Layers")
    assert (row, column, one, other) == ("a", "rate", 0.2, 0.25)
    assert rows(found, "Answers") == [["It classifies 90.0 %.", "It classifies 92.5 %."]]


def test_missing_numbers_and_equal_runs_are_said():
    found = compare(report(0.1, 90.0, None), report(0.1, 90.0, 0.2), ("x", "y"))
    assert found.notes == ["Settings, data and versions are the same."]
    assert rows(found, "Numbers")[1][1:] == ["–", "0.2", None]
    assert rows(found, "Layers") == []
    other = Report("energy", "Energy")
    assert rows(compare(other, report(1, 1, 1), ("x", "y")), "Numbers") == []
