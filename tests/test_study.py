import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from rich.console import Console

from engram.journal import Journal
from engram.progress import Step
from engram.report import Report, Scalar, load_report
from engram.study import check_at_least, execute, run_folder


class Mode(Enum):
    FAST = "fast"


@dataclass(frozen=True)
class Toy:
    """Draws a number in each of `pieces` pieces of work."""

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "A toy"
    question: ClassVar[str] = "What is the sum?"

    seed: int = 0
    pieces: int = 6
    pause_s: float = 0.0
    mode: Mode = Mode.FAST
    log: Path | None = None

    def run(self, report: Report, journal: Journal) -> None:
        journal.expect(self.pieces)
        total = 0.0
        for piece in range(self.pieces):
            total += journal.once(f"piece {piece}", lambda piece=piece: self.draw(piece))["x"]
        report.add(Scalar("sum", total))

    def draw(self, piece: int) -> dict[str, float]:
        time.sleep(self.pause_s)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{piece}\n")
        return {"x": float(np.random.default_rng((self.seed, piece)).normal())}


@dataclass(frozen=True)
class Stopped(Toy):
    """Raises the exception that the class variable holds after `after` pieces."""

    error: ClassVar[type[BaseException] | None] = None
    after: ClassVar[int] = 2

    def draw(self, piece: int) -> dict[str, float]:
        if self.error is not None and piece == self.after:
            raise self.error
        return super().draw(piece)


@pytest.fixture
def quiet() -> Console:
    return Console(file=StringIO())


def said(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_run_answers_and_says_where_the_answer_comes_from(tmp_path: Path, quiet: Console) -> None:
    report = execute(Toy(seed=3), tmp_path, quiet)
    expected = sum(np.random.default_rng((3, piece)).normal() for piece in range(6))
    assert report.scalars[0].value == pytest.approx(expected)
    source = load_report(tmp_path).provenance
    assert source.status == "complete"
    assert source.settings == {"seed": 3, "pieces": 6, "pause_s": 0.0, "mode": "fast", "log": None}
    assert source.versions["numpy"] == np.__version__
    assert source.duration_s is not None
    assert (tmp_path / "report.html").exists()
    assert said(quiet) == ""


@pytest.mark.parametrize("seed", [-1, 2**64, 2**63 - 1, 1.5, "a"])
def test_a_seed_that_no_generator_takes_is_refused_first(
    seed: Any, tmp_path: Path, quiet: Console
) -> None:
    with pytest.raises(ValueError, match="seed is"):
        execute(Toy(seed=seed), tmp_path / "run", quiet)
    assert not (tmp_path / "run").exists()


def test_a_complete_run_starts_anew(tmp_path: Path, quiet: Console) -> None:
    study = Toy(log=tmp_path / "log")
    first = execute(study, tmp_path / "run", quiet)
    assert execute(study, tmp_path / "run", quiet).fingerprint == first.fingerprint
    assert (tmp_path / "log").read_text().split() == [*"012345", *"012345"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_stopped_run_resumes_where_it_stopped(
    tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    study = Stopped(log=tmp_path / "log")
    whole = execute(study, tmp_path / "whole", quiet)
    (tmp_path / "log").unlink()
    monkeypatch.setattr(Stopped, "error", error)
    with pytest.raises(error):
        execute(study, tmp_path / "run", quiet)
    monkeypatch.setattr(Stopped, "error", None)
    resumed = execute(study, tmp_path / "run", quiet)
    assert (tmp_path / "log").read_text().split() == [*"012345"]
    assert resumed.fingerprint == whole.fingerprint
    assert "2 pieces of work are already done" in said(quiet)


def test_an_interrupt_leaves_a_partial_report_that_says_what_it_lacks(
    tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stopped, "error", KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        execute(Stopped(), tmp_path, quiet)
    source = load_report(tmp_path).provenance
    assert (source.status, source.missing) == ("partial", "4 of 6 pieces of work")
    assert str(tmp_path / "report.html") in said(quiet)
    assert "4 of 6 pieces of work" in (tmp_path / "report.html").read_text()


def test_fresh_discards_an_incomplete_run(
    tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Stopped(log=tmp_path / "log")
    monkeypatch.setattr(Stopped, "error", RuntimeError)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            execute(study, tmp_path / "run", quiet, fresh=True)
    assert (tmp_path / "log").read_text().split() == [*"0101"]


def test_a_killed_run_resumes_to_the_same_report(tmp_path: Path, quiet: Console) -> None:
    folder = tmp_path / "run"
    journal = folder / "journal.jsonl"
    with subprocess.Popen([sys.executable, __file__, str(folder)]) as process:
        wait_for(lambda: journal.exists() and len(journal.read_bytes().splitlines()) >= 4)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "report.json").exists()
    with journal.open("ab") as file:
        file.write(b'{"key": "piece 5", "val')

    study = Toy(seed=7, pieces=40, pause_s=0.02)
    resumed = execute(study, folder, quiet)
    assert "Resuming" in said(quiet)
    assert resumed.fingerprint == execute(study, tmp_path / "whole", quiet).fingerprint
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["key"] for line in lines[1:-1]] == [f"piece {i}" for i in range(40)]


def test_a_folder_of_other_settings_is_refused(tmp_path: Path, quiet: Console) -> None:
    execute(Toy(seed=1), tmp_path, quiet)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(ValueError, match="other settings"):
        execute(Toy(seed=2), tmp_path, quiet)
    assert (tmp_path / "report.json").read_bytes() == before
    assert execute(Toy(seed=2), tmp_path, quiet, fresh=True).provenance.seed == 2


def test_the_folder_follows_from_the_settings(
    tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = run_folder(Toy())
    assert folder.parent == Path("runs")
    assert folder.name.startswith("toy-")
    assert run_folder(Toy(seed=0)) == folder != run_folder(Toy(seed=1))
    execute(Toy(pieces=1), None, quiet)
    assert (run_folder(Toy(pieces=1)) / "report.json").exists()
    monkeypatch.setattr("engram.study.__version__", "99")
    assert run_folder(Toy()) != folder


def test_a_listener_is_told_how_many_pieces_there_are(tmp_path: Path, quiet: Console) -> None:
    steps: list[Step] = []
    execute(Toy(pieces=3), tmp_path, quiet, progress=steps.append)
    assert [(step.done, step.total, step.label) for step in steps] == [
        (0, 3, "starting"),
        *[(n + after, 3, f"piece {n}") for n in range(3) for after in (0, 1)],
    ]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the run did not get that far"
        time.sleep(0.02)


if __name__ == "__main__":
    execute(Toy(seed=7, pieces=40, pause_s=0.02), sys.argv[1])


@pytest.mark.parametrize(
    ("value", "message"),
    [(0, "batch is 0: it must be at least 1"), (2**63, f"batch is {2**63}: it must be less than")],
)
def test_a_setting_that_no_run_can_have_is_named(value: int, message: str) -> None:
    check_at_least(1, batch=1, size=None, steps=2**63 - 1)
    with pytest.raises(ValueError, match=message):
        check_at_least(1, batch=value)
