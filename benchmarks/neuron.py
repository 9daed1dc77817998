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

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks import harness
from engram import neuron
from engram.report.provenance import versions

NAMES = ("lif", "psn", "masked", "sliding")
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
    from snntorch import Leaky
    from snntorch.surrogate import atan as atan_of_snntorch
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
        leaky = Leaky(beta=0.5, spike_grad=atan_of_snntorch(), reset_mechanism="zero")

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
        entries += [
            harness.entry("neuron", group, f"{name} {group}", seen, {**params, "contender": name})
            for name, seen in times.items()
        ]
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
    calls: dict[str, Callable[[], Any]] = {
        name: partial(run, other, x, g) for name, other in contenders(kind, T).items()
    }
    calls["memcpy"] = lambda: room.copy_(x)
    if kind != "lif":
        calls["products"] = partial(products, direction, x, g, torch.randn(T, T), room)
    return harness.interleave(calls, harness.rounds_within(calls, seconds))


def summary(times: dict[str, list[float]]) -> str:
    """Our median, over the floor, and how many times longer the others take."""
    medians = {name: statistics.median(seen) for name, seen in times.items()}
    ours, floor = medians.pop("engram"), medians.pop("memcpy")
    others = "  ".join(f"{name} {median / ours:.2f}x" for name, median in medians.items())
    return f"{ours * 1e6:9.0f} us  {ours / floor:6.2f}x copy  {others}"


def memory_added(contender: str) -> float:
    """Return what forward and backward of a LIF add to the peak, T = 16, N = 2^20, in MiB."""
    torch.set_num_threads(1)
    call = contenders("lif", 16)[contender]
    forward_backward(call, torch.randn(16, 64), torch.ones(16, 64))
    x, g = torch.randn(16, 2**20), torch.ones(16, 2**20)
    before = harness.peak_memory()
    forward_backward(call, x, g)
    return harness.peak_memory() - before


def peak_memory() -> dict[str, float]:
    """Return what each contender adds to the peak of a process of its own, in MiB."""
    names = ("engram", "reference", "spikingjelly", "snntorch")
    return {
        name: harness.in_own_process("benchmarks.neuron", "memory_added", name) for name in names
    }


def main() -> None:
    """Measure and write, or write the page."""
    parser = harness.timing_arguments(__doc__, seconds=1.0, what="cell")
    parser.add_argument("--neurons", nargs="+", choices=NAMES, default=NAMES)
    settings = parser.parse_args()
    if settings.page:
        from benchmarks.neuron_page import write_page

        write_page(harness.committed("neuron"))
        return
    harness.keep_freed_memory()
    facts = harness.machine()
    out = settings.out or harness.RESULTS / harness.file_name("neuron", facts)
    kept = harness.read(out)["benchmarks"] if out.exists() else []
    kept = [one for one in kept if one["params"]["neuron"] not in settings.neurons]
    measured = measure(settings.neurons, settings.threads, settings.seconds)
    packages = versions() | harness.package_versions(harness.RIVALS)
    peaks = peak_memory()
    harness.write(out, harness.result(facts, packages, measured + kept, peak_memory_mib=peaks))
    print(out)


if __name__ == "__main__":
    main()
