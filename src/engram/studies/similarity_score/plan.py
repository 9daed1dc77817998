"""What a run will take, estimated before it runs."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from engram.errors import EngramError
from engram.record.features import kept_columns
from engram.report import Table
from engram.studies.similarity_score.models import Model, tapped
from engram.studies.similarity_score.stimuli import Stimuli

BASE = 450 << 20
"""Bytes of Python with its libraries."""


class Plan(NamedTuple):
    """The sizes of a run.

    Attributes:
        features: Number of features of each layer.
        kept: Number of columns that are kept of each.
        left_out: Why layers are left out, by name.
        disk_bytes: Bytes of the files of features.
        memory_bytes: Estimate of the peak of the memory.
    """

    features: dict[str, int]
    kept: dict[str, int]
    left_out: dict[str, str]
    disk_bytes: int
    memory_bytes: int


def planned(model: Model, stimuli: Stimuli, batch: int, largest: int, controls: int) -> Plan:
    """Run two pictures, and estimate what all of them take.

    Args:
        model: The model.
        stimuli: The pictures.
        batch: Pictures per call.
        largest: Bytes of the features of a layer at most.
        controls: Number of further networks of the same size.
    """
    first = stimuli.batch([0, 1])
    with tapped(model, first) as found:
        sizes = {name: x[0].numel() for name, x in found.run(first).items()}
        left = dict(found.left_out)
    if not sizes:
        raise EngramError(f"no layer can be recorded: {left}; name other layers")
    weights = sum(4 * part.numel() for part in model.network.parameters())
    held = 4 * batch * (sum(sizes.values()) + 2 * max(sizes.values()))
    return sized(
        sizes, left, len(stimuli.ids), largest, 1 + controls, weights * (1 + controls) + held
    )


def sized(
    sizes: Mapping[str, int],
    left: Mapping[str, str],
    count: int,
    largest: int,
    networks: int,
    running: int,
) -> Plan:
    """The plan of layers of known sizes.

    Args:
        sizes: Number of features of each layer.
        left: Why layers are left out.
        count: Number of stimuli.
        largest: Bytes of the features of a layer at most.
        networks: Number of networks with these layers.
        running: Bytes of the weights and of a batch in all layers.
    """
    kept = {name: kept_columns(size, count, largest) for name, size in sizes.items()}
    disk = 4 * count * sum(kept.values()) * networks
    pairs = count * (count - 1) // 2
    widest = max(kept.values())
    rdms = 8 * pairs * (len(kept) * networks + 6)
    scoring = 4 * count * widest + 8 * count * min(widest, 4096) + 6 * 8 * count * count
    signs = sum(size for name, size in sizes.items() if kept[name] != size)
    return Plan(
        dict(sizes), kept, dict(left), disk, BASE + max(running + signs, scoring + rdms)
    )  # fmt: skip


def plan_table(plan: Plan) -> Table:
    """The layers, their sizes and how they are kept."""
    rows = [
        [name, size, plan.kept[name], "projected" if plan.kept[name] != size else "exact"]
        for name, size in plan.features.items()
    ]
    rows += [[name, None, None, reason] for name, reason in plan.left_out.items()]
    return Table(
        "Layers",
        ["layer", "features", "kept", "how"],
        rows,
        "A projection keeps the products of features up to one part in the root of the columns "
        "that are kept.",
    )


def plan_text(plan: Plan) -> str:
    """One sentence on memory and disk, for the terminal."""
    return (
        f"{len(plan.kept)} layers; about {plan.memory_bytes / 2**30:.2f} GiB of memory and "
        f"{plan.disk_bytes / 2**30:.2f} GiB of temporary files."
    )


def check_memory(plan: Plan, most_gb: float) -> None:
    """Raise ValueError if a run would take more memory than it may.

    Args:
        plan: The plan.
        most_gb: GiB at most.
    """
    if plan.memory_bytes > most_gb * 2**30:
        widest = sorted(plan.features, key=lambda name: -plan.features[name])[:3]
        raise EngramError(
            f"the run would take about {plan.memory_bytes / 2**30:.2f} GiB of memory and may take "
            f"{most_gb:g}: raise memory_gb, lower batch or layer_mb, or leave out layers (the "
            f"largest are {', '.join(widest)})"
        )


def batches_of(stimuli: Stimuli, batch: int) -> list[list[int]]:
    """Rows of the pictures of each batch."""
    return [part.tolist() for part in torch.arange(len(stimuli.ids)).split(batch)]
