"""The page and the picture of `benchmarks/neuron.py`, from the JSON that it wrote."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from benchmarks import harness

LABELS = {"lif": "LIF", "psn": "PSN", "masked": "masked PSN", "sliding": "sliding PSN"}
INK = "#7a7a7a"
"""Readable on white and on black."""
COLOURS = ("#2f7fc1", "#d9822b", "#2f9e62", "#a85fc1")

Key = tuple[int, str, str, int, int]
Cells = dict[Key, dict[str, dict[str, float]]]


def read_cells(found: harness.Result) -> Cells:
    """Statistics by cell (threads, neuron, direction, T, N) and contender."""
    cells: Cells = {}
    for entry in found["benchmarks"]:
        of = entry["params"]
        key = (of["threads"], of["neuron"], of["direction"], of["T"], of["N"])
        cells.setdefault(key, {})[of["contender"]] = entry["stats"]
    return cells


def ratio(cell: dict[str, dict[str, float]], rival: str) -> float:
    """How many times longer the rival takes, by medians."""
    return cell[rival]["median"] / cell["engram"]["median"]


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


HEAD = """# How fast the neurons are

Made by `python -m benchmarks.neuron` (which measures) and `python -m benchmarks.neuron --page` \
(which writes this page). All contenders run in one process and take turns, round by round; a turn \
is a call that warms the caches and a call that is timed; medians. The allocator keeps freed \
memory, for all alike. "Copy" is a copy of the input into memory that is there already: reading \
the input and writing the spikes once cannot be faster. "Products" are the dense matrix products \
of a parallel neuron alone, by torch's BLAS: one forward, three with the backward. \
Settings are equal: LIF with τ = 2 and hard reset, k = min(T, 32), ATan, float32. snnTorch has no \
parallel neuron.

![How many times faster than SpikingJelly](neuron-speed.svg)

Where an aim below is missed, this is why:

- **LIF, few neuron-steps.** A call from Python has a fixed cost, and most of that with gradient \
is torch's autograd; the cells of N = 2^12 below show it beside the copy. On two threads a copy of \
2^18 numbers stays in the second-level caches and takes about as long as the call alone.
- **LIF forward + backward, beyond the cache.** It reads the input twice and the gradient once, \
and writes spikes and gradient: five times the memory of the input, at the speed of memory.
- **Masked and sliding PSN at T = 64.** A band of k = 32 holds 38% of the 64 × 64 matrix, so at \
equal efficiency the gain is at most 2.6×. Ours, threshold and gradients included, takes about as \
long there as the dense products alone do by BLAS ("products ÷ ours"): three times faster than the \
rival would mean faster than its products.
- **Sliding PSN as T doubles.** The first k − 1 steps read fewer inputs than k. From T = 64 to \
T = 256 the multiplications themselves grow by 2.2× a doubling at k = 32.
- **PSN at T = 256.** Three matrix products are most of the work, in both packages and at about \
the same rate; what is left to gain is in the passes between them.
"""


def write_page(results: dict[Path, harness.Result]) -> None:
    """Write docs/neuron-speed.md, and docs/neuron-speed.svg of the latest result."""
    latest = next(iter(results.values()))
    draw(read_cells(latest), harness.DOCS / "neuron-speed.svg")
    page = harness.page(HEAD, results, section)
    (harness.DOCS / "neuron-speed.md").write_text(page, encoding="utf-8")


def section(found: harness.Result) -> list[str]:
    """Peak memory, the aims and the tables of a result."""
    cells = read_cells(found)
    peaks = found["peak_memory_mib"]
    memory = ", ".join(f"{name} {peak:.0f} MiB" for name, peak in peaks.items())
    added = f"Peak memory that forward + backward of a LIF adds (T = 16, N = 2^20): {memory}.\n"
    return [added, bars(cells, found), *tables(cells)]


def bars(cells: Cells, found: harness.Result) -> str:
    """The aims, and what was measured."""
    threads = sorted({key[0] for key in cells})
    rows = harness.thread_columns("aim", threads)
    for aim, measured in AIMS:
        cells_of = [{key: cell for key, cell in cells.items() if key[0] == n} for n in threads]
        rows.append(f"| {aim} | " + " | ".join(measured(of) for of in cells_of) + " |")
    peaks = found["peak_memory_mib"]
    share = peaks["engram"] / peaks["spikingjelly"]
    return "\n".join([*rows, f"\nPeak memory, aim ≤ 0.5 of SpikingJelly's: {share:.2f}.\n"])


def select(cells: Cells, kinds: str, direction: str | None = None, **least: int) -> Cells:
    """The cells of some neurons and a direction, from a number of steps or neurons on."""
    return {
        key: cell
        for key, cell in cells.items()
        if key[1] in kinds.split()
        and direction in (None, key[2])
        and key[3] >= least.get("T", 0)
        and key[4] >= least.get("N", 0)
        and least.get("low", 0) <= key[3] * key[4] <= least.get("high", 2**40)
    }


def over_copy(cells: Cells, **least: int) -> str:
    """The worst multiple of the copy among forward LIF cells."""
    chosen = select(cells, "lif", "forward", **least)
    worst = {key: 1 / ratio(cell, "memcpy") for key, cell in chosen.items()}
    return most(worst, max)


def against(
    cells: Cells, rival: str, kinds: str, direction: str | None = None, **least: int
) -> str:
    """The least and the mean ratio to a rival."""
    chosen = select(cells, kinds, direction, **least)
    ratios = {key: ratio(cell, rival) for key, cell in chosen.items()}
    return f"{most(ratios, min)}; mean {geometric_mean(ratios.values()):.1f}×" if ratios else "—"


def most(values: dict[Key, float], extreme: Any) -> str:
    """The extreme value and its cell."""
    if not values:
        return "—"
    key = extreme(values, key=values.get)
    return f"{values[key]:.2f}× ({key[1]}, T={key[3]}, N=2^{key[4].bit_length() - 1})"


def doubling(cells: Cells) -> str:
    """The growth of the sliding neuron's time when T doubles, from its growth when T quadruples."""
    chosen = select(cells, "sliding", T=64)
    growth = {
        (n, kind, direction, T, N): math.sqrt(
            chosen[n, kind, direction, 4 * T, N]["engram"]["median"] / cell["engram"]["median"]
        )
        for (n, kind, direction, T, N), cell in chosen.items()
        if (n, kind, direction, 4 * T, N) in chosen
    }
    return most(growth, max)


CACHE = 2**21
"""Neuron-steps whose input and spikes, 8 bytes, fit half of a third-level cache of 32 MiB."""

AIMS = (
    ("LIF forward ≤ 2.5× copy, 2^18 ≤ T·N in cache", lambda c: over_copy(c, low=2**18, high=CACHE)),
    ("LIF forward ≤ 3× copy, beyond", lambda c: over_copy(c, low=CACHE + 1)),
    (
        "LIF forward + backward ≥ 6× SpikingJelly, N ≥ 2^12",
        lambda c: against(c, "spikingjelly", "lif", "forward+backward"),
    ),
    ("PSN > SpikingJelly in every cell, mean ≥ 1.5×", lambda c: against(c, "spikingjelly", "psn")),
    ("masked PSN ≥ 3× at T ≥ 64", lambda c: against(c, "spikingjelly", "masked", T=64)),
    ("sliding PSN ≥ 3× at T ≥ 64", lambda c: against(c, "spikingjelly", "sliding", T=64)),
    ("sliding PSN ≤ 2.3× as T doubles at k = 32", doubling),
    (
        "nothing slower than our reference by more than 5% (≥ 0.95×)",
        lambda c: against(c, "reference", " ".join(LABELS)),
    ),
)


def tables(cells: Cells) -> Iterable[str]:
    """A table for each number of threads and neuron."""
    for threads in sorted({key[0] for key in cells}):
        for kind, label in LABELS.items():
            mine = {key: cell for key, cell in cells.items() if key[:2] == (threads, kind)}
            if mine:
                yield f"\n### {label}, {threads} thread{'s' * (threads > 1)}\n"
                yield table(mine)


def table(cells: Cells) -> str:
    """The cells of one neuron: our time and the ratios."""
    rivals = [name for name in next(iter(cells.values())) if name not in ("engram", "memcpy")]
    head = ["direction", "T", "N", "ours (µs)", "IQR", "× copy", *(f"{r} ÷ ours" for r in rivals)]
    rows = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for (_, _, direction, T, N), cell in cells.items():
        ours = cell["engram"]
        row = [direction, str(T), f"2^{N.bit_length() - 1}", f"{ours['median'] * 1e6:.0f}"]
        row += [f"{ours['iqr'] * 1e6:.0f}", f"{1 / ratio(cell, 'memcpy'):.1f}"]
        rows.append("| " + " | ".join(row + [f"{ratio(cell, r):.1f}" for r in rivals]) + " |")
    return "\n".join(rows)


def draw(cells: Cells, path: Path) -> None:
    """Ratios to SpikingJelly against T, at N = 2^16 with one thread, in both directions."""
    plt.rcParams["svg.hashsalt"] = path.name
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
    for axes, direction in zip(panels, ("forward", "forward+backward"), strict=True):
        for kind, colour in zip(LABELS, COLOURS, strict=True):
            points = {
                key[3]: ratio(cell, "spikingjelly")
                for key, cell in cells.items()
                if key[:3] == (1, kind, direction) and key[4] == 2**16
            }
            axes.loglog(*zip(*sorted(points.items()), strict=True), "o-", color=colour)
            axes.lines[-1].set_label(LABELS[kind])
        axes.axhline(1, color=INK, linewidth=1, linestyle=":")
        axes.set_title(direction, color=INK, fontsize=11)
        axes.set_xlabel("steps T", color=INK)
        steps = sorted({key[3] for key in cells})
        axes.set_xticks(steps, [str(T) for T in steps])
        axes.set_yticks([1, 2, 5, 10, 20, 50], ["1×", "2×", "5×", "10×", "20×", "50×"])
        axes.minorticks_off()
        axes.tick_params(colors=INK)
        axes.spines[:].set_visible(False)
        axes.grid(color=INK, alpha=0.25)
    panels[0].set_ylabel("times faster than SpikingJelly", color=INK)
    panels[0].legend(frameon=False, labelcolor=INK)
    figure.savefig(path, transparent=True, metadata={"Date": None})
    plt.close(figure)
