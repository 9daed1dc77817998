"""The model that a training distils."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from engram.errors import EngramError
from engram.studies.model_training.feeds import Feeds
from engram.train.checkpoint import load_latest

Build = Callable[[str, str | None, int | None], nn.Module]
"""Makes a model from its name, the name of its neuron and its number of steps."""


class Teacher(NamedTuple):
    """A teacher, and the hash of its weights."""

    model: nn.Module
    sha256: str


def find_teacher(name: str, build: Build, feeds: Feeds) -> Teacher:
    """Make a teacher, with its weights.

    Args:
        name: The folder of a training by `engram train`, whose first seed's best weights are
            taken, or MODULE:FUNCTION, which makes a model with its weights.
        build: Makes the model of such a training.
        feeds: The data, whose classes it must have.

    Raises:
        ValueError: If there is no such teacher, or it has other classes.
    """
    with torch.random.fork_rng(devices=()):
        model = build(name, None, None) if ":" in name else _trained(Path(name), build)
    with torch.no_grad():
        logits = model.eval()(feeds.inputs(1))
    if logits.shape[-1] != len(feeds.source.classes):
        raise EngramError(
            f"the teacher {name} has {logits.shape[-1]} classes, and the data have "
            f"{len(feeds.source.classes)}: choose a teacher for these data"
        )
    digest = hashlib.sha256()
    for key, value in model.state_dict().items():
        digest.update(key.encode())
        digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return Teacher(model, digest.hexdigest())


def _trained(folder: Path, build: Build) -> nn.Module:
    """The model of a training, with its best weights."""
    runs = sorted(folder.glob("seed-*/checkpoints"))
    state: dict[str, Any] | None = load_latest(runs[0]) if runs else None
    if state is None or state["best"]["epoch"] < 0:
        raise EngramError(
            f"teacher={str(folder)!r}: give the folder of a training by engram train that has "
            "ended an epoch, or MODULE:FUNCTION of a model with its weights"
        )
    settings = state["settings"]
    model = build(settings["model"], settings["neuron"], settings["steps"])
    try:
        model.load_state_dict(state["best"]["weights"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise EngramError(f"the weights of {folder} do not fit these data: {reason}") from error
    return model
