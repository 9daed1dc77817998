"""The contenders: one hidden layer, trained by bits and pulses or in floating point."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engram.memristor import (
    BinaryStochasticLinear,
    StepUpdate,
    StochasticBits,
    fused,
)
from engram.memristor.device import Device
from engram.memristor.energy import activity
from engram.train import Examples, as_batch, fit, predict

Contender = Literal[
    "stochastic", "ramps", "tables", "float", "regularised", "straight-through", "sign"
]

LABELS: dict[str, str] = {
    "stochastic": "binary stochastic learning",
    "ramps": "binary stochastic learning, ramp devices",
    "tables": "binary stochastic learning, table devices",
    "float": "float",
    "regularised": "float, regularised",
    "straight-through": "binary, straight-through",
    "sign": "sign backpropagation",
}


RATES = {"float": 1e-2, "regularised": 3e-3, "straight-through": 1e-2, "sign": 1e-2}
"""Highest learning rates of the float networks: of 0.001, 0.003 and 0.01, the best on validation
images of the digits."""


class Parts(NamedTuple):
    """Images between 0 and 1 as rows, and their labels.

    Attributes:
        train: Of the training part.
        validation: Of the validation part.
        test: Of the test part.
        classes: Number of classes.
    """

    train: Examples
    validation: Examples
    test: Examples
    classes: int


class Settings(NamedTuple):
    """Settings of a training.

    Attributes:
        hidden: Hidden units.
        epochs: Passes over the training images.
        batch: Images per step.
        gain: k of the comparators.
        step: First and last size of a pulse; it falls geometrically.
        form: Derivative bit, dead zone, noise and read noise of the layers.
        votes: Numbers of passes of the curve.
        passes: Number of passes of the comparison.
    """

    hidden: int
    epochs: int
    batch: int
    gain: float
    step: tuple[float, float]
    form: dict[str, Any]
    votes: tuple[int, ...]
    passes: int


def stochastic(
    parts: Parts,
    settings: Settings,
    seed: int,
    carries: tuple[int, int],
    device: Device | None = None,
) -> dict[str, Any]:
    """Train by the rule; the weights of the last epoch are tested, as the steps end small."""
    x, labels = parts.train
    inputs = x.shape[1]
    layer = partial(BinaryStochasticLinear, gain=settings.gain, seed=seed, **settings.form)
    net = nn.Sequential(
        StochasticBits(0, seed=seed),
        layer(inputs, settings.hidden, 1),
        layer(settings.hidden, parts.classes, 2, output=True),
    )
    update = StepUpdate(net.parameters(), carry=carries[0], device=device, seed=seed)
    numbers = sorted({*settings.votes, settings.passes})
    taken = 0
    with fused(net, update) as chain:
        for epoch in range(settings.epochs):
            share = epoch / max(settings.epochs - 1, 1)
            update.param_groups[0]["step"] = _between(*settings.step, share)
            update.param_groups[0]["carry"] = round(_between(*carries, share))
            for rows in _batches(len(x), settings.batch, seed, epoch):
                chain.learn(x[rows], labels[rows], taken)
                taken += 1
        found = {n: chain.vote(parts.test.inputs, n).argmax(1) for n in numbers}
        chosen = {n: chain.vote(parts.validation.inputs, n).argmax(1) for n in numbers}
    chosen_by = {str(n): _accuracy(chosen[n], parts.validation.labels) for n in numbers}
    return {
        "wrong": _wrong(found[settings.passes], parts.test.labels),
        "validation": [chosen_by[str(settings.passes)]],
        "best_epoch": 0,
        "curve": {str(n): 100 * _accuracy(found[n], parts.test.labels) for n in numbers},
        "validation_curve": chosen_by,
        "activity": [list(one) for one in activity(net, parts.validation.inputs)],
        "pulses": update.pulses / sum(p.numel() for p in net.parameters()),
    }


def _between(first: float, last: float, share: float) -> float:
    return first * (last / first) ** share


def floating(name: Contender, parts: Parts, settings: Settings, seed: int) -> dict[str, Any]:
    """Train in floating point with AdamW; validation images select the epoch."""
    regularised = name == "regularised"
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = _network(name, parts.train.inputs.shape[1], settings.hidden, parts.classes)
        history = fit(
            net,
            parts.train,
            parts.validation,
            epochs=settings.epochs,
            batch=settings.batch,
            lr=RATES[name],
            seed=seed,
            optimizer=partial(torch.optim.AdamW, weight_decay=1e-4 if regularised else 0.0),
            device="cpu",
            loss=partial(F.cross_entropy, label_smoothing=0.1 if regularised else 0.0),
            collate=as_batch,
        )
        found = predict(net, parts.test.inputs, collate=as_batch).argmax(1)
    return {
        "wrong": _wrong(found, parts.test.labels),
        "validation": list(history.validation_accuracy.values),
        "best_epoch": history.best_epoch,
    }


def _network(name: Contender, inputs: int, hidden: int, classes: int) -> nn.Sequential:
    drop = 0.5 if name == "regularised" else 0.0
    unit: Callable[[], nn.Module] = {
        "straight-through": lambda: _Through(_StraightThrough),
        "sign": lambda: _Through(_SignedError),
    }.get(name, nn.ReLU)
    return nn.Sequential(
        nn.Dropout(0.4 * drop), nn.Linear(inputs, hidden), unit(), nn.Dropout(drop),
        nn.Linear(hidden, classes),
    )  # fmt: skip


class _Through(nn.Module):
    def __init__(self, function: type[torch.autograd.Function]) -> None:
        super().__init__()
        self.function = function

    def forward(self, z: Tensor) -> Tensor:
        return self.function.apply(z)  # pyright: ignore[reportReturnType]


class _StraightThrough(torch.autograd.Function):
    """1[z > 0], whose gradient is that of the identity where |z| ≤ 1."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return (z > 0).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (z,) = ctx.saved_tensors
        return gradients[0] * (z.abs() <= 1)


class _SignedError(torch.autograd.Function):
    """max(z, 0), whose error is replaced by its sign, in the scale of its mean magnitude."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return z.relu()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (z,) = ctx.saved_tensors
        gradient = gradients[0]
        return gradient.sign() * gradient.abs().mean() * (z > 0)


def _batches(n: int, size: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    return torch.randperm(n, generator=generator).split(size)


def _wrong(found: Tensor, labels: Tensor) -> list[int]:
    return (found != labels).nonzero().flatten().tolist()


def _accuracy(found: Tensor, labels: Tensor) -> float:
    return float((found == labels).float().mean())
