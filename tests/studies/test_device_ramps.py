"""`engram memristor calibrate`: ramps from a file to the chosen model."""

import os
from pathlib import Path

import numpy as np
import pytest

from engram.cli import main
from engram.report import Report
from engram.studies.device_ramps import DeviceRamps
from engram.study import execute


def soft_bounds(path: Path) -> Path:
    """Ramps in µS between 10 and 90 that go 3 % of what is left at each pulse, with noise."""
    generator = np.random.default_rng(0)
    rise = 90 - 80 * 0.97 ** np.arange(100)[:, None] + 0.05 * generator.normal(size=(100, 8))
    columns = np.hstack([rise, 100 - rise])
    header = ",".join(f"r{i}" for i in range(16))
    np.savetxt(path, columns, "%.6f", ",", header=header, comments="")
    return path


def rows(report: Report, title: str) -> dict[str, list]:
    (table,) = [table for table in report.tables if table.title == title]
    return {str(row[0]): list(row) for row in table.rows}


def test_the_report_of_a_device_with_soft_bounds(tmp_path: Path) -> None:
    study = DeviceRamps((str(soft_bounds(tmp_path / "a.csv")),), prefix="u")
    report = execute(study, tmp_path / "run")
    assert report.to_dict()["answer"].startswith("The nearest models describe set pulses by ")
    for name in ("set", "reset"):
        found = rows(report, f"Models of {name} pulses")
        assert found["linear"][1] > 10 * found["soft-bounds"][1]
        # 3 % of 80 µS, as a share of the range of the ramps
        step, bound = map(float, found["soft-bounds"][5].split(", "))
        assert step / bound == pytest.approx(0.03, rel=0.01)
    assert execute(study, tmp_path / "again").fingerprint == report.fingerprint


def test_the_command_prints_the_answer_and_refuses_a_wrong_unit(tmp_path: Path, capsys) -> None:
    path = str(soft_bounds(tmp_path / "a.csv"))
    out = str(tmp_path / "run")
    assert main(["memristor", "calibrate", path, "--prefix", "u", "--out", out]) == 0
    assert "The nearest models describe set pulses by" in " ".join(capsys.readouterr().out.split())
    assert main(["memristor", "calibrate", path, "--out", str(tmp_path / "other")]) == 2
    assert "check the unit and the read voltage" in " ".join(capsys.readouterr().err.split())


@pytest.mark.data
def test_soft_bounds_lose_on_measured_set_ramps(tmp_path: Path) -> None:
    folder = Path(os.environ["ENGRAM_DATA"]) / "memristor"
    paths = tuple(str(folder / f"taox-{name}-pulses.csv") for name in ("set", "reset"))
    study = DeviceRamps(paths, quantity="current", read_voltage_v=0.1)
    found = rows(execute(study, tmp_path / "run"), "Models of set pulses")
    assert found["soft-bounds"][1] >= 0.99 * max(row[1] for row in found.values())
