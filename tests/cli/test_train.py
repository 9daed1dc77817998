import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engram.cli import main

MODEL = "tests.studies.test_model_training:small"
WORDS = ["train", "--model", MODEL, "--limit", "100", "--batch", "32"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_training_is_reported_with_the_path_of_its_page_last(capsys, tmp_path):
    assert main([*WORDS, "--epochs", "2", "--out", "run"]) == 0
    assert capsys.readouterr().out.split()[-1] == "run/report.html"
    assert (tmp_path / "run/report.json").exists()
    assert (tmp_path / "run/seed-0/metrics.jsonl").exists()


def test_a_training_that_is_stopped_exits_with_143_and_says_how_to_continue(
    capsys, tmp_path, monkeypatch
):
    limited = [*WORDS, "--epochs", "30", "--out", "run"]
    words = [*limited, "--time-limit-s", "1e-6", "--fresh"]
    monkeypatch.setattr("sys.argv", ["engram", *words])
    assert main(words) == 143
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith(f"to continue: engram {' '.join(words[:-1])} --resume")
    assert not (tmp_path / "run/report.html").exists()
    assert main([*limited, "--resume"]) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_a_training_with_143_and_a_checkpoint(capsys, tmp_path, monkeypatch, number):
    def send(_model, _shares, epoch):
        if epoch == 1:
            os.kill(os.getpid(), number)

    words = [*WORDS, "--epochs", "3", "--out", "run"]
    with monkeypatch.context() as patch:
        patch.setattr("engram.studies.model_training.study._fade", send)
        assert main(words) == 143
    said = capsys.readouterr().err
    assert f"Stopped by {number.name}; to continue: engram" in " ".join(said.split())
    assert len(list((tmp_path / "run/seed-0/checkpoints").glob("*/complete.json"))) == 2
    assert main([*words, "--resume"]) == 0


def test_a_change_of_the_epochs_is_refused_with_both_numbers(capsys):
    assert main([*WORDS, "--epochs", "2", "--out", "run"]) == 0
    assert main([*WORDS, "--epochs", "3", "--out", "run"]) == 2
    assert "epochs=2 became 3" in capsys.readouterr().err


def test_files_for_tensorboard_hold_the_course_of_the_training(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert main([*WORDS, "--epochs", "2", "--out", "run", "--tensorboard"]) == 0
    found = events.EventAccumulator(str(tmp_path / "run/seed-0/tensorboard")).Reload()
    assert len(found.Scalars("train_loss")) == 2
    assert len(found.Scalars("gradient_norm")) == 2


def test_two_trainings_are_compared(capsys):
    assert main([*WORDS, "--epochs", "1", "--out", "one"]) == 0
    assert main([*WORDS, "--epochs", "2", "--out", "two"]) == 0
    capsys.readouterr()
    assert main(["study", "compare", "one", "two"]) == 0
    said = capsys.readouterr().out
    assert "epochs" in said
    assert "Accuracy" in said


@pytest.mark.slow
def test_torchrun_starts_two_processes_of_one_training(tmp_path):
    scripts = Path(sys.executable).parent
    words = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "--no-python", str(scripts / "engram"), *WORDS, "--epochs", "2", "--out", "run",
    ]  # fmt: skip
    here = Path(__file__).parents[2]
    paths = os.pathsep.join((str(here), str(here / "src")))
    ran = subprocess.run(
        words, env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}, cwd=tmp_path,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[-1] == "run/report.html"
    assert ran.stdout.count("report.html") == 1
