"""A spiking network before and after training: what one flipped input spike does, by layer.

Networks of few steps are too short for measures along time; a small change of the input and its
growth from layer to layer is the read-out for them.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engram import data
from engram.critical.measure import susceptibility
from engram.neuron import LIF, Neuron
from engram.record import record
from engram.studies.comparison.network import SpikingNetwork
from engram.studies.model_energy import settle
from engram.train import Examples, fit, predict, time_first

STEPS, WIDTH, DEPTH = 8, 64, 4
EPOCHS, BATCH, RATE = 8, 64, 5e-3
PROBED = 256
"""Test images in which one input spike is flipped."""


def read_out(seed: int) -> list[dict[str, Any]]:
    """Train a network on digits, and read it out before and after.

    Args:
        seed: Seed of the weights, the input spikes, and the flips.

    Returns:
        For each layer, before and after training: its number, the firing rate, the differing
        spikes per image after one input spike was flipped, the susceptibility of the population,
        and the test accuracy in %.
    """
    parts, classes = _digits(seed)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = _network(classes)
        settle(net, time_first(parts[0].inputs, torch.arange(PROBED)))  # else it is silent
    found = _layers(net, parts[2], seed, "before")
    fit(net, parts[0], parts[1], epochs=EPOCHS, batch=BATCH, lr=RATE, seed=seed, device="cpu")
    return [*found, *_layers(net, parts[2], seed, "after")]


def damage(model: nn.Module, inputs: Tensor, rng: np.random.Generator) -> dict[str, float]:
    """Flip one input spike of the first step in each sample, and count the spikes that change.

    Args:
        model: A spiking network.
        inputs: Spikes, (time, batch, unit), 0 or 1.
        rng: Draws the flipped unit of each sample.

    Returns:
        The mean number of differing spikes per sample of each layer of neurons, by name.
    """
    flipped = inputs.clone()
    samples = torch.arange(inputs.shape[1])
    units = torch.from_numpy(rng.integers(0, inputs.shape[2], len(samples)))
    flipped[0, samples, units] = 1 - flipped[0, samples, units]
    before, after = (record(model, [x], Neuron, layout="time-first") for x in (inputs, flipped))
    return {
        name: float(np.abs(before[name].activity - after[name].activity).sum()) / len(samples)
        for name in before
    }


def _layers(net: SpikingNetwork, test: Examples, seed: int, when: str) -> list[dict[str, Any]]:
    """The read-out of each layer, from the input on."""
    hits = predict(net, test.inputs).argmax(1) == test.labels
    inputs = time_first(test.inputs, torch.arange(min(PROBED, len(test.labels))))
    traces = record(net, [inputs], Neuron, layout="time-first")
    changed = damage(net, inputs, np.random.default_rng(seed))
    rows = []
    for number, (name, trace) in enumerate(traces.items(), start=1):
        active = trace.activity.sum(axis=2).T  # (trial, time)
        rows.append(
            {
                "when": when,
                "layer": number,
                "rate": float(trace.activity.mean()),
                "changed": changed[name],
                "susceptibility": susceptibility(active, trace.n_unit),
                "accuracy": 100 * float(hits.double().mean()),
            }
        )
    return rows


def _network(classes: int) -> SpikingNetwork:
    """Layers of equal width, so that the damage of one can be compared with that of the next."""
    layers = [
        nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False), nn.BatchNorm1d(WIDTH))
        for _ in range(DEPTH)
    ]
    return SpikingNetwork(layers, nn.Linear(WIDTH, classes), [LIF() for _ in range(DEPTH)])


def _digits(seed: int) -> tuple[list[Examples], int]:
    """Digits as independent random spikes, whose probability is the brightness of a pixel."""
    source = data.load("digits")
    parts = (*data.split_off(source.train, 0.2, seed), source.test)
    rng = np.random.default_rng(seed)
    examples = []
    for part in parts:
        pixels = np.stack(list(part.inputs)).reshape(len(part), 1, -1).astype(np.float32)
        drawn = rng.random((len(part), STEPS, pixels.shape[2])) < pixels / pixels.max()
        examples.append(
            Examples(torch.from_numpy(drawn.astype(np.float32)), torch.from_numpy(part.labels))
        )
    return examples, len(source.classes)
