"""How fast binary stochastic learning is beside floating point, and what votes take.

    python -m benchmarks.memristor              writes docs/results/memristor-HARDWARE.json

A network of 784-300-10 learns from 6,000 images whose pixels are as often dark as those of MNIST:
81 % are 0. The rule learns by its fused kernel, with ideal and with noisy devices; the float
network by plain SGD in torch. All take turns on one thread.
"""

import statistics
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import harness
from engram.memristor import (
    BinaryStochasticLinear,
    Programming,
    StepUpdate,
    StochasticBits,
    convert,
    fused,
)
from engram.memristor.chain import Chain
from engram.memristor.device import taox_ramps
from engram.report.provenance import versions

IMAGES, DARK, PASSES = 6000, 0.81, 30
BATCHES = (1, 10, 100)


def images(n: int = IMAGES) -> tuple[Tensor, Tensor]:
    """Images of random pixels, and random labels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, 784, generator=generator)
    x[torch.rand(x.shape, generator=generator) < DARK] = 0.0
    return x, torch.randint(10, (n,), generator=generator)


def stochastic() -> nn.Sequential:
    """The network of bits."""
    return nn.Sequential(
        StochasticBits(0),
        BinaryStochasticLinear(784, 300, 1, gain=4.0),
        BinaryStochasticLinear(300, 10, 2, gain=4.0, output=True),
    )


def floating() -> nn.Sequential:
    """The network in floating point."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 10))


def epoch(chain: Chain, x: Tensor, labels: Tensor, batch: int) -> None:
    """An epoch of the rule."""
    for step, first in enumerate(range(0, len(x), batch)):
        chain.learn(x[first : first + batch], labels[first : first + batch], step)


def float_epoch(net: nn.Sequential, x: Tensor, labels: Tensor, batch: int) -> None:
    """An epoch in floating point."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for first in range(0, len(x), batch):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[first : first + batch]), labels[first : first + batch])
        loss.backward()
        optimizer.step()


@torch.no_grad()
def float_passes(net: nn.Sequential, x: Tensor, passes: int) -> None:
    """As many passes in floating point as there are votes."""
    for _ in range(passes):
        net(x)


def peak(passes: str) -> float:
    """Peak memory of a process that votes, in MiB."""
    net, (x, _) = stochastic(), images(2000)
    with fused(net, StepUpdate(net.parameters())) as chain:
        chain.vote(x, int(passes))
    return harness.peak_memory()


def main() -> None:
    """Measure, print, and write."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    x, labels = images()
    nets = stochastic(), stochastic()
    updates = (
        StepUpdate(nets[0].parameters(), step=0.01, carry=6),
        StepUpdate(nets[1].parameters(), carry=6, device=taox_ramps()),
    )
    entries: list[harness.Result] = []
    ratios: dict[str, float] = {}
    with fused(nets[0], updates[0]) as ideal, fused(nets[1], updates[1]) as ramps:
        for batch in BATCHES:
            part = x[: 600 * min(batch, 10)]
            calls = {
                "rule, ideal devices": partial(epoch, ideal, part, labels, batch),
                "rule, ramp devices": partial(epoch, ramps, part, labels, batch),
                "float": partial(float_epoch, floating(), part, labels, batch),
            }
            times = harness.interleave(calls, asked.rounds, warm=False)
            medians = {name: statistics.median(seconds) for name, seconds in times.items()}
            for name, seconds in times.items():
                entries.append(
                    harness.entry(
                        "memristor", f"batch {batch}", f"{name}, batch {batch}", seconds,
                        us_per_image=1e6 * medians[name] / len(part),
                    )
                )  # fmt: skip
                ratios[f"{name}, batch {batch}"] = medians[name] / medians["float"]
        votes = x[:2000]
        calls = {
            f"{PASSES} votes": partial(ideal.vote, votes, PASSES),
            f"{PASSES} float passes": partial(float_passes, floating(), votes, PASSES),
        }
        times = harness.interleave(calls, asked.rounds, warm=False)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    for name, seconds in times.items():
        entries.append(harness.entry("memristor", "votes", name, seconds))
        ratios[name] = medians[name] / medians[f"{PASSES} float passes"]
    programming = {
        "784-300-10, pulsed and read": Programming(),
        "784-300-10, set": Programming(None),
    }
    calls = {
        name: partial(convert, floating(), taox_ramps(), how) for name, how in programming.items()
    }
    for name, seconds in harness.interleave(calls, asked.rounds, warm=False).items():
        entries.append(harness.entry("memristor", "convert", name, seconds))
    memory = {
        f"{n} votes": harness.in_own_process("benchmarks.memristor", "peak", n) for n in (1, 30)
    }
    facts = harness.machine()
    names = ("engram", "numba", "numpy", "torch")
    packages = {k: v for k, v in versions().items() if k in names}
    path = asked.out or harness.RESULTS / harness.file_name("memristor", facts)
    result = harness.result(
        facts,
        packages,
        entries,
        ratios_to_float={name: harness.rounded(ratio) for name, ratio in ratios.items()},
        peak_mib={name: harness.rounded(mib) for name, mib in memory.items()},
    )
    harness.write(path, result)
    print(ratios, memory)


if __name__ == "__main__":
    main()
