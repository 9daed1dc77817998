import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest

import engram
from engram import cli, studies
from engram.errors import EngramError
from engram.journal import Journal
from engram.report import Report, Scalar, Table, load_report


@dataclass(frozen=True)
class Toy:
    """Count.

    Args:
        seed: Seed of all the randomness.
        pieces: Number of pieces of work.
        pause_s: Time each of them takes, in seconds.
        sizes: Sizes to try.
        mode: How to count.
    """

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "A toy study"
    question: ClassVar[str] = "How many pieces?"

    seed: int = 0
    pieces: int = 2
    pause_s: float = 0.0
    sizes: tuple[int, ...] = (1, 2)
    mode: Literal["up", "down"] = "up"

    def run(self, report: Report, journal: Journal) -> None:
        if self.pieces < 1:
            raise EngramError(f"pieces is {self.pieces}; give at least 1")
        journal.expect(self.pieces)
        for piece in range(self.pieces):
            journal.once(f"piece {piece}", lambda: time.sleep(self.pause_s) or {})
        report.add(Scalar("pieces done", self.pieces))
        report.add(Table("Sizes", ["size"], [[size] for size in self.sizes]))


ENTRY = studies.StudyEntry(__name__, "Toy", "How many pieces are there?")


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = studies.StudyEntry("engram.studies.of_no_such_module", "Nothing", "Why import it?")
    monkeypatch.setattr(studies, "STUDIES", {"toy": ENTRY, "broken": broken})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def leave(*words: str) -> object:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    return end.value.code or 0


def test_version_needs_no_heavy_import() -> None:
    script = (
        "import sys; from engram.cli import main; main(['--version']);"
        "print(*{'torch', 'matplotlib', 'numba'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == [f"engram {engram.__version__}", ""]


@pytest.mark.parametrize("words", [(), ("study",), ("study", "run"), ("data",)])
def test_a_group_of_commands_prints_its_help(words, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(*words) == 0
    assert " ".join(["usage: engram", *words]) in capsys.readouterr().out


def test_list_and_help_of_the_studies_import_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["study", "list"]) == 0
    assert leave("study", "run", "--help") == 0
    assert capsys.readouterr().out.count("Why import it?") == 2


def test_every_field_of_a_study_is_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("study", "run", "toy", "--help") == 0
    text = capsys.readouterr().out
    for words in ("--seed", "--pieces", "--sizes", "{up,down}", "--out DIR", "--fresh"):
        assert words in text
    assert "Time each of them takes" in text


def test_run_prints_the_report_and_the_path_of_its_page_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "study",
        "run",
        "toy",
        "--seed",
        "5",
        "--sizes",
        "10",
        "20",
        "30",
        "--mode",
        "down",
        "--out",
        "here",
    ]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("pieces done" in line for line in lines)
    assert any(line.strip() == "30" for line in lines)
    assert Path(lines[-1]) == Path("here/report.html")
    assert (tmp_path / lines[-1]).exists()
    settings = load_report("here").provenance.settings
    assert settings["seed"] == 5
    assert settings["sizes"] == [10, 20, 30]
    assert settings["mode"] == "down"


def test_run_chooses_a_folder_by_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["study", "run", "toy"]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).parent.parent == Path("runs")


def test_fresh_takes_a_folder_over(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["study", "run", "toy", "--out", "here"]
    assert cli.main(run) == 0
    assert cli.main([*run, "--seed", "1"]) == 2
    assert "--fresh" in capsys.readouterr().err
    assert cli.main([*run, "--seed", "1", "--fresh"]) == 0


@pytest.mark.parametrize("path", ["here", "here/report.json"])
def test_show_prints_a_report_and_writes_its_page_again(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["study", "run", "toy", "--out", "here"])
    page = Path("here/report.html")
    before, ran = page.read_text(), capsys.readouterr().out
    page.unlink()
    assert cli.main(["study", "show", path]) == 0
    assert page.read_text() == before
    assert capsys.readouterr().out == ran


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("study run toi", "there is no study 'toi'; did you mean 'toy'?"),
        ("study run xyzzy", "see `engram study list`"),
        ("study run toy --pieces 0", "pieces is 0; give at least 1"),
        ("study show nowhere", "no report at"),
        ("data path digitz", "digits"),
        ("energy spikingformer_cifar_4_25", "did you mean 'spikingformer_cifar_4_2"),
        ("energy resnet18 --samples 0", "samples is 0: it must be at least 1"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_a_wrong_flag_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("study", "run", "toy", "--peices", "3") == 2
    assert "--pieces" in capsys.readouterr().err


def test_data_commands(capsys: pytest.CaptureFixture[str]) -> None:
    from engram import data

    assert cli.main(["data", "list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in data.CATALOGUE)
    assert cli.main(["data", "path", "digits"]) == 0
    assert cli.main(["data", "fetch", "digits"]) == 0
    located, fetched = capsys.readouterr().out.split()
    assert Path(located) == Path(fetched) == data.path("digits")


def test_energy_prints_a_table_a_chart_and_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "energy spikingformer_cifar_4_256 --data digits --samples 2 --steps 2 --out here"
    assert cli.main(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("head/matmul" in line for line in lines)
    assert any("\u2588" in line and "µJ" in line for line in lines)
    assert Path(lines[-1]) == Path("here/report.html")
    assert load_report("here").provenance.settings["steps"] == 2


def test_energy_has_the_settings_as_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("energy", "--help") == 0
    text = capsys.readouterr().out
    for words in ("MODEL", "--data", "--checkpoint", "--sram-pj", "--allow", "--out DIR"):
        assert words in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_the_flags_of_the_studies(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(studies, "STUDIES", {"toy": ENTRY})
    assert leave("completion", shell) == 0
    script = capsys.readouterr().out
    for word in ("toy", "sizes", "fresh", "completion", "fetch"):
        assert word in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_a_flag_of_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(studies, "STUDIES", {"toy": ENTRY})
    assert leave("completion", "bash") == 0
    script = capsys.readouterr().out
    ask = "COMP_WORDS=(engram study run toy --pie); COMP_CWORD=4; _tyro_engram; echo $COMPREPLY"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PATH": path},
    )
    assert done.stdout.strip() == "--pieces"


def test_ctrl_c_saves_a_partial_report(tmp_path: Path) -> None:
    words = ["study", "run", "toy", "--pieces", "500", "--pause-s", "0.02", "--out", "here"]
    process = subprocess.Popen(
        [sys.executable, __file__, *words], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    journal = tmp_path / "here" / "journal.jsonl"
    end = time.monotonic() + 60
    while not (journal.exists() and len(journal.read_bytes().splitlines()) > 3):
        assert time.monotonic() < end, "the run did not get that far"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.count("\n") == 1
    assert str(Path("here/report.html")) in error
    assert load_report(tmp_path / "here").provenance.status == "partial"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    studies.STUDIES["toy"] = ENTRY
    sys.exit(cli.main())
