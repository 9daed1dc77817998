"""What the benchmarks share: turns, statistics, the facts of a machine, and one file format.

A result is a JSON file with the layout of pytest-benchmark, so that `pytest-benchmark compare`
reads its times. `benchmarks` has an entry for each contender in each cell; what is not a time
stands beside it, under keys of its own. The name of a file ends with a digest of all facts of the
hardware, so that different machines write different files.
"""

import argparse
import ctypes
import gc
import hashlib
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from engram import __version__
from engram.report.provenance import hardware

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
PROCESSOR = {
    "vendor_id": "vendor",
    "cpu family": "family",
    "model": "model",
    "stepping": "stepping",
    "cache size": "cache",
    "flags": "instruction_sets",
    "CPU implementer": "vendor",
    "CPU architecture": "family",
    "CPU part": "model",
    "CPU variant": "variant",
    "CPU revision": "stepping",
    "Features": "instruction_sets",
}
"""Labels of /proc/cpuinfo on x86 and on Arm, and the names of these facts in a result."""
RIVALS = ("spikingjelly", "snntorch", "numba")
"""Packages whose versions matter to the benchmarks that run beside them."""

Result = dict[str, Any]
Name = TypeVar("Name")


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="the file; by default one in docs/results")
    return parser


def timing_arguments(about: str | None, seconds: float, what: str) -> argparse.ArgumentParser:
    """Return a parser for a benchmark that takes turns and has a page.

    Args:
        about: The documentation of the benchmark.
        seconds: Seconds per unit of work, by default.
        what: The unit of work, such as "cell".
    """
    parser = arguments(about)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=seconds, help=f"about, per {what}")
    parser.add_argument("--page", action="store_true", help="write the page; measure nothing")
    return parser


def interleave(
    calls: Mapping[Name, Callable[[], Any]], rounds: int, *, warm: bool = True
) -> dict[Name, list[float]]:
    """Time calls that take turns, one turn each per round, after one call of each.

    Args:
        calls: The contenders by name.
        rounds: The number of rounds.
        warm: Whether a turn begins with a call that is not timed, which warms the caches.

    Returns:
        The seconds of each round, by contender.
    """
    for call in calls.values():
        call()
    times: dict[Name, list[float]] = {name: [] for name in calls}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, call in calls.items():
                if warm:
                    call()
                begin = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - begin)
    finally:
        if collecting:
            gc.enable()
    return times


def rounds_within(calls: Mapping[Any, Callable[[], Any]], seconds: float) -> int:
    """Return how many rounds take about this many seconds, between 5 and 100."""
    for call in calls.values():
        call()
    begin = time.perf_counter()
    for call in calls.values():
        call()
    return max(5, min(100, int(seconds / 2 / (time.perf_counter() - begin))))


def keep_freed_memory() -> None:
    """Ask glibc's allocator to map no block apart and to return no memory to the system."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        m_trim_threshold, m_mmap_max = -1, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def peak_memory() -> float:
    """Return the peak of the memory of this process, in MiB (Linux).

    What getrusage returns would begin with the peak of the parent process.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError("/proc/self/status has no line VmHWM: peak memory needs Linux")
    return int(found[1]) / 1024


APART = """
import importlib, sys
module, function, *words = sys.argv[1:]
print(repr(getattr(importlib.import_module(module), function)(*words)))
"""


def in_own_process(module: str, function: str, *words: str | int | Path) -> float:
    """Return the number that a function of a benchmark returns in a process of its own.

    Args:
        module: The module, such as "benchmarks.neuron".
        function: The name of the function, which takes strings.
        words: What it is called with.
    """
    done = subprocess.run(
        [sys.executable, "-c", APART, module, function, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return float(done.stdout.split()[-1])


def describe(times: Sequence[float]) -> dict[str, Any]:
    """Return the statistics of pytest-benchmark over at least three times, to five digits.

    The quartiles are those of `statistics.quantiles`. An outlier lies more than one standard
    deviation from the mean, or more than 1.5 interquartile ranges beyond the quartiles.
    """
    if len(times) < 3:
        raise ValueError(f"rounds={len(times)}: quartiles need at least 3 rounds")
    mean, deviation = statistics.mean(times), statistics.stdev(times)
    low, median, high = statistics.quantiles(times, n=4)
    reach = 1.5 * (high - low)
    inside = [seconds for seconds in times if low - reach <= seconds <= high + reach]
    far = sum(not mean - deviation <= seconds <= mean + deviation for seconds in times)
    beyond = len(times) - len(inside)
    stats = {
        "min": min(times),
        "max": max(times),
        "mean": mean,
        "stddev": deviation,
        "median": median,
        "q1": low,
        "q3": high,
        "iqr": high - low,
        "rounds": len(times),
        "iterations": 1,
        "ops": 1 / mean,
        "total": sum(times),
        "outliers": f"{far};{beyond}",
        "stddev_outliers": far,
        "iqr_outliers": beyond,
        "ld15iqr": min(inside),
        "hd15iqr": max(inside),
    }
    return {name: rounded(value) for name, value in stats.items()}


def rounded(value: Any) -> Any:
    """Return a float to five significant digits, and anything else as it is."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


def entry(
    benchmark: str,
    group: str,
    name: str,
    times: Sequence[float],
    params: dict[str, Any] | None = None,
    **extra: Any,
) -> Result:
    """Return one contender in one cell, as pytest-benchmark writes it.

    Args:
        benchmark: The benchmark, such as "neuron".
        group: The cell.
        name: The contender in this cell; unique within the file.
        times: Seconds of each round.
        params: What tells this entry from the others.
        extra: Further numbers of this entry.
    """
    return {
        "group": group,
        "name": name,
        "fullname": f"benchmarks/{benchmark}.py::{name}",
        "params": params,
        "param": None if params is None else params.get("contender"),
        "extra_info": {key: rounded(value) for key, value in extra.items()},
        "options": {"timer": "perf_counter", "warmup": True, "disable_gc": True},
        "stats": describe(times),
    }


def machine() -> dict[str, str]:
    """Return the hardware, with the processor's family, model, stepping and instruction sets."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    return hardware() | (processor(text) or {"model": platform.processor() or "unknown"})


def processor(cpuinfo: str) -> dict[str, str]:
    """Return the facts that /proc/cpuinfo states of the first processor."""
    found = {}
    for line in cpuinfo.strip().partition("\n\n")[0].splitlines():
        label, _, value = line.partition(":")
        if label.strip() in PROCESSOR:
            found[PROCESSOR[label.strip()]] = value.strip()
    if "instruction_sets" in found:
        found["instruction_sets"] = " ".join(sorted(found["instruction_sets"].split()))
    return found


def file_name(benchmark: str, facts: Mapping[str, str]) -> str:
    """Return the name of a result: the benchmark, the processor, and a digest of all facts."""
    slug = re.sub(r"\W+", "-", facts["processor"]).strip("-").lower() or "unknown"
    digest = hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()[:8]
    return f"{benchmark}-{slug}-{facts['cores']}-cores-{digest}.json"


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages."""
    return {name: version(name) for name in names}


def result(
    facts: Mapping[str, str], packages: Mapping[str, str], benchmarks: list[Result], **found: Any
) -> Result:
    """Return a result, as `write` writes it.

    Args:
        facts: The machine, from `machine`.
        packages: Versions of the packages that the result depends on.
        benchmarks: Entries, from `entry`.
        found: What is not a time, by name.
    """
    return {
        "machine_info": {**facts, "python_version": platform.python_version()},
        "commit_info": {"id": __version__, "dirty": False, "time": ""},
        "datetime": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": "5.0.0",
        "packages": dict(packages),
        "benchmarks": benchmarks,
        **found,
    }


def dumps(found: Result) -> str:
    """Return a result as JSON with one line per item, so that a change shows what it changes."""

    def compact(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    parts = []
    for key, value in found.items():
        many = isinstance(value, list) and value
        text = "[\n" + ",\n".join(map(compact, value)) + "\n]" if many else compact(value)
        parts.append(f"{compact(key)}:{text}")
    return "{" + ",\n".join(parts) + "}\n"


def write(path: Path, found: Result) -> None:
    """Write a result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(found), encoding="utf-8")


def read(path: Path) -> Result:
    """Read a result."""
    return json.loads(path.read_text(encoding="utf-8"))


def committed(benchmark: str) -> dict[Path, Result]:
    """Return the results of a benchmark in docs/results, the latest first."""
    found = {path: read(path) for path in sorted(RESULTS.glob(f"{benchmark}-*.json"))}
    if not found:
        raise SystemExit(f"no {RESULTS}/{benchmark}-*.json: run python -m benchmarks.{benchmark}")
    return dict(sorted(found.items(), key=lambda item: item[1]["datetime"], reverse=True))


def page(head: str, results: Mapping[Path, Result], section: Callable[[Result], list[str]]) -> str:
    """Return a page: its head, and for each result the machine, the versions and a section."""
    parts = [head]
    for path, found in results.items():
        parts += [heading(path, found), *section(found)]
    return "\n".join(parts).rstrip("\n") + "\n"


def heading(path: Path, found: Result) -> str:
    """Return the heading of a result: hardware, file, date and versions."""
    facts = found["machine_info"]
    names = [name for name in ("family", "model", "stepping") if name in facts]
    kind = f" ({', '.join(f'{name} {facts[name]}' for name in names)})" if names else ""
    versions = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return (
        f"\n## {facts['processor']}{kind}, {facts['cores']} cores\n\n"
        f"[{path.name}](results/{path.name}), {found['datetime'][:10]}; {versions}.\n"
    )


def thread_columns(first: str, threads: Sequence[int]) -> list[str]:
    """Return the head of a Markdown table with a column for each number of threads."""
    head = [first, *(f"{count} thread{'s' * (count > 1)}" for count in threads)]
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
