"""The recipe of a training: every setting that its result depends on, apart from the data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, final

from torch.nn import functional as F

from engram.errors import EngramError
from engram.train.loss import Loss, temporal_efficient
from engram.train.optimise import OptimizerName
from engram.train.precision import PrecisionName
from engram.train.rates import Kind, Rate, schedule
from engram.train.recompute import Recompute


@final
@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Args:
        epochs: Number of passes over the training examples.
        batch: Examples per step, over all processes and accumulated parts.
        lr: Learning rate at its highest.
        optimizer: adamw, adam, or sgd with a momentum of 0.9.
        weight_decay: Weight decay; norms, biases and neurons have none.
        layer_decay: Factor of the learning rate from each block to the one before it.
        frozen: Patterns of names of parameters that are not trained, such as "stem.*".
        schedule: cosine, step or constant.
        warmup: Epochs in which the learning rate rises.
        least: Smallest factor of the learning rate of a cosine.
        period: Epochs between two decays of the step schedule.
        decay: Factor of such a decay.
        label_smoothing: Share of each label that is spread over all classes.
        loss: cross-entropy, or tet for temporal efficient training of outputs by step.
        accumulate: Number of parts of a batch that are computed one after another.
        clip: Largest norm of the gradients; None does not clip.
        average: Decay of the average of the weights, which is then what is tested; None has none.
        precision: auto, float32, bfloat16 or float16.
        compiled: Whether torch.compile compiles the model.
        synchronised: Whether batch norm uses the statistics of all processes instead of its own.
        sharded: Whether each process holds a share of the weights (FSDP2) instead of a copy.
        recompute: What the backward pass computes again instead of keeping it, to save memory:
            nothing, the inside of each of the model's stages, or chunks of their time steps, which
            is for models without batch norm.
        time_chunks: Number of such chunks.
        drop_last: Whether to leave out the last batch of an epoch if it is smaller.
        patience: Epochs without a better validation accuracy after which training ends; None never
            ends it.
        seed: Seed of the order of the examples and of torch's generator.
    """

    epochs: int = 100
    batch: int = 128
    lr: float = 1e-3
    optimizer: OptimizerName = "adamw"
    weight_decay: float = 0.05
    layer_decay: float = 1.0
    frozen: tuple[str, ...] = ()
    schedule: Kind = "cosine"
    warmup: int = 0
    least: float = 0.0
    period: int = 30
    decay: float = 0.1
    label_smoothing: float = 0.1
    loss: Literal["cross-entropy", "tet"] = "cross-entropy"
    accumulate: int = 1
    clip: float | None = None
    average: float | None = None
    precision: PrecisionName = "float32"
    compiled: bool = False
    synchronised: bool = False
    sharded: bool = False
    recompute: Recompute = "nothing"
    time_chunks: int = 4
    drop_last: bool = False
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "period", "accumulate", "patience", "time_chunks"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise EngramError(f"{name}={value}: it must be at least 1")
        if not 0 < self.lr < math.inf:
            raise EngramError(
                f"lr={self.lr}: the learning rate must be a positive number, such as 1e-3"
            )
        if not 0 <= self.warmup < self.epochs:
            raise EngramError(
                f"warmup={self.warmup} of epochs={self.epochs}: leave an epoch after the warm-up"
            )
        if self.compiled and self.recompute != "nothing":
            raise EngramError(
                "compiled and recompute exclude each other, because torch.compile itself selects "
                "what the backward pass computes again: leave out one of them"
            )
        if not 0 <= self.label_smoothing < 1:
            raise EngramError(f"label_smoothing={self.label_smoothing}: give 0 to below 1")

    def rate(self, steps_per_epoch: int) -> Rate:
        """The factor of the learning rate by step."""
        return schedule(
            self.schedule,
            self.epochs * steps_per_epoch,
            warmup=self.warmup * steps_per_epoch,
            least=self.least,
            period=self.period * steps_per_epoch,
            decay=self.decay,
        )

    def make_loss(self) -> Loss:
        """The loss of outputs and labels."""
        if self.loss == "tet":
            return partial(temporal_efficient, smoothing=self.label_smoothing)
        return partial(F.cross_entropy, label_smoothing=self.label_smoothing)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the settings that differ, with both values; empty if none does.

    Args:
        before: The saved settings.
        now: The present ones.
    """
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name}={before.get(name)!r} became {now.get(name)!r}" for name in names)
