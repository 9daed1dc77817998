"""The firing of a trained model by layer."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from engram.neuron import Neuron
from engram.record import record
from engram.train import Feed

TRACED = 256
"""Test images at most on which firing is recorded."""
DEAD, SATURATED = 0.0, 0.95
"""Firing rate, in spikes per step, of a dead neuron, and the least of a saturated one."""


def firing(model: nn.Module, feed: Feed) -> list[list[Any]]:
    """For each layer of neurons: its name, rate, and shares of dead and saturated neurons in %.

    Args:
        model: The model.
        feed: Test examples, of which the first are shown.
    """
    if not any(isinstance(module, Neuron) for module in model.modules()):
        return []
    batches = torch.arange(min(TRACED, len(feed))).split(64)
    inputs = [feed.batch(rows, slice(None), 0)[0] for rows in batches]
    traces: Mapping[str, Any] = record(model, inputs, Neuron, reduce="trials")
    rows = []
    for name, trace in traces.items():
        rate = trace.activity.mean((0, 1))
        dead, full = (rate <= DEAD).mean(), (rate >= SATURATED).mean()
        rows.append([name, float(rate.mean()), 100 * float(dead), 100 * float(full)])
    return rows
