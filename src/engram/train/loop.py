"""Train a model by a recipe, in a folder from which a run that was cut off continues."""

import math
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engram.device import choose_device
from engram.errors import EngramError
from engram.progress import Progress, silent
from engram.progress import Step as Shown
from engram.train.average import Average
from engram.train.checkpoint import (
    Checkpoints,
    Found,
    find_latest,
    generators,
    restore_generators,
    state_size,
)
from engram.train.conduct import Conduct, Outcome
from engram.train.distributed import ALONE, Processes
from engram.train.engine import DivergedError, Engine, Step
from engram.train.evaluation import evaluate
from engram.train.feed import Feed
from engram.train.hooks import StepHook
from engram.train.loss import correct, distillation
from engram.train.norm import synchronise
from engram.train.optimise import make_optimizer, parameter_groups
from engram.train.precision import Precision, choose_precision
from engram.train.recipe import Recipe, differences
from engram.train.recompute import recomputed
from engram.train.saving import read_state, write_state
from engram.train.shard import laid_out, shard
from engram.train.stop import Stop
from engram.train.watch import Log, Metrics

CHECKPOINTS = "checkpoints"
"""Folder of the checkpoints in that of a training."""
LOGGED = 50
"""Steps from one line of the metrics to the next; only these read values from the device."""
SHOWN_S = 0.2
"""Seconds from one update of the bar to the next."""
COPIES = 4
"""Copies of the weights in a checkpoint: these, the two moments of Adam, and the best."""


def train(
    model: nn.Module,
    examples: Feed,
    validation: Feed,
    recipe: Recipe,
    folder: str | Path,
    *,
    conduct: Conduct | None = None,
    together: Processes = ALONE,
    teacher: nn.Module | None = None,
    hooks: Mapping[str, StepHook] | None = None,
    before_epoch: Callable[[int], None] | None = None,
    keep_from: int = 0,
    device: str | None = None,
    about: Mapping[str, Any] | None = None,
    log: Log | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Train a classifier in place; the model gets the weights of the best validation accuracy.

    A training whose folder has checkpoints continues from the last whole one, as if it had not
    been cut off. SIGTERM, SIGUSR1 and the time limit end it after a step, with a checkpoint.

    Args:
        model: The classifier.
        examples: Training examples.
        validation: Validation examples, which select the epoch.
        recipe: The settings.
        folder: Folder of the checkpoints and of `metrics.jsonl`.
        conduct: How it is carried out.
        together: The processes that train the model.
        teacher: A model to be distilled, whose logits half of the loss follows.
        hooks: Called after each step of the optimizer, by name; checkpoints hold their state.
        before_epoch: Called with each epoch, from 0, before it begins or continues.
        keep_from: First epoch whose weights may be kept: the one where such a schedule ends.
        device: Where to train; a CUDA device if there is one, else the CPU, when None.
        about: Further settings on which the result depends, of the model and the data: numbers,
            text and tuples. A training with other ones is not continued.
        log: Also called with the values of each line of the metrics.
        progress: Called with the progress, in steps.

    Returns:
        The outcome.

    Raises:
        ValueError: If a setting does not fit, the folder cannot be written to or holds a training
            with other settings, a checkpoint could not be saved, or the training diverged.
    """
    training = _Training(model, examples, validation, recipe, Path(folder), conduct or Conduct())
    training.together, training.log, training.progress = together, log, progress
    training.settings |= dict(about or {})
    training.before_epoch, training.keep_from = before_epoch, keep_from
    with Stop(training.conduct.time_limit_s) as stop, ExitStack() as files:
        training.prepare(teacher, dict(hooks or {}), choose_device(device), files)
        if together.first:
            path = training.folder / "metrics.jsonl"
            training.metrics = files.enter_context(Metrics(path, training.engine.step))
        try:
            return training.run(stop)
        except DivergedError as error:
            raise DivergedError(f"{error}; {training.checkpoints.last_good()}") from error


class _Training:
    """A training under way: the engine, the course so far, and the best weights."""

    engine: Engine
    together: Processes
    log: Log | None
    progress: Progress
    before_epoch: Callable[[int], None] | None
    keep_from: int
    metrics: Metrics | None = None
    average: Average | None = None

    def __init__(
        self,
        model: nn.Module,
        examples: Feed,
        validation: Feed,
        recipe: Recipe,
        folder: Path,
        conduct: Conduct,
    ) -> None:
        self.model, self.examples, self.validation = model, examples, validation
        self.recipe, self.folder, self.conduct = recipe, folder, conduct
        self.settings = asdict(recipe) | {"training examples": len(examples)}
        self.losses: list[float] = []
        self.accuracies: list[float] = []
        self.norms: list[float] = []
        self.norm = self.loss = math.nan
        self.seen = 0
        self.best: dict[str, Any] = {"epoch": -1, "weights": {}}
        self.saved = self.shown = self.began = time.monotonic()

    def prepare(
        self,
        teacher: nn.Module | None,
        hooks: dict[str, StepHook],
        device: torch.device,
        contexts: ExitStack,
    ) -> None:
        """Make the engine, and continue from the last checkpoint."""
        recipe, together = self.recipe, self.together
        together.only_first(self._open)
        if not together.first:
            folder = self.folder / CHECKPOINTS
            self.checkpoints = Checkpoints(folder, self.conduct.keep, writes=False)
        found = together.from_first(self._latest)
        torch.manual_seed(recipe.seed + together.rank)
        self.model.to(device)
        if recipe.synchronised:
            synchronise(self.model)
        contexts.enter_context(recomputed(self.model, recipe.recompute, recipe.time_chunks))
        loss = recipe.make_loss()
        if found is None:
            self.precision = together.from_first(self._choose_precision)
        else:
            name, reason = found.state["precision"]
            self.precision = Precision(getattr(torch, name), reason)
        if recipe.sharded:
            shard(self.model, together)
        groups = parameter_groups(
            self.model,
            lr=recipe.lr,
            weight_decay=recipe.weight_decay,
            layer_decay=recipe.layer_decay,
            frozen=recipe.frozen,
        )
        if recipe.average is not None:
            self.average = hooks["average"] = Average(self.model, recipe.average)
        if recipe.compiled:
            self.model.compile()
        batches = len(self.examples) / recipe.batch
        per_epoch = max(1, math.floor(batches) if recipe.drop_last else math.ceil(batches))
        self.engine = Engine(
            self.model,
            self.examples,
            make_optimizer(recipe.optimizer, groups, lr=recipe.lr),
            recipe.rate(per_epoch),
            batch=recipe.batch,
            seed=recipe.seed,
            loss=loss if teacher is None else distillation(loss),
            accumulate=recipe.accumulate,
            clip=recipe.clip,
            drop_last=recipe.drop_last,
            workers=self.conduct.workers,
            precision=self.precision,
            together=together,
            teacher=None if teacher is None else teacher.to(device).eval(),
            hooks=hooks,
        )
        if found is not None:
            self._restore(read_state(found, self.model, together))

    def run(self, stop: Stop) -> Outcome:
        """Train until the end, or until something asks to stop."""
        engine, waited = self.engine, self.recipe.patience
        while engine.epoch < self.recipe.epochs:
            if waited and 0 <= self.best["epoch"] < engine.epoch - waited:
                return self._finish("patience")
            if self.before_epoch:
                self.before_epoch(engine.epoch)
            for step in engine.steps():
                self._follow(step)
                late = time.monotonic() - self.saved > self.conduct.save_s
                leave, save = self.together.any(bool(stop.reason), late)
                if leave or save:
                    self._save()
                if leave:
                    reason = next(filter(None, self.together.gather(stop.reason)))
                    return self._outcome(False, reason)
            self._end_epoch()
            self._save()
        return self._finish("finished")

    def _open(self) -> None:
        """Check the folder, the space and the settings before the first step."""
        self.checkpoints = Checkpoints(self.folder / CHECKPOINTS, self.conduct.keep)
        if self.conduct.fresh:
            self.checkpoints.discard()
        copies = COPIES + (self.recipe.average is not None)
        self.checkpoints.check_space(copies * state_size(self.model.state_dict()))

    def _latest(self) -> Found | None:
        found = find_latest(self.checkpoints.folder)
        if found is None and self.conduct.resume:
            raise EngramError(
                f"{self.checkpoints.folder} holds no whole checkpoint to resume: name the folder "
                "of the training, or leave out resume to begin one"
            )
        if found is None:
            return None
        state = found.state
        if changed := differences(state["settings"], self.settings):
            raise EngramError(
                f"{self.folder} holds a training with other settings: {changed}; choose another "
                "folder, give the same settings, or discard that training with fresh (--fresh)"
            )
        saved, now = len(state["generators"]), self.together.size
        if saved != now:
            warnings.warn(
                f"a training of {saved} processes continues with {now}: the batches stay the same, "
                "but not the random numbers that the model draws, such as those of dropout",
                stacklevel=2,
            )
        return found

    def _choose_precision(self) -> Precision:
        rows = torch.arange(min(self.recipe.batch // self.recipe.accumulate, len(self.examples)))
        device = next(self.model.parameters()).device
        inputs, targets = self.examples.batch(rows, slice(None), 0)
        batch = inputs.to(device), targets.to(device)
        return choose_precision(self.recipe.precision, self.model, batch, self.recipe.make_loss())

    def _restore(self, state: dict[str, Any]) -> None:
        self.engine.load_state_dict(state["engine"])
        self.losses, self.accuracies = state["losses"], state["accuracies"]
        self.norms, self.norm = state["norms"], state["norm"]
        self.best = state["best"]
        if self.together.rank < len(state["generators"]):
            restore_generators(state["generators"][self.together.rank])

    def _save(self) -> None:
        """Save a checkpoint of finite weights."""
        self.engine.check()
        state = {
            "engine": self.engine.state_dict(),
            "settings": self.settings,
            "precision": (str(self.precision.dtype).removeprefix("torch."), self.precision.reason),
            "generators": self.together.gather(generators()),
            "losses": self.losses,
            "accuracies": self.accuracies,
            "norms": self.norms,
            "norm": self.norm,
            "best": self.best,
        }
        write_state(self.checkpoints, self.engine.step, state, self.together)
        self.saved = time.monotonic()

    def _follow(self, step: Step) -> None:
        """Write metrics and move the bar."""
        engine = self.engine
        if step.norm is not None and engine.done == engine.steps_per_epoch:
            self.norm = step.norm.item()
        if step.number % LOGGED == 0:
            engine.check()
            recent = min(LOGGED, engine.done)
            summed = self.together.sum(torch.stack(engine.losses[-recent:]).sum()).item()
            values = {
                "epoch": float(engine.epoch),
                "loss": summed / engine.examples_of_last(recent),
                "lr": max(group["lr"] for group in engine.optimizer.param_groups),
            }
            if step.norm is not None:
                values["gradient_norm"] = step.norm.item()
            self.loss = values["loss"]
            self._write(values)
        self.seen += step.examples
        now = time.monotonic()
        if now - self.shown > SHOWN_S:
            label = self._label(self.seen / max(now - self.shown, 1e-9))
            self.shown, self.seen = now, 0
            total = self.recipe.epochs * engine.steps_per_epoch
            self.progress(Shown("training", step.number, total, "steps", label))

    def _label(self, speed: float) -> str:
        """The text beside the bar: what is known without waiting for the device."""
        said = f"epoch {self.engine.epoch + 1} of {self.recipe.epochs}"
        if not math.isnan(self.loss):
            said += f", loss {self.loss:.3f}"
        if self.accuracies:
            said += f", validation {100 * self.accuracies[-1]:.1f} %"
        return f"{said}, {speed:.0f} examples/s"

    def _end_epoch(self) -> None:
        epoch = self.engine.epoch
        self.loss = self.engine.end_epoch()
        self.losses.append(self.loss)
        self.norms.append(self.norm)
        self.together.share_buffers(self.model)
        with self.average.applied() if self.average else nullcontext():
            outputs, labels = evaluate(
                self.model,
                self.validation,
                batch=self.recipe.batch,
                workers=self.conduct.workers,
                together=self.together,
            )
            if not outputs.isfinite().all():
                raise DivergedError(
                    f"training diverged in epoch {epoch}: the outputs are not finite with "
                    f"lr={self.recipe.lr}; lower the learning rate"
                )
            self.accuracies.append(correct(outputs, labels).double().mean().item())
            best = max(self.accuracies[self.keep_from :], default=0.0)
            if epoch >= self.keep_from and self.accuracies[-1] >= best:
                weights = {name: value.clone() for name, value in self.model.state_dict().items()}
                self.best = {"epoch": epoch, "weights": weights}
        self._write(
            {
                "epoch": float(epoch),
                "train_loss": self.losses[-1],
                "validation_accuracy": self.accuracies[-1],
                "gradient_norm": self.norm,
            }
        )

    def _write(self, values: dict[str, float]) -> None:
        if self.metrics is not None:
            self.metrics(self.engine.step, values)
            if self.log is not None:
                self.log(self.engine.step, values)

    def _finish(self, reason: str) -> Outcome:
        self.model.load_state_dict(laid_out(self.best["weights"], self.model.state_dict()))
        return self._outcome(True, reason)

    def _outcome(self, finished: bool, reason: str) -> Outcome:
        best = self.best["epoch"]
        course = self.losses, self.accuracies, self.norms
        return Outcome(finished, reason, best, *course, self.precision.reason)
