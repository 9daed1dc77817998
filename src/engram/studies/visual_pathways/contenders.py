"""The networks and controls that are compared, and what a comparison of them returns."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engram.similarity import Layer, LayerScore, Profile, Target, best_of, profiles
from engram.stats import crossed_test
from engram.studies.similarity_score.models import Model
from engram.studies.similarity_score.scoring import interval, network_layers, rise_of
from engram.studies.similarity_score.stimuli import Stimuli

SIDE = 64
"""Side of the pictures that Gabor filters see, in pixels."""
GRID = 8
"""Side of the grid in which their energy is averaged."""


def stimuli_of(pixels: np.ndarray, size: int) -> Stimuli:
    """Pictures in memory, scaled to a square.

    Args:
        pixels: `(n, height, width)` or `(n, height, width, 3)` uint8.
        size: Side of the square, in pixels.
    """
    held = torch.from_numpy(np.ascontiguousarray(pixels)).float()
    held = held.unsqueeze(1).expand(-1, 3, -1, -1) if held.ndim == 3 else held.permute(0, 3, 1, 2)
    if held.shape[-2:] != (size, size):
        held = torch.nn.functional.interpolate(held, (size, size), mode="bilinear", antialias=True)
    scaled = held.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return Stimuli(tuple(str(k) for k in range(len(scaled))), list(scaled), (), {})


def gabor_energy(pictures: Tensor, orientations: int = 6) -> np.ndarray:
    """Energy of Gabor filters of three widths, averaged in a grid, `(n, features)`.

    Args:
        pictures: `(n, 3, height, width)`.
        orientations: Number of orientations.
    """
    grey = pictures.float().mean(1, keepdim=True)
    grey = torch.nn.functional.adaptive_avg_pool2d(grey, SIDE)
    grey = grey - grey.mean((2, 3), keepdim=True)
    y, x = torch.meshgrid(torch.arange(-10.0, 11), torch.arange(-10.0, 11), indexing="ij")
    kernels = []
    for width in (2.0, 3.0, 5.0):
        envelope = torch.exp(-(x**2 + y**2) / (2 * width**2))
        for k in range(orientations):
            angle = torch.tensor(np.pi * k / orientations)
            phase = (x * angle.cos() + y * angle.sin()) * np.pi / width
            for wave in (phase.cos(), phase.sin()):
                kernel = envelope * wave
                kernels.append(kernel - envelope * kernel.sum() / envelope.sum())
    found = torch.nn.functional.conv2d(grey, torch.stack(kernels)[:, None], padding=10)
    energy = (found[:, ::2] ** 2 + found[:, 1::2] ** 2).sqrt()
    return torch.nn.functional.adaptive_avg_pool2d(energy, GRID).flatten(1).numpy()


def control(name: str, values: np.ndarray) -> Layer:
    """A control of one layer."""
    return Layer(name, partial(np.asarray, values), control=name)


def picture_controls(stimuli: Stimuli) -> list[Layer]:
    """Pixels in colour and grey, and Gabor energy."""
    pictures = stimuli.batch(range(len(stimuli.ids)))
    pixels = pictures.permute(0, 2, 3, 1).flatten(1).numpy()
    return [
        control("pixels", pixels),
        control("grey", pictures.float().mean(1).flatten(1).numpy()),
        control("Gabor energy", gabor_energy(pictures)),
    ]


def one_hot(properties: np.ndarray) -> np.ndarray:
    """Features whose RDM orders stimuli as the number of binary properties that differ does.

    The rows are a property and its opposite, so that all have the same norm and mean.

    Args:
        properties: `(stimuli, properties)`, 0 or 1.
    """
    held = np.asarray(properties, np.float64).reshape(len(properties), -1)
    return np.concatenate([held, 1 - held], 1)


def all_layers(
    networks: Mapping[str, Model], stimuli: Stimuli, folder: Path, batch: int, largest: int
) -> list[Layer]:
    """Features of several networks; the first is the model, the others are controls by name."""
    layers: list[Layer] = []
    for place, (name, model) in enumerate(networks.items()):
        layers += network_layers(model, stimuli, folder, batch, largest, name if place else "")
    return layers


def compared(
    layers: Sequence[Layer],
    targets: Sequence[Target],
    metrics: Sequence[str],
    first: str,
    seed: int,
    draws: int,
) -> dict[str, Any]:
    """Score networks and controls, and compare each with the first network, paired.

    Args:
        layers: Features of the first network, of other networks and of controls.
        targets: The areas.
        metrics: What to measure.
        first: Name of the first network.
        seed: Seed of the resamples.
        draws: Number of resamples.

    Returns:
        JSON-compatible: rows of the best layer of each, by area and metric; and the curves.
    """
    found = profiles(layers, targets, metrics, seed=seed, draws=draws)
    rows, curves = [], []
    for one in found:
        names = ["", *dict.fromkeys(row.control for row in one.layers if row.control)]
        for name in names:
            rows.append(_row(one, name, first))
            own = [row for row in one.layers if row.control == name]
            if len(own) > 1:
                curves.append(
                    {
                        "area": one.area, "metric": one.metric, "network": name or first,
                        "values": [_value(row) for row in own],
                    }
                )  # fmt: skip
    return {"rows": [row for row in rows if row is not None], "curves": curves,
            "rises": rises(found, seed)}  # fmt: skip


def _value(row: LayerScore) -> list[float] | None:
    return None if row.score is None else interval(row.score.value)


def _row(one: Profile, name: str, first: str) -> dict[str, Any] | None:
    best, reference = best_of(one.layers, name), one.best
    if best is None or best.score is None or reference is None:
        return None
    own = [row.layer for row in one.layers if row.control == name]
    found: dict[str, Any] = {
        "area": one.area, "metric": one.metric, "network": name or first, "layer": best.layer,
        "depth": own.index(best.layer) / max(1, len(own) - 1), "value": interval(best.score.value),
        "chance": one.chance.estimate,
        "normalised": interval(best.score.normalised),
        "no_ceiling": best.score.reason, "difference": None, "p": None,
    }  # fmt: skip
    if name and best.crossed is not None and reference.crossed is not None:
        test = crossed_test(best.crossed, reference.crossed)
        found |= {"difference": interval(test.difference), "p": test.p}
    return found


def rises(found: Sequence[Profile], seed: int) -> list[dict[str, Any]]:
    """How much deeper the best layer of each further area is than that of the first.

    Args:
        found: Profiles; the first area of each metric is compared with the others.
        seed: Seed of the resamples of units.
    """
    rows = []
    for metric in dict.fromkeys(one.metric for one in found):
        own = [one for one in found if one.metric == metric]
        for name in dict.fromkeys(row.control for row in own[0].layers):
            for other in own[1:]:
                rise = rise_of(own[0], other, name, seed)
                if rise is not None:
                    rows.append({"network": name} | rise)
    return rows
