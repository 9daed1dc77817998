"""What the training engine costs: time of a step beside a bare loop, images per second, formats.

    python -m benchmarks.train                  writes docs/results/train-….json
    python -m benchmarks.train --rounds 3       a quicker, coarser look

The loop trains a small network whose step takes well under a millisecond. The engine does the same
with a bar, metrics, checks for infinities and a checkpoint at the end; the bare loop does not.
"""

import io
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW

from benchmarks import harness
from engram import data
from engram.device import threads
from engram.progress import bars
from engram.report.provenance import versions
from engram.train import (
    ExampleFeed,
    Examples,
    ImageAugment,
    ImageFeed,
    Normal,
    Recipe,
    as_batch,
    choose_precision,
    parameter_groups,
    train,
)
from engram.train.feed import Feed, Job, read
from engram.vision import spikingformer_cifar_4_256

STEPS, BATCH = 2000, 32
"""Steps of a turn, and examples of a step."""
IMAGES, IMAGE_BATCH, WORKERS = 20_000, 128, 2
AUGMENT = ImageAugment(flip=True, crop=4)


def network() -> nn.Module:
    """The network of the loop."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))


def examples(n: int) -> Examples:
    """Random examples."""
    generator = torch.Generator().manual_seed(0)
    return Examples(torch.randn(n, 32, generator=generator), torch.arange(n) % 10)


def bare(taught: Examples) -> None:
    """The loop that anyone would write, with the same optimizer."""
    model = network().train()
    optimizer = AdamW(parameter_groups(model, lr=1e-3, weight_decay=0.05), lr=1e-3)
    for rows in torch.randperm(len(taught.labels)).split(BATCH):
        optimizer.zero_grad()
        output = model(taught.inputs[rows])
        F.cross_entropy(output, taught.labels[rows], label_smoothing=0.1).backward()
        optimizer.step()


def engine(taught: Examples, chosen: Examples) -> None:
    """The same steps by the engine."""
    feeds = ExampleFeed(taught, as_batch), ExampleFeed(chosen, as_batch)
    recipe = Recipe(epochs=1, batch=BATCH, schedule="constant")
    console = Console(file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder, bars(console) as progress:
        train(network(), *feeds, recipe, folder, device="cpu", progress=progress)


def loop_entries(rounds: int) -> tuple[list[harness.Result], dict[str, Any]]:
    """Time the loops, and what the engine adds to a step."""
    taught, chosen = examples(STEPS * BATCH), examples(BATCH)
    calls: dict[str, Callable[[], None]] = {
        "bare loop": lambda: bare(taught),
        "engine": lambda: engine(taught, chosen),
    }
    times = harness.interleave(calls, rounds, warm=False)
    by_step = {name: [s / STEPS for s in seconds] for name, seconds in times.items()}
    found = [harness.entry("train", "step", name, seconds) for name, seconds in by_step.items()]
    added = found[1]["stats"]["median"] - found[0]["stats"]["median"]
    return found, {"added_us_per_step": harness.rounded(1e6 * added)}


def emptied(feed: Feed, workers: int) -> None:
    """Read an epoch of a feed."""
    rows = torch.randperm(len(feed), generator=torch.Generator().manual_seed(0))[:IMAGES]
    jobs = [Job(batch, slice(None), 0) for batch in rows.split(IMAGE_BATCH)]
    for _ in read(feed, jobs, workers):
        pass


def input_entries(rounds: int) -> list[harness.Result]:
    """Time the augmented images of CIFAR-10: from memory, and decoded from its parquet files."""
    memory = data.load("cifar10").train
    files = data.load(f"parquet:{data.path('cifar10')}").train
    feeds = {
        name: ImageFeed(split, Normal.of(split.inputs), AUGMENT)
        for name, split in (("memory", memory), ("parquet", files))
    }
    calls: dict[str, Callable[[], None]] = {
        "memory, in this process": lambda: emptied(feeds["memory"], 0),
        "memory, 2 workers": lambda: emptied(feeds["memory"], WORKERS),
        "parquet, 2 workers": lambda: emptied(feeds["parquet"], WORKERS),
    }
    times = harness.interleave(calls, rounds, warm=False)
    return [
        harness.entry(
            "train", "images", name, seconds, images_per_s=IMAGES / sorted(seconds)[rounds // 2]
        )
        for name, seconds in times.items()
    ]


def format_entries(rounds: int) -> tuple[list[harness.Result], dict[str, Any]]:
    """Time a step of Spikingformer 4-256 in float32 and in the format that "auto" chooses."""
    torch.manual_seed(0)
    model = spikingformer_cifar_4_256(num_classes=10).train()
    batch = torch.randn(8, 3, 32, 32), torch.arange(8) % 10
    precision = choose_precision("auto", model, batch, F.cross_entropy)

    def step(dtype: torch.dtype) -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            value = F.cross_entropy(model(batch[0]), batch[1])
        value.backward()

    calls: dict[str, Callable[[], None]] = {
        "float32": lambda: step(torch.float32),
        "auto": lambda: step(precision.dtype),
    }
    times = harness.interleave(calls, rounds, warm=False)
    found = [harness.entry("train", "format", name, seconds) for name, seconds in times.items()]
    return found, {"precision": precision.reason}


def main() -> None:
    """Measure and write the result."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    options = parser.parse_args()
    start = time.time()
    with threads(1):
        loops, added = loop_entries(options.rounds)
    with threads(2):
        images = input_entries(options.rounds)
        formats, precision = format_entries(options.rounds)
    facts = harness.machine()
    found = harness.result(
        facts,
        versions() | harness.package_versions(("pillow",)),
        [*loops, *images, *formats],
        **added,
        **precision,
    )
    harness.write(options.out or harness.RESULTS / harness.file_name("train", facts), found)
    for one in found["benchmarks"]:
        print(one["group"], one["name"], f"{one['stats']['median']:.4g} s", one["extra_info"])
    print(added, precision, f"{time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
