"""The harness: whose turn it is, what it says of the times, and what it calls and writes a file."""

import gc
import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.cli import main as pytest_benchmark
from pytest_benchmark.stats import Stats

from benchmarks import harness
from engram.report.provenance import hardware

FACTS = {
    "processor": "Intel(R) Xeon(R) Processor",
    "cores": "2",
    "memory": "24 GiB",
    "accelerator": "none",
    "system": "Linux x86_64",
    "vendor": "GenuineIntel",
    "family": "6",
    "model": "85",
    "stepping": "4",
    "cache": "36608 KB",
    "instruction_sets": "avx avx2 avx512f fma sse2",
}
ENTRY = ("neuron", "lif forward", "engram lif forward")


class Clock:
    """A clock that moves only when a contender runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.turns: list[str] = []
        monkeypatch.setattr(harness.time, "perf_counter", lambda: self.now)

    def run(self, name: str, seconds: float) -> None:
        self.turns.append(name)
        self.now += seconds


@pytest.mark.parametrize(("warm", "one_round"), [(True, "aabb"), (False, "ab")])
def test_contenders_take_turns_round_by_round(warm, one_round, monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"a": partial(clock.run, "a", 1.0), "b": partial(clock.run, "b", 10.0)}
    times = harness.interleave(calls, 3, warm=warm)
    assert times == {"a": [1.0] * 3, "b": [10.0] * 3}
    assert "".join(clock.turns) == "ab" + 3 * one_round


def test_the_number_of_rounds_fits_the_time_within_bounds(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"a": partial(clock.run, "a", 1.0), "b": partial(clock.run, "b", 3.0)}
    # a round runs each contender twice: 8 seconds
    assert harness.rounds_within(calls, 80.0) == 10
    assert harness.rounds_within(calls, 0.1) == 5
    assert harness.rounds_within(calls, 1e6) == 100


def test_nothing_is_collected_while_the_time_runs():
    seen: list[bool] = []
    harness.interleave({"a": lambda: seen.append(gc.isenabled())}, 2)
    assert seen == [True] + [False] * 4
    assert gc.isenabled()


def test_a_contender_that_fails_leaves_the_collector_on():
    left = iter([None, None])
    with pytest.raises(StopIteration):
        harness.interleave({"a": partial(next, left)}, 5)
    assert gc.isenabled()


@pytest.mark.parametrize("rounds", [3, 5, 6, 7, 8, 100])
def test_the_statistics_are_those_of_numpy_and_pytest_benchmark(rounds):
    times = np.random.default_rng(rounds).lognormal(-7, 1.5, rounds).tolist()
    found = harness.describe(times)
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75], method="weibull")
    reach = 1.5 * (high - low)
    inside = [t for t in times if low - reach <= t <= high + reach]
    expected = {
        "median": median,
        "q1": low,
        "q3": high,
        "iqr": high - low,
        "stddev": np.std(times, ddof=1),
        "mean": np.mean(times),
        "total": np.sum(times),
        "ld15iqr": min(inside),
        "hd15iqr": max(inside),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=6e-5)
    assert found["iqr_outliers"] == rounds - len(inside)
    theirs = Stats()
    for seconds in times:
        theirs.update(seconds)
    same = ("min", "max", "mean", "stddev", "median", "ops", "total", "rounds", "stddev_outliers")
    fields = theirs.as_dict()
    assert {n: found[n] for n in same} == pytest.approx({n: fields[n] for n in same}, rel=6e-5)
    assert set(found) == set(Stats.fields) | {"iterations"}


def test_two_rounds_have_no_quartiles():
    with pytest.raises(ValueError, match="rounds=2: quartiles need at least 3 rounds"):
        harness.describe([1.0, 2.0])


@pytest.mark.parametrize("fact", FACTS)
def test_two_machines_that_differ_in_any_fact_write_two_files(fact):
    names = {harness.file_name("neuron", FACTS | {fact: value}) for value in (FACTS[fact], "other")}
    assert len(names) == 2


def test_a_name_depends_on_the_facts_alone_and_says_what_it_is():
    name = harness.file_name("neuron", FACTS)
    assert name == harness.file_name("neuron", dict(reversed(FACTS.items())))
    assert re.fullmatch(r"neuron-intel-r-xeon-r-processor-2-cores-[0-9a-f]{8}\.json", name)
    assert harness.file_name("vision", FACTS) != name


X86 = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Processor
stepping\t: 4
cache size\t: 36608 KB
flags\t\t: sse2 fma avx512f avx2 avx
bugs\t\t: spectre_v1

processor\t: 1
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
"""
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd aes sve
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd40
CPU revision\t: 1

processor\t: 1
"""


def test_the_processor_is_read_on_x86_and_on_arm():
    kept = ("vendor", "family", "model", "stepping", "cache", "instruction_sets")
    assert harness.processor(X86) == {name: FACTS[name] for name in kept}
    assert harness.processor(ARM) == {
        "vendor": "0x41",
        "family": "8",
        "model": "0xd40",
        "variant": "0x1",
        "stepping": "1",
        "instruction_sets": "aes asimd fp sve",
    }


def test_this_machine_has_its_hardware_and_more():
    facts = harness.machine()
    assert hardware().items() < facts.items()
    assert all(isinstance(value, str) and value for value in facts.values())


def results() -> dict[str, Any]:
    one = harness.entry(*ENTRY, [1.0, 2.0, 3.0], {"T": 4, "contender": "engram"}, share=1 / 3)
    two = harness.entry("policy", "1x", "1x: word", [0.1, 0.3, 0.2])
    return harness.result(FACTS, {"numpy": "2.0"}, [one, two], about="φ ≥ 0.5", sizes={"n": 3})


def test_what_is_written_is_read_again(tmp_path):
    found, path = results(), tmp_path / "deep" / "neuron.json"
    harness.write(path, found)
    assert harness.read(path) == found == json.loads(path.read_text(encoding="utf-8"))
    assert "φ ≥ 0.5" in path.read_text(encoding="utf-8")
    assert sum(line.startswith('{"group"') for line in path.read_text().splitlines()) == 2
    one = found["benchmarks"][0]
    assert one["extra_info"] == {"share": 0.33333}
    assert (one["param"], one["fullname"]) == ("engram", f"benchmarks/neuron.py::{ENTRY[2]}")


def test_pytest_benchmark_reads_a_result(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    harness.write(tmp_path / "neuron.json", results())
    monkeypatch.setattr("sys.argv", ["pytest-benchmark", "compare", "neuron.json"])
    pytest_benchmark()
    shown = capsys.readouterr().out
    assert "engram lif forward" in shown
    assert "1x: word" in shown


def test_a_function_runs_in_a_process_of_its_own():
    assert harness.in_own_process("builtins", "float", "2.5") == 2.5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_the_peak_of_memory_grows_with_what_is_held():
    before = harness.peak_memory()
    held = np.ones(2**24)
    assert harness.peak_memory() >= before
    assert harness.peak_memory() >= held.nbytes / 2**20


def test_the_latest_result_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    for name, day in (("a", "2026-01-01"), ("b", "2026-03-01"), ("c", "2026-02-01")):
        harness.write(tmp_path / f"neuron-{name}.json", results() | {"datetime": day})
    assert [path.name[7] for path in harness.committed("neuron")] == ["b", "c", "a"]
    with pytest.raises(SystemExit, match=r"run python -m benchmarks\.vision"):
        harness.committed("vision")


def test_the_heading_tells_two_processors_of_one_name_apart():
    path = Path("neuron-x.json")
    other = harness.result(FACTS | {"model": "143"}, {}, [])
    assert "## Intel(R) Xeon(R) Processor (family 6, model 85, stepping 4), 2 cores" in (
        harness.heading(path, results())
    )
    assert "model 143" in harness.heading(path, other)
