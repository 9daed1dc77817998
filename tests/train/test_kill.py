"""Trainings that are killed, in processes of their own."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from engram.train.checkpoint import MARKER, PIECES, STATE
from tests.train import launch

TRAINEE = "tests.train.trainee"
KILLS = 20
EPOCHS = {1: "3", KILLS: "24"}
"""Enough steps for so many kills."""


def end_of(folder: Path, size: int, *options: str) -> dict:
    """The result of a training that nothing disturbs."""
    started = launch.start(TRAINEE, [str(folder), *options], size)
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * size, said
    return json.loads((folder / f"result-0-of-{size}.json").read_text())


def unfinished(folder: Path) -> bool:
    """Whether a write of a checkpoint was not finished."""
    found = (folder / "checkpoints").glob("*step-*")
    return any(not (path / MARKER).exists() for path in found)


def kill_once(folder: Path, size: int, rng: random.Random, where: str, *options: str) -> None:
    """Kill a training inside a write of a file, or at any moment where none is named."""
    hang = ["--hang", where, str(rng.randint(2, 4))] if where else ["--epoch-s", "0.02"]
    started = launch.start(TRAINEE, [str(folder), *options, *hang], size)
    assert started[0].wait_for("writing" if where else "epoch") is not None
    time.sleep(0 if where else rng.uniform(0, 0.15))
    for process in started:
        process.kill()
    assert {process.returncode for process in started} == {-signal.SIGKILL}
    assert not where or unfinished(folder)


@pytest.mark.parametrize(
    ("size", "workers"),
    [(1, 0), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((1, 1), (1, 4), (2, 0)))],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_training_that_is_killed_twenty_times_ends_as_if_it_had_not_been(tmp_path, size, workers):
    options = ["--epochs", EPOCHS[KILLS], "--workers", str(workers)]
    expected = end_of(tmp_path / "whole", size, *options)
    rng = random.Random(size + workers)
    for number in range(KILLS):
        where = ("", STATE, "", MARKER)[number % 4]
        kill_once(tmp_path / "killed", size, rng, where, *options)
    assert end_of(tmp_path / "killed", size, *options) == expected


def lose_the_second(folder: Path, *options: str) -> None:
    """Kill one of two processes after it has written its share of a checkpoint."""
    hang = ["--hang", PIECES, "2", "--hang-in", "1"]
    first, second = launch.start(TRAINEE, [str(folder), *options, *hang], 2)
    assert second.wait_for("writing") is not None
    second.kill()
    said = first.communicate()
    assert "process 0 of 2 waited for process 1 at step" in said
    assert first.returncode == 1
    assert unfinished(folder)


@pytest.mark.parametrize("kills", [1, pytest.param(KILLS, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_sharded_weights_that_are_killed_in_a_write_are_those_before(tmp_path, kills):
    options = ["--epochs", EPOCHS[kills], "--sharded"]
    expected = end_of(tmp_path / "whole", 2, *options)
    rng = random.Random(5)
    for number in range(kills):
        where = (PIECES, "", MARKER, PIECES, STATE)[number % 5]
        kill_once(tmp_path / "killed", 2, rng, where, *options)
    lose_the_second(tmp_path / "killed", *options)
    assert end_of(tmp_path / "killed", 2, *options) == expected


def stopped(folder: Path, number: int, *options: str) -> list[str]:
    """What two processes say, one of which gets SIGTERM in the second epoch."""
    started = launch.start(TRAINEE, [str(folder), "--epoch-s", "0.2", *options], 2)
    assert started[number].wait_for("epoch 1")
    started[number].send_signal(signal.SIGTERM)
    said = [process.communicate(30) for process in started]
    assert [process.returncode for process in started] == [143, 143], said
    return said


@pytest.fixture(scope="module")
def by_two(tmp_path_factory) -> tuple[Path, dict]:
    """The folder and the result of two processes that nothing disturbs, each with a folder."""
    folder = tmp_path_factory.mktemp("two")
    return folder, end_of(folder, 2, "--own-folder")


def test_a_signal_to_one_of_two_processes_stops_both_at_one_step(tmp_path, by_two):
    said = stopped(tmp_path / "stopped", 1)
    assert all("reason SIGTERM" in text for text in said)
    assert end_of(tmp_path / "stopped", 2) == by_two[1]


def test_another_number_of_processes_continues_with_a_warning(tmp_path):
    stopped(tmp_path, 0)
    (process,) = launch.start(TRAINEE, [str(tmp_path)])
    assert "a training of 2 processes continues with 1" in process.communicate()
    assert process.returncode == 0


def test_the_first_process_alone_writes(by_two):
    folder, _ = by_two
    assert (folder / "0/metrics.jsonl").exists()
    assert not (folder / "1").exists()
