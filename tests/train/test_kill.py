"""Trainings that are killed, in processes of their own."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from tests.train import launch

TRAINEE = "tests.train.trainee"


def whole(folder: Path, size: int, workers: int = 0) -> dict:
    """The result of a training that nothing disturbs."""
    started = launch.start(TRAINEE, [str(folder), "--workers", str(workers)], size)
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * size, said
    return read(folder, size)


def read(folder: Path, size: int) -> dict:
    return json.loads((folder / f"result-0-of-{size}.json").read_text())


def kill_once(folder: Path, size: int, workers: int, rng: random.Random, *, writing: bool) -> bool:
    """Kill a training inside a write, or at another moment; whether it had ended before."""
    options = ["--write-s", "0.2"] if writing else ["--step-s", "0.2"]
    started = launch.start(TRAINEE, [str(folder), "--workers", str(workers), *options], size)
    first, awaited = started[0], rng.randint(1, 3)
    assert first.stdout is not None
    for line in first.stdout:
        awaited -= line.startswith("writing" if writing else ("epoch", "writing"))
        if not awaited:
            time.sleep(rng.uniform(0, 0.1))
            break
    ended = first.poll() is not None
    for process in started:
        process.kill()
    for process in started:
        process.communicate()
    return ended


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("size", "workers"), [(1, 0), (1, 4), (2, 0)])
def test_a_training_that_is_killed_ends_as_if_it_had_not_been(tmp_path, size, workers):
    expected = whole(tmp_path / "whole", size, workers)
    rng, kills = random.Random(size + workers), 0
    folder = tmp_path / "killed"
    while kills < 20:
        if kill_once(folder, size, workers, rng, writing=kills % 2 == 0):
            break
        kills += 1
    assert kills >= 5
    assert whole(folder, size, workers) == expected


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_stops_both_at_one_step(tmp_path):
    expected = whole(tmp_path / "whole", 2)
    folder = tmp_path / "stopped"
    started = launch.start(TRAINEE, [str(folder), "--step-s", "1"], 2)
    assert started[1].stdout is not None
    for line in started[1].stdout:
        if line.startswith("epoch 1"):
            started[1].send_signal(signal.SIGTERM)
            break
    begin = time.monotonic()
    said = [process.communicate(timeout=60)[0] for process in started]
    assert time.monotonic() - begin < 30
    assert [process.returncode for process in started] == [143, 143], said
    assert all("reason SIGTERM" in text for text in said)
    assert whole(folder, 2) == expected


@pytest.mark.slow
def test_another_number_of_processes_continues_with_a_warning(tmp_path):
    started = launch.start(TRAINEE, [str(tmp_path), "--step-s", "1"], 2)
    assert started[0].stdout is not None
    for line in started[0].stdout:
        if line.startswith("epoch 1"):
            started[0].send_signal(signal.SIGTERM)
            break
    for process in started:
        process.communicate(timeout=60)
    (process,) = launch.start(TRAINEE, [str(tmp_path)])
    said = process.communicate(timeout=60)[0]
    assert "a training of 2 processes continues with 1" in said
    assert process.returncode == 0
