"""Weights in files: ours and published ones, as safetensors or as torch saves them."""

import argparse
import pickle
from collections.abc import Iterable, Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from engram.vision.network import Naming, VisionModel
from engram.vision.presets import PRESETS

State = dict[str, Tensor]
OURS = Naming("engram", str)
SHOWN = 4
"""Keys that an error names of each kind."""


class CheckpointError(ValueError):
    """A checkpoint that does not fit the model, or that is none."""


class Loaded(NamedTuple):
    """What became of a checkpoint.

    Attributes:
        naming: Whose names its weights had.
        dropped: What it held and nothing reads.
    """

    naming: str
    dropped: tuple[str, ...]


def load_checkpoint(
    model: VisionModel, source: str | PathLike[str] | Mapping[str, Tensor]
) -> Loaded:
    """Gives a model the weights of a checkpoint, ours or one of the published namings.

    Files are read as tensors only: nothing in them is executed.

    Args:
        model: The model, of the checkpoint's architecture.
        source: A `.safetensors` file, one by `torch.save`, or a state dict; weights may lie under
            `state_dict` or `model`, and their names may begin with `module.`.

    Raises:
        CheckpointError: The file is no checkpoint, or that of another model; the message names the
            weights that differ and the nearest preset.
    """
    state = unwrap(source if isinstance(source, Mapping) else read(Path(source)))
    own = model.state_dict()
    namings = (*model.namings, OURS)
    naming = max(namings, key=lambda naming: len(state.keys() & set(map(naming.key, own))))
    unused = {key for other in namings for key in other.unused}
    dropped = tuple(key for key in state if key in unused)
    given = {key: value for key, value in state.items() if key not in unused}
    taken: State = {}
    differing: dict[str, str] = {}
    for key, value in own.items():
        published = given.pop(naming.key(key), None)
        if published is None:
            if key.endswith("num_batches_tracked"):  # older versions of torch did not count
                taken[key] = value
            else:
                differing[key] = f"no {naming.key(key)}"
        elif squeezed(published) != squeezed(value):
            shapes = f"{tuple(published.shape)}, not {tuple(value.shape)}"
            differing[key] = f"{naming.key(key)} of shape {shapes}"
        else:
            taken[key] = published.reshape(value.shape)
    if differing and not given and differing.keys() <= {"head.weight", "head.bias"}:
        raise CheckpointError(explain_classes(model, state.get(naming.key("head.bias"))))
    if differing or given:
        raise CheckpointError(explain(model, state, list(differing.values()), list(given)))
    model.load_state_dict(taken)
    return Loaded(naming.name, dropped)


def save_checkpoint(
    model: VisionModel, path: str | PathLike[str], *, published: bool = False
) -> None:
    """Writes a model's weights, as `.safetensors` if the path ends so, else as torch saves them.

    Args:
        model: The model.
        path: Where to.
        published: Use the names and shapes of the published code, so that it can read the file,
            and add what it holds unused: layer norms as they begin.

    Raises:
        ValueError: No code is published for this model.
    """
    if published and not model.namings:
        raise ValueError(f"{type(model).__name__} has no published names: leave published=False")
    state = publish(model, model.namings[0]) if published else model.state_dict()
    state = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    if Path(path).suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"state_dict": state}, path)


def publish(model: VisionModel, naming: Naming) -> State:
    """The state of a model in the names and shapes of a publication."""
    state = {}
    for key, value in model.state_dict().items():
        name = naming.key(key)
        axes = [count for end, count in naming.axes.items() if name.endswith(end)]
        state[name] = value.reshape(value.shape[: axes[0]]) if axes else value
    for name, shape in naming.unused.items():
        state[name] = torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    return state


def read(path: Path) -> Mapping[str, Any]:
    """What a file holds; nothing in it is executed.

    Raises:
        CheckpointError: It is not there, or holds more than tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is no file: name a checkpoint")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]):  # what timm keeps beside
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, EOFError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} holds no weights that can be read without executing what is in it: save its "
            f"state dict alone ({str(error).splitlines()[0]})"
        ) from error


def unwrap(content: Any) -> State:
    """The state dict in what a file holds, without the prefix of a parallel wrapper.

    Raises:
        CheckpointError: There is none.
    """
    for name in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
            break
    if not isinstance(content, Mapping) or not any(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(
            "the checkpoint holds no tensors by name, neither at the top nor under state_dict or "
            "model: give it a state dict"
        )
    return {key.removeprefix("module."): value for key, value in content.items()}


def explain_classes(model: VisionModel, bias: Tensor | None) -> str:
    """Why a checkpoint that differs in its head alone does not fit, and what to do."""
    classes = 0 if bias is None else len(bias)
    return (
        f"the checkpoint has {classes} classes and the {type(model).__name__} "
        f"{model.num_classes}: build it with num_classes={classes}, load, and call "
        "reset_classifier for a new head"
    )


def explain(model: VisionModel, state: State, differing: list[str], unexpected: list[str]) -> str:
    """Why a checkpoint does not fit, and which preset it is nearest to."""
    name, share = nearest_preset(state)
    parts = [listed(differing), f"unexpected {listed(unexpected)}" if unexpected else ""]
    return (
        f"the checkpoint is not of this {type(model).__name__}: "
        f"{'; '.join(filter(None, parts))}. Its nearest preset is {name}, which has {share:.0%} "
        "of its weights"
    )


def listed(lines: list[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return ", ".join(lines[:SHOWN]) + more


def nearest_preset(state: State) -> tuple[str, float]:
    """The preset that has most of these weights, by name and shape, and what share of them."""
    given = {(key, squeezed(value)) for key, value in state.items()}
    shares = {
        name: max(len(given & published) for published in namings) / len(given)
        for name, namings in preset_shapes().items()
    }
    best = max(shares, key=lambda name: shares[name])
    return best, shares[best]


@cache
def preset_shapes() -> dict[str, list[set[tuple[str, tuple[int, ...]]]]]:
    """What files of each preset hold, by its name: names and shapes in each naming."""
    held = {}
    for name, build in PRESETS.items():
        with torch.device("meta"):
            model = build()
        held[name] = [set(shapes(model, naming)) for naming in (*model.namings, OURS)]
    return held


def shapes(model: VisionModel, naming: Naming) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Every name with its shape that a file of this model in this naming has."""
    for key, value in model.state_dict().items():
        yield naming.key(key), squeezed(value)
    for key, shape in naming.unused.items():
        yield key, tuple(size for size in shape if size != 1)


def squeezed(value: Tensor) -> tuple[int, ...]:
    """The shape without the axes of size 1, in which linear layers and convolutions differ."""
    return tuple(size for size in value.shape if size != 1)
