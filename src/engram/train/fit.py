"""Training: one short loop for every model and every kind of example."""

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from numbers import Integral
from statistics import median
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from engram.device import choose_device, evaluating
from engram.errors import EngramError
from engram.series import Series
from engram.train.engine import Engine
from engram.train.examples import Augment, Collate, Examples, batches, time_first
from engram.train.feed import ExampleFeed
from engram.train.rates import schedule

LARGEST_LR = 1e30


@dataclass(frozen=True)
class History:
    """The history of a training.

    Attributes:
        train_loss: Mean loss over the training examples, by epoch, while the weights changed.
        validation_accuracy: Share of correctly classified validation examples after each epoch.
        best_epoch: The epoch, counted from 0, whose weights the model has.
        step_s: Time of a training step in seconds, the median over epochs of the epoch's mean.
    """

    train_loss: Series
    validation_accuracy: Series
    best_epoch: int
    step_s: float


def predict(
    model: nn.Module, inputs: Any, *, batch: int = 256, collate: Collate = time_first
) -> Float[Tensor, "n *outputs"]:
    """Run a model in evaluation mode on all inputs, and return its outputs on the CPU.

    Args:
        model: The model; its outputs have the batch first.
        inputs: As in `Examples`.
        batch: Examples per call.
        collate: Selects the rows of a batch.
    """
    with evaluating(model) as device:
        return torch.cat([model(x.to(device)).cpu() for x in batches(inputs, batch, collate)])


def fit(
    model: nn.Module,
    train: Examples,
    validation: Examples,
    *,
    epochs: int,
    batch: int,
    lr: float,
    seed: int,
    optimizer: Callable[..., Optimizer] = AdamW,
    device: str | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    collate: Collate = time_first,
    augment: Augment | None = None,
    before_epoch: Callable[[int], None] | None = None,
    keep_from: int = 0,
) -> History:
    """Train a classifier in place, with a learning rate that falls to 0 along half a cosine.

    The model gets the weights of the epoch with the best validation accuracy, the last one of
    ties; the test examples are not used to select it.

    Args:
        model: Takes the result of `collate`, returns `(batch, classes)`.
        train: Training examples.
        validation: Validation examples, which select the epoch.
        epochs: Number of passes over the training examples.
        batch: Examples per step.
        lr: Initial learning rate.
        seed: Seed of the order of the examples; the same one gives the same weights.
        optimizer: Makes the optimizer from the parameters and `lr`, as torch's classes do; its
            other settings come by `functools.partial`.
        device: Where to train; a CUDA device if there is one, else the CPU, when None.
        loss: The mean loss of a batch, from the model's output and the labels.
        collate: Selects the rows of a batch.
        augment: Changes a training batch and its labels, if given.
        before_epoch: Called with each epoch, from 0, before it begins: for schedules.
        keep_from: First epoch whose weights may be kept: the one where such a schedule ends.

    Returns:
        The history of the training.

    Raises:
        ValueError: If a number is out of range, there are no examples, or the loss or the
            outputs are no longer finite.
    """
    _check(train, validation, epochs=epochs, batch=batch, lr=lr, keep_from=keep_from)
    model.to(choose_device(device))
    descent = optimizer(model.parameters(), lr=lr)
    steps = epochs * math.ceil(len(train.labels) / batch)
    feed = ExampleFeed(train, collate, augment)
    engine = Engine(
        model, feed, descent, schedule("cosine", steps), batch=batch, seed=seed, loss=loss
    )
    losses: list[float] = []
    accuracies: list[float] = []
    seconds: list[float] = []
    best_epoch, best_weights = keep_from, {}
    for epoch in range(epochs):
        if before_epoch:
            before_epoch(epoch)
        start = time.perf_counter()
        for _ in engine.steps():
            pass
        losses.append(engine.end_epoch())
        seconds.append((time.perf_counter() - start) / engine.steps_per_epoch)
        outputs = predict(model, validation.inputs, batch=batch, collate=collate)
        if not outputs.isfinite().all():
            raise EngramError(
                f"training diverged in epoch {epoch}: the outputs are not finite with lr={lr}; "
                "lower the learning rate, or look for infinities in the inputs"
            )
        accuracies.append((outputs.argmax(-1) == validation.labels).float().mean().item())
        if epoch >= keep_from and accuracies[epoch] >= accuracies[best_epoch]:
            best_epoch, best_weights = epoch, deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    return History(
        Series("training loss", range(epochs), losses, axis="epoch"),
        Series("validation accuracy", range(epochs), accuracies, axis="epoch"),
        best_epoch,
        median(seconds),
    )


def rehearse(
    name: str,
    make: Callable[[], nn.Module],
    train: Examples,
    validation: Examples,
    *,
    epochs: int,
    batch: int,
    lr: float,
    device: str | None = None,
    collate: Collate = time_first,
) -> None:
    """Run a new model on batches of the size of `fit`, without training it.

    Settings and shapes with which `fit` would fail are refused here, before hours of other work.
    The state of torch's generators is not changed.

    Args:
        name: Name of the model in errors.
        make: Makes a model for `fit`, which is discarded.
        train: As in `fit`.
        validation: As in `fit`.
        epochs: As in `fit`.
        batch: As in `fit`.
        lr: As in `fit`.
        device: As in `fit`.
        collate: As in `fit`.

    Raises:
        ValueError: The model cannot be made, or the settings and the data do not fit it.
    """
    _check(train, validation, epochs=epochs, batch=batch, lr=lr, keep_from=0)
    place = choose_device(device)
    n = len(train.labels)
    cuda = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        try:
            model = make().to(place).train()
            for size in sorted({min(batch, n), n % batch or min(batch, n)}):
                outputs = model(collate(train.inputs, torch.arange(size)).to(place))
                outputs.float().sum().backward()
        except (ValueError, RuntimeError, IndexError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise EngramError(
                f"{name} cannot be trained with these settings on these data: {reason}"
            ) from error


def _check(
    train: Examples, validation: Examples, *, epochs: int, batch: int, lr: float, keep_from: int
) -> None:
    if not (len(train.labels) and len(validation.labels)):
        raise EngramError(
            f"{len(train.labels)} training and {len(validation.labels)} validation examples: "
            "give at least one of each"
        )
    for name, value in (("epochs", epochs), ("batch", batch)):
        if not isinstance(value, Integral) or value < 1:
            raise EngramError(f"{name}={value!r}: give a whole number, at least 1")
    if not 0 < lr <= LARGEST_LR:
        raise EngramError(
            f"lr={lr}: the learning rate is a positive number, such as 1e-3, and at most "
            f"{LARGEST_LR:g}, which optimizers can multiply in float32"
        )
    if not 0 <= keep_from < epochs:
        raise EngramError(
            f"keep_from={keep_from} with epochs={epochs}: name one of the epochs, counted from 0"
        )
