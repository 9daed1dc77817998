"""Spikingformer 4-256 against the same network of SpikingJelly's neurons and plain modules.

    python -m benchmarks.vision             measures, and writes docs/results/vision-HARDWARE.json
    python -m benchmarks.vision --page      writes docs/vision-speed.md from that

T = 4, a batch of 16 images of 32 × 32. Both contenders have equal weights, run in one process and
take turns, round by round; a turn is a call that warms the caches and a call that is timed. A
training step is forward, loss, backward and AdamW. The allocator keeps freed memory, for both.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.neuron import RESULTS, interleave, keep_freed_memory, rivals
from engram.report.provenance import hardware, versions
from engram.vision import fold, fold_to_fixed_point, load_checkpoint, spikingformer_cifar_4_256

STEPS, BATCH, SIZE, CLASSES = 4, 16, 32, 10
CONTENDERS = ("engram", "spikingjelly")


def build(contender: str) -> nn.Module:
    """A contender, in training."""
    from benchmarks.vision_rival import Spikingformer

    torch.manual_seed(0)
    ours = spikingformer_cifar_4_256(num_classes=CLASSES, steps=STEPS)
    theirs = Spikingformer(4, 256, ours.heads, CLASSES, STEPS)
    if contender == "spikingjelly":
        return theirs
    load_checkpoint(ours, theirs.state_dict())
    return ours


def batch() -> tuple[Tensor, Tensor]:
    """Images and classes."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=generator)
    return images, torch.randint(0, CLASSES, (BATCH,), generator=generator)


def inference(model: nn.Module, bf16: bool = False) -> Callable[[], None]:
    """Logits of a batch."""
    images, _ = batch()

    def run() -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            model(images)

    return run


def training(model: nn.Module, bf16: bool = False) -> Callable[[], None]:
    """One step on a batch."""
    images, classes = batch()
    optimiser = torch.optim.AdamW(model.train().parameters(), lr=5e-4, weight_decay=0.06)

    def run() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = nn.functional.cross_entropy(model(images), classes)
        loss.backward()
        optimiser.step()

    return run


def directions() -> dict[str, dict[str, Callable[[], None]]]:
    """What is timed: the contenders in float32, then ours as options make it."""
    ours, theirs = build("engram"), build("spikingjelly")
    return {
        "inference": {
            "engram": inference(fold(ours)),
            "spikingjelly": inference(theirs.eval()),
            "engram, fixed point": inference(fold_to_fixed_point(ours)),
            "engram, bf16": inference(fold(ours), bf16=True),
        },
        "training": {
            "engram": training(build("engram")),
            "spikingjelly": training(build("spikingjelly")),
            "engram, bf16": training(build("engram"), bf16=True),
        },
    }


def measure(threads: int, seconds: float) -> list[dict[str, Any]]:
    """Both directions with so many threads."""
    torch.set_num_threads(threads)
    cells = []
    for direction, calls in directions().items():
        for name, times in interleave(calls, seconds).items():
            low, median, high = statistics.quantiles(times, n=4)
            cell = {
                "contender": name,
                "direction": direction,
                "threads": threads,
                "median_s": median,
                "iqr_s": high - low,
                "rounds": len(times),
                "images_per_s": BATCH / median,
                "convolution_share": convolution_share(calls[name]),
            }
            cells.append({k: float(f"{v:.4g}") if type(v) is float else v for k, v in cell.items()})
            print(cells[-1], flush=True)
    return cells


def convolution_share(call: Callable[[], None]) -> float:
    """The share of a call that torch's profiler finds in convolutions."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        begin = time.perf_counter()
        call()
        spent = time.perf_counter() - begin
    events = profiler.key_averages()
    return sum(e.self_cpu_time_total for e in events if "conv" in e.key) / 1e6 / spent


def agreement() -> dict[str, float]:
    """The largest difference of logits and of gradients, in float64, over their largest value."""
    images, classes = batch()
    found = {}
    for name in CONTENDERS:
        model = build(name).double()
        logits = model(images.double())
        nn.functional.cross_entropy(logits, classes).backward()
        first = next(iter(model.parameters())).grad
        assert first is not None
        found[name] = (logits.detach(), first)
    pairs = zip(*found.values(), strict=True)
    errors = [float((a - b).abs().max() / b.abs().max()) for a, b in pairs]
    return dict(zip(("logits", "gradient"), errors, strict=True))


PEAK = """
import re, sys, torch
from pathlib import Path
from benchmarks.vision import build, training

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

torch.set_num_threads(1)
model = build(sys.argv[1])
model(torch.randn(1, 3, 32, 32)).sum().backward()
step = training(model)
before = peak()
step()
print(peak() - before)
"""


def peak_memory() -> dict[str, float]:
    """What a first training step adds to the peak of the process, in MiB, by contender."""
    peaks = {}
    for name in CONTENDERS:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, name],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
        peaks[name] = round(int(done.stdout.split()[-1]) / 1024, 1)
        print(f"peak memory of {name}: {peaks[name]:.0f} MiB", flush=True)
    return peaks


def main() -> None:
    """Measure and write, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=40.0, help="time a direction, about")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", action="store_true")
    settings = parser.parse_args()
    if settings.page:
        from benchmarks.vision_page import write_page

        write_page(sorted(RESULTS.glob("vision-*.json")))
        return
    keep_freed_memory()
    machine = hardware()
    name = re.sub(r"\W+", "-", machine["processor"]).strip("-").lower()
    out = settings.out or RESULTS / f"vision-{name}-{machine['cores']}-cores.json"
    found = {
        "machine": machine,
        "packages": versions() | rivals(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "differences": agreement(),
        "cells": [cell for count in settings.threads for cell in measure(count, settings.seconds)],
        "peak_memory_mib": peak_memory(),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(out)


if __name__ == "__main__":
    main()
