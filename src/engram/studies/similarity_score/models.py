"""The models that can be scored: presets, pretrained ones, your own, and files of features."""

import copy
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.record import Tap, leaves, tap
from engram.studies.model_energy import call_model, find_model, settle
from engram.vision import (
    PRESETS,
    SpikingTwin,
    VisionModel,
    lite0_input,
    load_checkpoint,
    pretrained_lite0,
    spiking_twin,
)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pictures of ImageNet, each channel from 0 to 1."""
STEPS = 32
"""Levels of the spiking twin."""


class Model(NamedTuple):
    """A model and what it is shown.

    Attributes:
        network: The network.
        transform: Maps pictures `(batch, 3, height, width)` uint8 to its input.
        layers: Names of the layers to score, from the input on.
        notes: What it is.
    """

    network: nn.Module
    transform: Callable[[Tensor], Tensor]
    layers: tuple[str, ...]
    notes: tuple[str, ...]


def standard_input(pictures: Tensor) -> Tensor:
    """Pictures from 0 to 1, standardised by the mean and deviation of ImageNet's channels.

    Args:
        pictures: `(batch, 3, height, width)` uint8.
    """
    mean, deviation = (torch.tensor(one).view(3, 1, 1) for one in (MEAN, DEVIATION))
    return (pictures.float() / 255 - mean) / deviation


def _twin(steps: int | None) -> Model:
    steps = steps or STEPS
    network = spiking_twin(pretrained_lite0(), steps, "quantised")
    note = (
        f"the spiking twin of EfficientNet-Lite0 with T = {steps}, run as the quantised network "
        "that integrate-then-fire neurons equal up to rounding"
    )
    return Model(network, lite0_input, (), (note,))


PRETRAINED: Mapping[str, Callable[[int | None], Model]] = {
    "lite0": lambda _: Model(
        pretrained_lite0(), lite0_input, (), ("EfficientNet-Lite0 with published weights",)
    ),
    "lite0_twin": _twin,
}
"""Models with weights that a package carries, by name."""


def make_model(
    name: str,
    *,
    checkpoint: Path | None = None,
    transform: str | None = None,
    layers: Sequence[str] = (),
    steps: int | None = None,
    seed: int = 0,
) -> Model:
    """Make a model.

    Args:
        name: A name of `PRETRAINED`, a preset of `engram.vision`, or MODULE:FUNCTION, which is
            called without arguments.
        checkpoint: Weights of a preset.
        transform: MODULE:FUNCTION that maps pictures `(batch, 3, height, width)` uint8 to inputs;
            None takes what is known of the model, else ImageNet's standardisation.
        layers: Names of layers; empty takes the stem and the stages, or the children.
        steps: Time steps of a spiking preset, or levels of the twin.
        seed: Seed of weights without a checkpoint.

    Raises:
        ValueError: There is no such model, or its settings do not fit.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        made = _made(name, steps)
    if checkpoint is not None:
        if name in PRETRAINED:
            raise EngramError(f"{name} has weights: leave the checkpoint out")
        if not checkpoint.is_file():
            raise EngramError(f"checkpoint {checkpoint} is not a file; name a file of weights")
        load_checkpoint(made.network, checkpoint)
        made = made._replace(notes=(f"the weights are those of {checkpoint.name}",))
    if transform is not None:
        function = find_model(transform)
        made = made._replace(transform=function, notes=(*made.notes, f"input: {transform}"))
    return made._replace(layers=tuple(layers) or _layers(made.network))


def _made(name: str, steps: int | None) -> Model:
    if name in PRETRAINED:
        return PRETRAINED[name](steps)
    if name in PRESETS:
        settings: dict[str, Any] = {"num_classes": 1000, "in_channels": 3}
        network = call_model(name, settings | ({} if steps is None else {"steps": steps}))
        note = "random weights: give a checkpoint for a trained model"
        return Model(network, standard_input, (), (note,))
    if ":" not in name:
        known = ", ".join([*PRETRAINED, *PRESETS])
        raise EngramError(
            f"there is no model {name!r}: choose of {known}, or give MODULE:FUNCTION or a file of "
            "features (.npz)"
        )
    if steps is not None:
        raise EngramError(f"steps={steps}: {name} is called without arguments; leave it out")
    return Model(call_model(name, {}), standard_input, (), (f"made by {name}",))


def _layers(network: nn.Module) -> tuple[str, ...]:
    inner = network.network if isinstance(network, SpikingTwin) else network
    if not isinstance(inner, VisionModel):
        found = leaves(inner)
        if not found:
            raise EngramError(f"{type(inner).__name__} has no layers: name some")
        return tuple(found)
    names = {id(module): name for name, module in inner.named_modules()}
    parts = [inner.stem, *inner.stages()]
    if not isinstance(inner.head, nn.Identity):
        parts.append(inner.head)
    return tuple(names[id(part)] for part in parts)


@contextmanager
def tapped(model: Model, first: Tensor) -> Iterator[Tap]:
    """Record the layers of a model; `run` takes pictures as uint8.

    Args:
        model: The model.
        first: Two or more pictures `(batch, 3, height, width)` uint8.
    """
    network, transform = model.network, model.transform
    if isinstance(network, SpikingTwin):
        names = model.layers
        yield Tap(lambda x: network.run(transform(x), names).features, {})
        return
    with tap(network, model.layers, transform(first)) as found:
        yield Tap(lambda x: found.run(transform(x)), found.left_out)


def untrained(model: Model, first: Tensor, seed: int) -> Model:
    """The same network with random weights, its batch norms set by these pictures.

    Args:
        model: The model.
        first: Pictures `(batch, 3, height, width)` uint8.
        seed: Seed of the weights.

    Raises:
        ValueError: The network has no weights that can be drawn again.
    """
    network = copy.deepcopy(model.network)
    drawn = [
        part for part in network.modules() if callable(getattr(part, "reset_parameters", None))
    ]
    if not any(True for part in drawn for _ in part.parameters(recurse=False)):
        raise EngramError("the network has no layer with reset_parameters: it has no control")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        for part in drawn:
            part.reset_parameters()  # pyright: ignore[reportCallIssue]
    inner = network.network if isinstance(network, SpikingTwin) else network
    settle(inner, model.transform(first))
    return model._replace(network=network)


def read_features(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Features that another program wrote: an array `(stimuli, …)` per layer, in one npz file.

    Args:
        path: The file. An array `stimulus_id` (or `stimuli`, `image_id`) names the stimuli; the
            layers are in the order of the file.

    Returns:
        The ids of the stimuli, empty if there are none, and the layers by name.

    Raises:
        ValueError: It holds no layers, or other numbers of stimuli.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise EngramError(f"{path} cannot be read as npz: {error}") from error
    ids: tuple[str, ...] = ()
    for name in ("stimulus_id", "stimuli", "image_id"):
        if name in held:
            ids = tuple(map(str, held.pop(name).ravel()))
    layers = {
        name: array.reshape(len(array), -1)
        for name, array in held.items()
        if array.ndim >= 2 and array.dtype.kind in "fiub"
    }
    counts = {len(array) for array in layers.values()} | ({len(ids)} if ids else set())
    if not layers or len(counts) != 1:
        shapes = {name: array.shape for name, array in held.items()}
        raise EngramError(
            f"{path} holds {shapes}: give arrays (stimuli, …) of the same stimuli, one per layer"
        )
    return ids, layers
