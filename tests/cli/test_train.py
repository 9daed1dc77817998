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


def test_a_training_that_is_stopped_exits_with_143_and_says_how_to_continue(capsys, tmp_path):
    limited = [*WORDS, "--epochs", "30", "--out", "run"]
    assert main([*limited, "--time-limit-s", "1e-6"]) == 143
    assert "to continue, give the same command again: engram" in capsys.readouterr().err
    assert not (tmp_path / "run/report.html").exists()
    assert main(limited) == 0


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
