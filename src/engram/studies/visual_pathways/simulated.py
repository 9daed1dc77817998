"""A simulated cortex whose true model is known, where there are no recordings."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from engram.data.responses import Responses
from engram.similarity import Layer, Target, match_stimuli, targets_of
from engram.studies.model_energy import settle
from engram.studies.similarity_score.models import Model, standard_input
from engram.studies.visual_pathways.contenders import (
    all_layers,
    compared,
    picture_controls,
    stimuli_of,
)
from engram.vision import spiking_twin

CHANNELS = (6, 8, 10, 12, 14)
"""Channels of the layers of the networks."""
PATHWAYS = {
    "primate": {"V1": 0, "V4": 2, "IT": 4},
    "mouse": {"VISp": 2, "VISl": 2, "VISam": 2},
}
"""The layer that each area is a noisy sample of: a hierarchy, and areas on one level."""
REPEATS = 8
NOISE = 1.0
"""Standard deviation of a trial, relative to that of the responses of a neuron."""


def pictures(count: int, rng: np.random.Generator, side: int = 32) -> np.ndarray:
    """Smooth coloured patches and gratings, `(n, side, side, 3)` uint8."""
    found = []
    y, x = np.mgrid[:side, :side] / side
    for _ in range(count):
        noise = rng.normal(size=(side, side, 3))
        blobs = gaussian_filter(noise, (*[rng.uniform(1, 5)] * 2, 0))
        angle, waves = rng.uniform(0, np.pi), rng.uniform(1, 7)
        phase = 2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle))
        window = np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / 0.08)
        whole = blobs / blobs.std() + 2 * (np.sin(phase) * window)[..., None] * rng.normal(size=3)
        found.append(np.clip(128 + 40 * whole, 0, 255).astype(np.uint8))
    return np.stack(found)


def network(seed: int, shown: torch.Tensor) -> nn.Module:
    """Five convolutions with batch norm and ReLU6, of random weights."""
    layers, before = [], 3
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        for place, channels in enumerate(CHANNELS):
            conv = nn.Conv2d(before, channels, 3, 1 + place % 2, 1, bias=False)
            layers.append(nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU6()))
            before = channels
    made = nn.Sequential(*layers)
    settle(made, shown)
    return made.eval()


def model_of(made: nn.Module) -> Model:
    """A network of the simulation with its five layers."""
    names = tuple(str(k) for k in range(len(CHANNELS)))
    return Model(made, standard_input, names, ())


def recorded(
    features: list[np.ndarray],
    areas: dict[str, int],
    subjects: int,
    neurons: int,
    rng: np.random.Generator,
) -> Responses:
    """Noisy responses of random units of the true model's layers.

    Args:
        features: The true model's layers, `(stimuli, units)` each.
        areas: The layer of each area.
        subjects: Number of subjects, each with its own units.
        neurons: Neurons of a subject in an area.
        rng: Random generator of the units and the noise.
    """
    columns, names, people = [], [], []
    for area, layer in areas.items():
        lively = np.flatnonzero(features[layer].std(0) > 0)
        for subject in range(subjects):
            chosen = rng.choice(lively, neurons, replace=len(lively) < neurons)
            columns.append(features[layer][:, chosen])
            names += [area] * neurons
            people += [f"subject {subject + 1}"] * neurons
    truth = np.concatenate(columns, 1)
    truth = (truth - truth.mean(0)) / truth.std(0)
    noise = NOISE * rng.normal(size=(len(truth), REPEATS, truth.shape[1]))
    values = (truth[:, None] + noise)[..., None]
    ids = [str(k) for k in range(len(truth))]
    return Responses(values, ids, [str(k) for k in range(len(names))], names, people)


def targets(
    features: list[np.ndarray], pathway: str, subjects: int, neurons: int, seed: int
) -> list[Target]:
    """The areas of a pathway as targets."""
    rng = np.random.default_rng([seed, len(pathway)])
    recording = recorded(features, PATHWAYS[pathway], subjects, neurons, rng)
    ids = recording.stimuli
    return targets_of(recording, match_stimuli(ids, ids, len(ids)), rng)


def simulated(
    pathway: str,
    seed: int,
    stimuli: int,
    subjects: int,
    neurons: int,
    steps: tuple[int, ...],
    draws: int,
) -> dict[str, Any]:
    """Score the true model, its spiking twins and other networks against areas sampled from it.

    Args:
        pathway: primate or mouse; see `PATHWAYS`.
        seed: Seed of pictures, weights, neurons and noise.
        stimuli: Number of pictures.
        subjects: Number of subjects.
        neurons: Neurons of a subject in an area.
        steps: T of the twins, which run as real spikes that integrate, then fire.
        draws: Number of resamples.
    """
    shown = stimuli_of(pictures(stimuli, np.random.default_rng(seed)), 32)
    first = standard_input(shown.batch(range(stimuli)))
    true = network(seed, first)
    networks: dict[str, Model] = {"true model": model_of(true)}
    for count in steps:
        twin = spiking_twin(true, count)
        networks[f"its twin, T = {count}"] = model_of(twin)
    for other in (1, 2):
        networks[f"other weights {other}"] = model_of(network(seed + 1000 * other, first))
    with TemporaryDirectory() as folder:
        layers = all_layers(networks, shown, Path(folder), stimuli, 1 << 28)
        truth = [one.load().astype(np.float64) for one in layers[: len(CHANNELS)]]
        areas = targets(truth, pathway, subjects, neurons, seed)
        everything: list[Layer] = [*layers, *picture_controls(shown)]
        return compared(everything, areas, ("rsa",), "true model", seed, draws)
