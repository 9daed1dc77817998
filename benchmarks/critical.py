"""How fast critical networks are simulated and avalanches are fitted, on one core.

    python -m benchmarks.critical                          writes docs/results/critical-….json
    python -m benchmarks.critical --brian2 VENV/bin/python with Brian2, from an environment of its
                                                           own (brian2, numpy < 2.3, a C++ compiler)

An event is a link of a node that fired: whether it transmits is decided with random numbers, which
are included. Engram draws the links that transmit by skipping; Brian2 visits each.
"""

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from engram.critical.measure import Fit, bootstrap, histogram, scan
from engram.critical.simulate import constant, erdos_renyi, input_nodes, network, simulate
from engram.report.provenance import versions

NODES, DEGREE, RADIUS, DRIVE, STEPS = 10_000, 1000, 0.9, 1e-3, 500
"""The network of the rival; see benchmarks/critical_rival.py."""
SIZES, SPARSE, SHORT, LONG = (10_000, 1_000_000), 20, 20_000, 60_000
LARGE, LINKED = 100_000, 100
AVALANCHES, REPLICATES = 10_000_000, 1000
RIVALS = ("cython", "cpp_standalone")
RIVAL = Path(__file__).with_name("critical_rival.py")


def events(rounds: int, brian2: str | None) -> tuple[list[harness.Result], dict[str, Any]]:
    """Events per second, ours and Brian2's, which take turns."""
    net = network(erdos_renyi(NODES, DEGREE, 0), RADIUS, 0)
    everyone, drive = np.arange(NODES), constant(DRIVE, STEPS)
    spikes = simulate(net, drive, everyone, 1).n_spike
    times: dict[str, list[float]] = {"engram": []}
    rates: dict[str, list[float]] = {"engram": []}
    found: dict[str, Any] = {}
    for _ in range(rounds):
        (seconds,) = harness.interleave(
            {"engram": partial(simulate, net, drive, everyone, 1)}, 1
        ).values()
        times["engram"] += seconds
        rates["engram"].append(spikes * DEGREE / seconds[0])
        for target in RIVALS if brian2 else ():
            done = subprocess.run(
                [str(brian2), str(RIVAL), target, str(STEPS)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            one = json.loads(done.stdout.splitlines()[-1])
            found["brian2"] = one["version"]
            times.setdefault(target, []).append(one["seconds"])
            rates.setdefault(target, []).append(one["spikes"] * DEGREE / one["seconds"])
    entries = [
        harness.entry(
            "critical", "events", name, times[name],
            events_per_s=float(np.median(rates[name])), rate=spikes / (NODES * STEPS),
        )
        for name in times
    ]  # fmt: skip
    return entries, found


def step_entries(rounds: int) -> list[harness.Result]:
    """Seconds of a step at equal activity: the difference of two lengths, without building."""
    entries = []
    for size in SIZES:
        net = network(erdos_renyi(size, SPARSE, 0), RADIUS, 0)
        inputs = input_nodes(size, 0.1, 0)
        drives = {steps: constant(10 / len(inputs), steps) for steps in (SHORT, LONG)}
        calls = {steps: partial(simulate, net, drives[steps], inputs, 1) for steps in drives}
        times = harness.interleave(calls, rounds, warm=False)
        steps = [(b - a) / (LONG - SHORT) for a, b in zip(*times.values(), strict=True)]
        active = calls[LONG]().n_spike / LONG
        entries.append(
            harness.entry("critical", "step", f"{size} nodes", steps, active_per_step=active)
        )
    return entries


def large_network() -> float:
    """The peak memory of a process that simulates 100,000 nodes of in-degree 100, in MiB."""
    net = network(erdos_renyi(LARGE, LINKED, 0), RADIUS, 0)
    simulate(net, constant(1e-3, 200), input_nodes(LARGE, 0.1, 0), 1)
    return harness.peak_memory()


def imports_only() -> float:
    """The peak memory of a process that only loads what `large_network` does, in MiB."""
    net = network(erdos_renyi(200, 20, 0), RADIUS, 0)
    simulate(net, constant(1e-3, 200), input_nodes(200, 0.1, 0), 1)
    return harness.peak_memory()


def fit_entry(rounds: int) -> harness.Result:
    """Seconds of a fit with its bootstrap, the range scanned in each replicate."""
    rng = np.random.default_rng(0)
    sizes = ((1 - rng.random(AVALANCHES) * (1 - 1e5**-0.5)) ** -2).astype(np.int64)

    def fit() -> Fit:
        data = histogram(sizes)
        return bootstrap(data, scan(data), np.random.default_rng(1), REPLICATES)

    (times,) = harness.interleave({"fit": fit}, rounds, warm=False).values()
    return harness.entry(
        "critical", "fit", "power law, both ends scanned", times,
        avalanches=AVALANCHES, replicates=REPLICATES, alpha=fit().alpha.estimate,
    )  # fmt: skip


def main() -> None:
    """Measure, print, and write."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--brian2", help="the Python of an environment that has brian2")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    entries, rival = events(asked.rounds, asked.brian2)
    entries += [*step_entries(asked.rounds), fit_entry(3)]
    here = "benchmarks.critical"
    memory = {
        "nodes": LARGE,
        "links": LARGE * LINKED,
        "peak_mib": harness.in_own_process(here, "large_network"),
        "peak_without_mib": harness.in_own_process(here, "imports_only"),
    }
    for one in entries:
        print(one["group"], one["name"], f"{one['stats']['median']:.3g} s", one["extra_info"])
    print(memory)
    facts = harness.machine()
    packages = {k: v for k, v in versions().items() if k in ("engram", "numba", "numpy")} | rival
    path = asked.out or harness.RESULTS / harness.file_name("critical", facts)
    harness.write(path, harness.result(facts, packages, entries, memory=memory))


if __name__ == "__main__":
    main()
