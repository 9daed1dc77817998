"""The network in which studies compare neurons, and its training and test."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from engram.neuron import Neuron, mean_over_time, pack_steps, unpack_steps
from engram.neuron.presets import fade, mask_share
from engram.record import record
from engram.train import (
    Augment,
    Collate,
    Examples,
    Padded,
    batches,
    fit,
    pad,
    predict,
    time_first,
)

BATCH = 256
"""Sequences per call in evaluation."""
adam = partial(AdamW, weight_decay=0.0)
"""Adam: AdamW without weight decay."""


class SpikingNetwork(nn.Module):
    """Layers without time, each followed by neurons, and a linear readout of the mean over time.

    Args:
        layers: The layer before each layer of neurons; its input is `(batch, *features)`, where
            each entry is one step of one sequence, so that a batch norm never sees padding.
        readout: Maps the flattened last spikes to logits.
        neurons: One per layer. They are created last, so that for a given seed all kinds of
            neurons get the same weights.
    """

    def __init__(
        self, layers: Sequence[nn.Module], readout: nn.Linear, neurons: Sequence[Neuron]
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.readout = readout
        self.neurons = nn.ModuleList(neurons)

    def forward(self, batch: Tensor | Padded) -> Tensor:
        """Logits `(batch, classes)` of sequences `(time, batch, *features)`."""
        x, lengths = batch if isinstance(batch, Padded) else (batch, None)
        T, size = x.shape[:2]
        for layer, neuron in zip(self.layers, self.neurons, strict=True):
            if lengths is None:
                x = neuron(layer(x.flatten(0, 1)).unflatten(0, (T, size)))
            else:
                x = neuron(unpack_steps(layer(pack_steps(x, lengths)), lengths, T), lengths)
        mean = x.mean(0) if lengths is None else mean_over_time(x, lengths)
        return self.readout(mean.flatten(1))  # linear, so the mean of the readouts


def train_and_test(
    net: SpikingNetwork,
    train: Examples,
    validation: Examples,
    test: Examples,
    *,
    epochs: int,
    batch: int,
    lr: float,
    seed: int,
    device: str | None,
    optimizer: Callable[..., Optimizer] = adam,
    collate: Collate = time_first,
    augment: Augment | None = None,
) -> dict[str, Any]:
    """Train a network with gradually applied masks, and test the best weights in validation.

    Args:
        net: The network.
        train: Examples to learn from, with label smoothing 0.1.
        validation: Examples that select the epoch, among those in which the masks are complete, so
            that every masked PSN is causal; the same for all neurons.
        test: Test examples, used once.
        epochs: Passes over the training examples.
        batch: Examples per step.
        lr: Initial learning rate.
        seed: Seed of the order of the examples.
        device: As in `fit`.
        optimizer: As in `fit`.
        collate: As in `fit`.
        augment: As in `fit`.

    Returns:
        JSON-compatible data: `parameters`, the indices of the `wrong` test examples, the
        `validation` accuracy by epoch, the `best_epoch`, the firing `rates` by layer, and
        `step_ms`.
    """
    lam = [mask_share(epoch, epochs) for epoch in range(epochs)]
    history = fit(
        net,
        train,
        validation,
        epochs=epochs,
        batch=batch,
        lr=lr,
        seed=seed,
        optimizer=optimizer,
        device=device,
        loss=partial(F.cross_entropy, label_smoothing=0.1),
        collate=collate,
        augment=augment,
        before_epoch=lambda epoch: fade(net, lam[epoch]),
        keep_from=lam.index(1.0),
    )
    wrong = predict(net, test.inputs, batch=BATCH, collate=collate).argmax(1) != test.labels
    return {
        "parameters": sum(weight.numel() for weight in net.parameters()),
        "wrong": wrong.nonzero().flatten().tolist(),
        "validation": list(history.validation_accuracy.values),
        "best_epoch": history.best_epoch,
        "rates": firing_rates(net, test.inputs, collate),
        "step_ms": 1e3 * history.step_s,
    }


def firing_rates(net: nn.Module, inputs: Any, collate: Collate) -> list[float]:
    """Spikes per neuron per step in each layer of neurons, excluding padded steps."""
    if collate is not pad:
        return _mean_activity(net, batches(inputs, BATCH, collate))
    whole = pad(inputs, torch.arange(len(inputs)))  # a recording requires one length
    real_share = (whole.lengths / len(whole.x)).mean().item()
    return [rate / real_share for rate in _mean_activity(net, [whole])]


def _mean_activity(net: nn.Module, calls: Iterable[Any]) -> list[float]:
    traces = record(net, calls, Neuron, reduce="trials")
    return [float(trace.firing_rate.mean()) for trace in traces.values()]
