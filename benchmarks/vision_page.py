"""The page of `benchmarks/vision.py`, from the JSON that it wrote."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"

HEAD = """# How fast the vision models are

Made by `python -m benchmarks.vision` (which measures) and `python -m benchmarks.vision --page` \
(which writes this page). Spikingformer 4-256 for CIFAR, T = 4, a batch of 16 images of 32 × 32, \
against the same network built of SpikingJelly's LIF (its torch backend, the one for a CPU) and \
plain torch modules, as its authors lay it out. Weights are equal, both run in one process and \
take turns, round by round; medians. A training step is forward, loss, backward and AdamW. The \
allocator keeps freed memory, for both.

In float32, what differs is this: the batch norms are folded for inference, and in training they \
run in few passes over channels-last memory; the neurons are compiled, and their backward keeps \
the input alone and computes the rest again; an image that is shown T times passes the first \
convolution once; the products of the attention are taken in the cheaper order.

Two options, reported apart. *Fixed point* (`fold_to_fixed_point`): the convolutions of spikes run \
in whole numbers on the processor's matrix units, with weights of 22 bits or more, which rounds \
less than float32 does. *bf16* is `torch.autocast`, which rounds weights to 8 bits.
"""


def write_page(files: list[Path]) -> None:
    """Write docs/vision-speed.md."""
    if not files:
        raise SystemExit("no docs/results/vision-*.json: run python -m benchmarks.vision first")
    parts = [HEAD]
    for file in files:
        found = json.loads(file.read_text())
        parts += [describe(file, found), aims(found), table(found)]
    (DOCS / "vision-speed.md").write_text("\n".join(parts))


def describe(file: Path, found: dict[str, Any]) -> str:
    """Hardware, versions, and how far the contenders agree."""
    machine = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    differences = found["differences"]
    return (
        f"\n## {machine['processor']}, {machine['cores']} cores\n\n"
        f"[{file.name}](results/{file.name}), {found['date'][:10]}; {packages}.\n\n"
        "In float64, logits and the first convolution's gradient of both contenders differ by "
        f"{differences['logits']:.0e} and {differences['gradient']:.0e} of their largest value.\n"
    )


def aims(found: dict[str, Any]) -> str:
    """The aims, and what was measured."""
    threads = sorted({cell["threads"] for cell in found["cells"]})
    seconds = {
        (cell["threads"], cell["direction"], cell["contender"]): cell["median_s"]
        for cell in found["cells"]
    }
    rows = [
        "| aim, in float32 | " + " | ".join(f"{n} thread{'s' * (n > 1)}" for n in threads) + " |",
        "|---" * (len(threads) + 1) + "|",
    ]
    for direction, least in (("inference", 2.0), ("training", 1.5)):
        ratios = (
            seconds[n, direction, "spikingjelly"] / seconds[n, direction, "engram"] for n in threads
        )
        cells = " | ".join(f"{ratio:.2f}×" for ratio in ratios)
        rows.append(f"| {direction} ≥ {least}× SpikingJelly | {cells} |")
    peaks = found["peak_memory_mib"]
    share = peaks["engram"] / peaks["spikingjelly"]
    memory = ", ".join(f"{name} {peak:.0f} MiB" for name, peak in peaks.items())
    return "\n".join(
        [*rows, f"\nPeak memory of a training step, aim ≤ 0.7: {share:.2f} ({memory}).\n"]
    )


def table(found: dict[str, Any]) -> str:
    """Every cell."""
    head = ("threads", "direction", "contender", "images/s", "ms", "IQR", "× SpikingJelly")
    rows = [
        "| " + " | ".join([*head, "convolutions"]) + " |",
        "|---:|---|---|" + "---:|" * 5,
    ]
    rival = {
        (cell["threads"], cell["direction"]): cell["median_s"]
        for cell in found["cells"]
        if cell["contender"] == "spikingjelly"
    }
    for cell in found["cells"]:
        ratio = rival[cell["threads"], cell["direction"]] / cell["median_s"]
        row = [
            str(cell["threads"]),
            cell["direction"],
            cell["contender"],
            f"{cell['images_per_s']:.1f}",
            f"{cell['median_s'] * 1e3:.0f}",
            f"{cell['iqr_s'] * 1e3:.0f}",
            f"{ratio:.2f}",
            f"{cell['convolution_share']:.0%}",
        ]
        rows.append("| " + " | ".join(row) + " |")
    return "\n".join(rows) + "\n"
