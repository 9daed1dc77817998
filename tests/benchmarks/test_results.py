"""The committed results, the pages made of them, and the commands that measure."""

import importlib
import re
from pathlib import Path

import pytest

from benchmarks import harness, neuron_page, vision_page

COMMANDS = (
    *("neuron", "vision", "policy", "prune", "relate", "train", "recipes", "retrieval", "critical"),
    "memristor",
    "captions",
)
KEYS = {"machine_info", "commit_info", "datetime", "version", "packages", "benchmarks"}


@pytest.mark.parametrize("path", sorted(harness.RESULTS.glob("*.json")), ids=lambda path: path.name)
def test_every_committed_result_has_the_one_format(path: Path) -> None:
    found = harness.read(path)
    assert found.keys() >= KEYS
    assert found["machine_info"].keys() >= {"processor", "cores", "memory", "system"}
    assert path.name.partition("-")[0] in COMMANDS
    names = [one["name"] for one in found["benchmarks"]]
    assert len(set(names)) == len(names)
    assert all(one["stats"].keys() >= {"median", "rounds"} for one in found["benchmarks"])


@pytest.mark.parametrize(("name", "maker"), [("neuron", neuron_page), ("vision", vision_page)])
def test_the_committed_pages_show_the_committed_numbers(name: str, maker) -> None:
    page = harness.page(maker.HEAD, harness.committed(name), maker.section)
    assert page == (harness.DOCS / f"{name}-speed.md").read_text(encoding="utf-8")


def test_make_bench_runs_every_benchmark() -> None:
    run = re.findall(r"-m benchmarks\.(\w+)", (harness.ROOT / "Makefile").read_text())
    # a rival runs in an environment of its own
    files = set((harness.ROOT / "benchmarks").glob("*.py")) - set(
        (harness.ROOT / "benchmarks").glob("*_rival.py")
    )
    runnable = {file.stem for file in files if "__main__" in file.read_text(encoding="utf-8")}
    assert set(run) == runnable == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_benchmark_says_what_it_takes(name, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as left:
        importlib.import_module(f"benchmarks.{name}").main()
    assert left.value.code == 0
    assert "--out" in capsys.readouterr().out
