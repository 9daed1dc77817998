"""The page of `benchmarks/vision.py`, from the JSON that it wrote."""

from pathlib import Path

from benchmarks import harness

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


def write_page(results: dict[Path, harness.Result]) -> None:
    """Write docs/vision-speed.md."""
    page = harness.page(HEAD, results, section)
    (harness.DOCS / "vision-speed.md").write_text(page, encoding="utf-8")


def section(found: harness.Result) -> list[str]:
    """How far the contenders agree, the aims, and every cell."""
    differences = found["differences"]
    agreement = (
        "In float64, logits and the first convolution's gradient of both contenders differ by "
        f"{differences['logits']:.0e} and {differences['gradient']:.0e} of their largest value.\n"
    )
    return [agreement, aims(found), table(found)]


def medians(found: harness.Result) -> dict[tuple[int, str, str], float]:
    """Seconds by threads, direction and contender."""
    return {
        tuple(one["params"][name] for name in ("threads", "direction", "contender")): one["stats"][
            "median"
        ]
        for one in found["benchmarks"]
    }


def aims(found: harness.Result) -> str:
    """The aims, and what was measured."""
    seconds = medians(found)
    threads = sorted({count for count, _, _ in seconds})
    rows = harness.thread_columns("aim, in float32", threads)
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


def table(found: harness.Result) -> str:
    """Every cell."""
    head = ("threads", "direction", "contender", "images/s", "ms", "IQR", "× SpikingJelly")
    rows = [
        "| " + " | ".join([*head, "convolutions"]) + " |",
        "|---:|---|---|" + "---:|" * 5,
    ]
    seconds = medians(found)
    for one in found["benchmarks"]:
        threads, direction, contender = (
            one["params"][name] for name in ("threads", "direction", "contender")
        )
        stats, extra = one["stats"], one["extra_info"]
        row = [
            str(threads),
            direction,
            contender,
            f"{extra['images_per_s']:.1f}",
            f"{stats['median'] * 1e3:.0f}",
            f"{stats['iqr'] * 1e3:.0f}",
            f"{seconds[threads, direction, 'spikingjelly'] / stats['median']:.2f}",
            f"{extra['convolution_share']:.0%}",
        ]
        rows.append("| " + " | ".join(row) + " |")
    return "\n".join(rows) + "\n"
