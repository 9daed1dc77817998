"""Spikingformer 4-256 against the same network of SpikingJelly's neurons and plain modules.

    python -m benchmarks.vision             measures, and writes docs/results/vision-HARDWARE.json
    python -m benchmarks.vision --page      writes docs/vision-speed.md from that

T = 4, a batch of 16 images of 32 × 32. Both contenders have equal weights, run in one process and
take turns, round by round; a turn is a call that warms the caches and a call that is timed. A
training step is forward, loss, backward and AdamW. The allocator keeps freed memory, for both.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks import harness
from engram.report.provenance import versions
from engram.vision import fold, fold_to_fixed_point, load_checkpoint, spikingformer_cifar_4_256

STEPS, BATCH, SIZE, CLASSES = 4, 16, 32, 10
CONTENDERS = ("engram", "spikingjelly")


def build(contender: str) -> Any:
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
    """Time both directions with a number of threads."""
    torch.set_num_threads(threads)
    entries = []
    for direction, calls in directions().items():
        group = f"{direction} threads={threads}"
        times = harness.interleave(calls, harness.rounds_within(calls, seconds))
        for name, seen in times.items():
            params = {"threads": threads, "direction": direction, "contender": name}
            speed = BATCH / statistics.median(seen)
            share = convolution_share(calls[name])
            entries.append(
                harness.entry(
                    "vision",
                    group,
                    f"{name} {group}",
                    seen,
                    params,
                    images_per_s=speed,
                    convolution_share=share,
                )
            )
            print(group.ljust(20), name.ljust(20), f"{speed:.1f} images/s", flush=True)
    return entries


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


def memory_added(contender: str) -> float:
    """Return what a first training step adds to the peak of the process, in MiB."""
    torch.set_num_threads(1)
    model = build(contender)
    model(torch.randn(1, 3, SIZE, SIZE)).sum().backward()
    step = training(model)
    before = harness.peak_memory()
    step()
    return harness.peak_memory() - before


def peak_memory() -> dict[str, float]:
    """Return what each contender adds to the peak of a process of its own, in MiB."""
    peaks = {
        name: harness.in_own_process("benchmarks.vision", "memory_added", name)
        for name in CONTENDERS
    }
    return {name: round(peak, 1) for name, peak in peaks.items()}


def main() -> None:
    """Measure and write, or write the page."""
    parser = harness.timing_arguments(__doc__, seconds=40.0, what="direction")
    settings = parser.parse_args()
    if settings.page:
        from benchmarks.vision_page import write_page

        write_page(harness.committed("vision"))
        return
    harness.keep_freed_memory()
    facts = harness.machine()
    differences = agreement()
    entries = [one for count in settings.threads for one in measure(count, settings.seconds)]
    packages = versions() | harness.package_versions(harness.RIVALS)
    found = harness.result(
        facts, packages, entries, differences=differences, peak_memory_mib=peak_memory()
    )
    out = settings.out or harness.RESULTS / harness.file_name("vision", facts)
    harness.write(out, found)
    print(out)


if __name__ == "__main__":
    main()
