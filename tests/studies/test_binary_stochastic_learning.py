from dataclasses import replace

import pytest

from engram.errors import EngramError
from engram.report import Report
from engram.studies.binary_stochastic_learning import BinaryStochasticLearning
from engram.studies.binary_stochastic_learning.energy import equal_accuracy
from engram.study import execute

TINY = BinaryStochasticLearning(
    limit=600, hidden=60, epochs=15, batch=20, carry=(2, 2), passes=5, votes=(1, 9), seeds=2
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Report:
    return execute(TINY, tmp_path_factory.mktemp("run"))


def test_the_report_has_what_the_question_asks_for(finished):
    assert [table.title for table in finished.tables] == [
        "Accuracy",
        "Paired difference from float, regularised",
        "Pulses",
        "Energy",
    ]
    assert [figure.title for figure in finished.figures] == [
        "Test accuracy",
        "Accuracy against the number of passes",
    ]
    assert "binary stochastic learning" in finished.conclusion.lower()
    assert "points from float, regularised" in finished.conclusion
    assert list(finished.provenance.data) == ["digits.csv.gz"]


def test_all_contenders_learn(finished):
    rows = finished.tables[0].rows
    assert [row[0] for row in rows] == [
        "binary stochastic learning",
        "binary stochastic learning, ramp devices",
        "float",
        "float, regularised",
        "binary, straight-through",
        "sign backpropagation",
    ]
    for _, accuracy, low, high, validation in rows:
        assert 40 < low <= accuracy <= high <= 100  # chance is 10
        assert validation > 40


def test_the_curve_and_the_table_agree(finished):
    (curve,) = (series for series in finished.series if series.name == "accuracy by passes")
    assert list(curve.index) == [1, 5, 9]
    assert curve.values[1] == pytest.approx(finished.tables[0].rows[0][1])


def test_the_same_seed_gives_the_same_report(finished, tmp_path):
    again = execute(replace(TINY), tmp_path)
    assert again.fingerprint == finished.fingerprint


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"passes": 0}, "passes"),
        ({"votes": (70_000,)}, "votes"),
        ({"gain": 0.0}, "gain"),
        ({"dead_zone": -0.5}, "dead_zone"),
        ({"read_noise": float("nan")}, "read_noise"),
        ({"step": (0.1, 0.0)}, "step"),
        ({"contenders": ("stochastic", "best")}, "contenders"),
        ({"carry": (0, 3)}, "carry is 0"),
        ({"ramp_carry": (3, 0)}, "ramp_carry is 0"),
        ({"contenders": ("tables",)}, "give them as tables"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed, said):
    with pytest.raises(EngramError, match=said):
        replace(TINY, **changed)


def test_energy_is_compared_at_equal_accuracy(finished):
    assert equal_accuracy([{"1": 0.7, "3": 0.9, "10": 0.93, "30": 0.935}]) == 10
    assert equal_accuracy([{"1": 0.8, "9": 0.8}, {"1": 0.9, "9": 0.92}]) == 1
    rows = finished.tables[-1].rows
    by_device = {(row[0], row[1]): row for row in rows}
    one = by_device["tantalum oxide, device 1", 1]
    # what is saved is inverse to the energy, and the energy in proportion to the passes
    assert one[5] * one[4] == pytest.approx(14.6e3, rel=1e-6)
    for (device, passes), row in by_device.items():
        assert row[2] == pytest.approx(passes * by_device[device, 1][2], rel=1e-9)
    # three orders of magnitude on conductances of at most 100 µS, not on those of milli-siemens
    assert one[5] > 1000
    assert by_device["tantalum oxide, ramps", 1][5] < 500


def test_devices_of_measured_tables_learn(tmp_path):
    """Equal steps as a table: what equal steps reach on ramps, they reach here."""
    files = []
    for name, change in (("up", 4e-7), ("down", -4e-7)):
        rows = "\n".join(["; ".join([str(change)] * 3)] * 2).replace(";", ",")
        files.append(tmp_path / f"{name}.txt")
        files[-1].write_text(f"changes\n1e-5, 3e-5, 5e-5\n0, 1\n{rows}\n")
    study = replace(
        TINY, contenders=("tables",), tables=(str(files[0]), str(files[1])), table_carry=(2, 20)
    )
    report = execute(study, tmp_path / "run")
    assert report.tables[0].rows[0][0] == "binary stochastic learning, table devices"
    assert report.tables[0].rows[0][1] > 60
    assert {"up.txt", "down.txt"} < set(report.provenance.data)


def test_forms_of_the_rule_are_ablations(finished, tmp_path):
    study = replace(
        TINY, contenders=("stochastic",), derivative="none", dead_zone=0.1, read_noise=0.05
    )
    report = execute(study, tmp_path / "run")
    assert report.tables[0].rows[0][1] > 40
    assert report.tables[0].rows[0][1] != finished.tables[0].rows[0][1]
