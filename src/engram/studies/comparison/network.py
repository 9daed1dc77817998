"""The network that studies put their neurons in, and what one training of it comes to."""

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
"""Sequences a call when nothing is learned."""
adam = partial(AdamW, weight_decay=0.0)
"""Adam: AdamW that leaves large weights alone."""


class SpikingNetwork(nn.Module):
    """Layers without time, each with neurons after it; a linear readout of the mean over time.

    Args:
        layers: What precedes each layer of neurons; takes `(batch, *features)`, here one step of
            one sequence each, so that a batch norm never sees padding.
        readout: From the last spikes, flattened, to the logits.
        neurons: As many as the layers. Made last, they leave every kind of neuron the same weights
            for a seed.
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
    """Train a network, its masks fading in, and test the weights that did best in validation.

    Args:
        net: The network.
        train: Examples to learn from, with label smoothing 0.1.
        validation: Examples that choose the epoch, from the one where the masks are whole, so
            that every masked PSN is causal; the same for all neurons.
        test: Examples that are met once.
        epochs: Passes over the training examples.
        batch: Examples a step.
        lr: Learning rate of the first step.
        seed: Seed of the order of the examples.
        device: As in `fit`.
        optimizer: As in `fit`.
        collate: As in `fit`.
        augment: As in `fit`.

    Returns:
        What JSON can hold: `parameters`, the rows of the `wrong` test examples, the `validation`
        accuracy by epoch, the `best_epoch`, the firing `rates` by layer, and `step_ms`.
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
    """Spikes a neuron and step in each layer of neurons, padded steps not counted."""
    if collate is not pad:
        return _mean_activity(net, batches(inputs, BATCH, collate))
    whole = pad(inputs, torch.arange(len(inputs)))  # a recording wants one length
    real_share = (whole.lengths / len(whole.x)).mean().item()
    return [rate / real_share for rate in _mean_activity(net, [whole])]


def _mean_activity(net: nn.Module, calls: Iterable[Any]) -> list[float]:
    traces = record(net, calls, Neuron, reduce="trials")
    return [float(trace.firing_rate.mean()) for trace in traces.values()]
