"""`engram critical measure`: a recording from its file to the verdict."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engram.errors import EngramError
from engram.report import Report
from engram.studies.recording import RecordingCriticality
from engram.study import execute


def write_poisson(path: Path, n_unit: int = 8, rate_hz: float = 4.0) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        (unit, t)
        for unit in range(n_unit)
        for t in np.sort(rng.uniform(0, 300, rng.poisson(300 * rate_hz)))
    ]
    path.write_text("unit,time_s\n" + "\n".join(f"{u},{t:.6f}" for u, t in rows))
    return path


def cells(report: Report, title: str) -> dict[str, list]:
    (table,) = [table for table in report.tables if table.title == title]
    return {str(row[0]): list(row) for row in table.rows}


def test_independent_spikes_are_irregular_and_not_critical(tmp_path):
    study = RecordingCriticality(str(write_poisson(tmp_path / "a.csv")), draws=40)
    report = execute(study, tmp_path / "run")
    assert report.to_dict()["answer"].startswith("Criticality is not shown in a.csv: ")
    found = cells(report, "Irregularity")
    for measure in ("CV", "CV2", "Lv", "Fano"):
        assert found[measure][2] == 8
        assert found[measure][3] == pytest.approx(1.0, abs=0.1)
    numbers = {scalar.name: scalar for scalar in report.scalars}
    # independent spikes: no memory, and counts without long-range correlation
    exponent = numbers["DFA exponent"]
    assert exponent.low <= 0.5 <= exponent.high
    assert numbers["branching ratio"].low < 0.2
    assert numbers["κ of the sizes against an exponent of 1.5"].value < 1
    titles = [section.title for section in report.sections]
    assert titles == ["The recording", "Irregularity", "Population", "Avalanches"]
    assert any(note.startswith("Methods: avalanches are runs of bins") for note in report.notes)
    again = execute(study, tmp_path / "again")
    assert again.fingerprint == report.fingerprint


@pytest.mark.data
def test_rat_v1_has_the_published_numbers_beside_ours(tmp_path):
    path = Path(os.environ["ENGRAM_DATA"]) / "neural/ma2019-v1/sample_data.npy"
    study = RecordingCriticality(str(path), dt_s=0.05, quantile=0.25, draws=40)
    report = execute(study, tmp_path / "run")
    found = cells(report, "By the procedure of Ma et al. (2019)")
    assert found["avalanches"][1] == "4879"
    assert found["size exponent"][1:] == ["1.7185", "6 to 179"]
    assert found["duration exponent"][1:] == ["2.0418", "3 to 70"]
    assert found["fitted slope"][1] == "1.1732"
    assert found["deviation"][1] == "0.27683"


def test_what_cannot_be_measured_is_said_and_the_rest_is_measured(tmp_path):
    (tmp_path / "a.csv").write_text("unit,time_s\n1,0.5\n1,0.7\n2,0.9\n2,4.0\n")
    report = execute(RecordingCriticality(str(tmp_path / "a.csv"), draws=20), tmp_path / "run")
    assert "not shown" in report.to_dict()["answer"]
    assert "too few intervals" in cells(report, "Irregularity")["CV"][4]
    refused = cells(report, "Not measured")
    assert "200 steps" in refused["branching ratio"][1]
    assert "320 steps" in refused["DFA exponent"][1]
    (tmp_path / "b.csv").write_text("unit,time_s\n1,0.5\n")
    with pytest.raises(EngramError, match="spike"):
        execute(RecordingCriticality(str(tmp_path / "b.csv")), tmp_path / "run2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"surrogates": 3}, "surrogates"), ({"quantile": 1.0}, "quantile"), ({"dt_s": -1.0}, "dt_s")],
)
def test_settings_are_checked_before_the_file_is_read(settings, message):
    with pytest.raises(EngramError, match=message):
        RecordingCriticality("nowhere.nwb", **settings)


def test_the_command_prints_json_and_never_loads_torch(tmp_path):
    path = write_poisson(tmp_path / "a.csv", 4)
    code = (
        "import sys\n"
        f"sys.argv = ['engram', 'critical', 'measure', {str(path)!r}, '--draws', '20', '--json',"
        f" '--out', {str(tmp_path / 'run')!r}]\n"
        "from engram.cli import main\n"
        "code = main()\n"
        "assert 'torch' not in sys.modules\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["title"] == "a.csv"
    assert (tmp_path / "run" / "report.html").exists()
