"""Spiking neurons against their rivals, in one process, every cell interleaved.

    python -m benchmarks.neuron                  measures, and writes docs/results/neuron-….json
    python -m benchmarks.neuron --neurons lif    measures a part again; the file keeps the others
    python -m benchmarks.neuron --page           writes docs/neuron-speed.md and its picture

The file has the layout of pytest-benchmark, so that `pytest-benchmark compare` reads it. A cell is
one neuron, direction, T, N and number of threads; all contenders of a cell take turns, round by
round, and so do two floors: a copy of the input into memory that is there already and, for the
parallel neurons, the dense matrix products alone. A turn is a call that warms the caches and a call
that is timed. The allocator keeps freed memory, as jemalloc and tcmalloc do: with that of glibc,
the page faults of fresh memory hide what is measured.
"""

import argparse
import ctypes
import gc
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engram import __version__, neuron
from engram.report.provenance import hardware, versions

RESULTS = Path(__file__).parents[1] / "docs" / "results"
STEPS = (4, 16, 64, 256)
NEURONS = (2**12, 2**14, 2**16, 2**18)
LARGEST = 2**24
"""Most neuron-steps in a cell: beyond it the rivals' graphs fill the memory of a small machine."""


class Contender(NamedTuple):
    """A neuron of one of the packages."""

    run: Callable[[Tensor], Tensor]
    parameters: tuple[Tensor, ...] = ()


def contenders(kind: str, T: int) -> dict[str, Contender]:
    """Ours, our reference in plain torch, and the rivals that have this neuron; equal settings."""
    import snntorch
    from spikingjelly.activation_based import functional, surrogate
    from spikingjelly.activation_based import neuron as sj

    k = min(T, 32)
    atan = surrogate.ATan()
    ours, theirs = {
        "lif": lambda: (neuron.LIF(), sj.LIFNode(surrogate_function=atan, step_mode="m")),
        "psn": lambda: (neuron.PSN(T), sj.PSN(T, surrogate_function=atan)),
        "masked": lambda: (
            neuron.MaskedPSN(k, T, lam=1.0),
            sj.MaskedPSN(k, T, lambda_init=1.0, surrogate_function=atan, step_mode="m"),
        ),
        "sliding": lambda: (
            neuron.SlidingPSN(k),
            sj.SlidingPSN(k, surrogate_function=atan, step_mode="m"),
        ),
    }[kind]()

    def referred(x: Tensor) -> Tensor:
        with neuron.reference():
            return ours(x)

    def spikingjelly(x: Tensor) -> Tensor:
        functional.reset_net(theirs)
        return theirs(x)

    found = {
        "engram": Contender(ours, tuple(ours.parameters())),
        "reference": Contender(referred, tuple(ours.parameters())),
        "spikingjelly": Contender(spikingjelly, tuple(theirs.parameters())),
    }
    if kind == "lif":
        leaky = snntorch.Leaky(
            beta=0.5, spike_grad=snntorch.surrogate.atan(), reset_mechanism="zero"
        )

        def snn(x: Tensor) -> Tensor:
            membrane, spikes = leaky.init_leaky(), []
            for x_t in x:
                s_t, membrane = leaky(x_t, membrane)
                spikes.append(s_t)
            return torch.stack(spikes)

        found["snntorch"] = Contender(snn)
    return found


def forward(contender: Contender, x: Tensor, _: Tensor) -> None:
    """Spikes of a sequence, with nothing kept for a backward."""
    with torch.no_grad():
        contender.run(x)


def forward_backward(contender: Contender, x: Tensor, g: Tensor) -> None:
    """Spikes, and the gradients of the input and the parameters."""
    leaf = x.detach().requires_grad_()
    torch.autograd.grad(contender.run(leaf), (leaf, *contender.parameters), g)


DIRECTIONS = {"forward": forward, "forward+backward": forward_backward}


def products(direction: str, x: Tensor, g: Tensor, weight: Tensor, room: Tensor) -> None:
    """The products of a dense parallel neuron alone, by BLAS, into memory that is there."""
    torch.mm(weight, x, out=room)
    if direction != "forward":
        torch.mm(weight.t(), g, out=room)
        torch.mm(g, x.t(), out=torch.empty_like(weight))


def interleave(calls: dict[str, Callable[[], None]], seconds: float) -> dict[str, list[float]]:
    """Times of each call, in rounds in which each takes one turn, for about so long in all."""
    for call in calls.values():
        call()
    start = time.perf_counter()
    for call in calls.values():
        call()
    rounds = max(5, min(100, int(seconds / 2 / (time.perf_counter() - start))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    gc.disable()
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            begin = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begin)
    gc.enable()
    return times


def cells(kinds: list[str], threads: list[int]) -> Iterator[tuple[int, str, str, int, int]]:
    """Every cell of the grid."""
    for count in threads:
        for kind in kinds:
            for direction in DIRECTIONS:
                for T in STEPS:
                    for N in NEURONS:
                        if T * N <= LARGEST:
                            yield count, kind, direction, T, N


def measure(kinds: list[str], threads: list[int], seconds: float) -> list[dict[str, Any]]:
    """All cells, as the benchmarks of pytest-benchmark."""
    entries = []
    for cell in cells(kinds, threads):
        times = measure_cell(*cell, seconds)
        group = "{1} {2} T={3} N={4} threads={0}".format(*cell)
        params = dict(zip(("threads", "neuron", "direction", "T", "N"), cell, strict=True))
        entries += [entry(group, name, params, seen) for name, seen in times.items()]
        print(group.ljust(48), summary(times), flush=True)
    return entries


def measure_cell(
    threads: int, kind: str, direction: str, T: int, N: int, seconds: float
) -> dict[str, list[float]]:
    """Times of all contenders in one cell, and of the copy."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x, g = torch.randn(T, N), torch.randn(T, N)
    room, run = torch.empty_like(x), DIRECTIONS[direction]
    calls = {name: partial(run, other, x, g) for name, other in contenders(kind, T).items()}
    calls["memcpy"] = lambda: room.copy_(x)
    if kind != "lif":
        calls["products"] = partial(products, direction, x, g, torch.randn(T, T), room)
    return interleave(calls, seconds)


def summary(times: dict[str, list[float]]) -> str:
    """Our median, over the floor, and how many times longer the others take."""
    medians = {name: statistics.median(seen) for name, seen in times.items()}
    ours, floor = medians.pop("engram"), medians.pop("memcpy")
    others = "  ".join(f"{name} {median / ours:.2f}x" for name, median in medians.items())
    return f"{ours * 1e6:9.0f} us  {ours / floor:6.2f}x copy  {others}"


def entry(group: str, name: str, params: dict[str, Any], times: list[float]) -> dict[str, Any]:
    """One contender in one cell, as pytest-benchmark writes it."""
    low, _, high = statistics.quantiles(times, n=4)
    mean, spread = statistics.mean(times), statistics.stdev(times)
    stats = {
        "min": min(times),
        "max": max(times),
        "mean": mean,
        "stddev": spread,
        "median": statistics.median(times),
        "q1": low,
        "q3": high,
        "iqr": high - low,
        "rounds": len(times),
        "iterations": 1,
        "ops": 1 / mean,
        "total": sum(times),
        "outliers": "0;0",
        "stddev_outliers": 0,
        "iqr_outliers": 0,
        "ld15iqr": min(times),
        "hd15iqr": max(times),
    }
    stats = {
        key: float(f"{value:.5g}") if isinstance(value, float) else value
        for key, value in stats.items()
    }
    return {
        "group": group,
        "name": f"{name} {group}",
        "fullname": f"benchmarks/neuron.py::{name} {group}",
        "params": params | {"contender": name},
        "param": name,
        "extra_info": {},
        "options": {"timer": "perf_counter", "warmup": True, "disable_gc": True},
        "stats": stats,
    }


PEAK = """
import re, sys, torch
from pathlib import Path
from benchmarks.neuron import contenders, forward_backward

def peak():  # of this process alone: what getrusage tells begins with the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

torch.set_num_threads(1)
call = contenders("lif", 16)[sys.argv[1]]
forward_backward(call, torch.randn(16, 64), torch.ones(16, 64))
x, g = torch.randn(16, 2**20), torch.ones(16, 2**20)
before = peak()
forward_backward(call, x, g)
print(peak() - before)
"""


def peak_memory() -> dict[str, float]:
    """What forward+backward of a LIF adds to the peak, T = 16, N = 2^20, in MiB, by contender."""
    peaks = {}
    for name in ("engram", "reference", "spikingjelly", "snntorch"):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, name],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
        peaks[name] = int(done.stdout.split()[-1]) / 1024
        print(f"peak memory of {name}: {peaks[name]:.0f} MiB", flush=True)
    return peaks


def keep_freed_memory() -> None:
    """Asks glibc's allocator to map nothing apart and to give nothing back."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        m_trim_threshold, m_mmap_max = -1, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def main() -> None:
    """Measure and write, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", nargs="+", default=["lif", "psn", "masked", "sliding"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=1.0, help="time a cell, about")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", action="store_true")
    settings = parser.parse_args()
    if settings.page:
        from benchmarks.neuron_page import write_page

        write_page(sorted(RESULTS.glob("neuron-*.json")))
        return
    keep_freed_memory()
    machine = hardware()
    name = re.sub(r"\W+", "-", machine["processor"]).strip("-").lower()
    out = settings.out or RESULTS / f"neuron-{name}-{machine['cores']}-cores.json"
    kept = [] if not out.exists() else json.loads(out.read_text())["benchmarks"]
    kept = [one for one in kept if one["params"]["neuron"] not in settings.neurons]
    found = {
        "machine_info": machine | {"python_version": platform.python_version()},
        "commit_info": {"id": __version__, "dirty": False, "time": ""},
        "benchmarks": measure(settings.neurons, settings.threads, settings.seconds) + kept,
        "datetime": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": "5.0.0",
        "packages": versions() | rivals(),
        "peak_memory_mib": peak_memory(),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(found, separators=(",", ":")).replace('{"group"', '\n{"group"') + "\n"
    )
    print(out)


def rivals() -> dict[str, str]:
    """Versions of the packages we are compared with."""
    from importlib.metadata import version

    return {name: version(name) for name in ("spikingjelly", "snntorch", "numba")}


if __name__ == "__main__":
    main()
