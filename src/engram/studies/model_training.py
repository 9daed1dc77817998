"""Train a model on images from several seeds: validation chooses the epoch, the test set once."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, final

import torch
from torch import nn
from tyro.conf import arg

from engram import data
from engram.errors import EngramError
from engram.neuron import Neuron
from engram.neuron.presets import PRESETS, Place
from engram.progress import Progress, silent
from engram.record import record
from engram.report import Figure, Provenance, Report, Table
from engram.report.provenance import hardware, versions
from engram.series import Series
from engram.studies.comparison.accuracy import INTERVALS, Accuracy
from engram.studies.model_energy import find_model
from engram.train import (
    Conduct,
    ImageAugment,
    ImageFeed,
    Normal,
    Outcome,
    Processes,
    Recipe,
    evaluate,
    train,
)

TRACED = 256
"""Test images at most on which firing is recorded."""
DEAD, SATURATED = 0.0, 0.95
"""Firing rate, in spikes per step, of a dead neuron, and the least of a saturated one."""


@final
@dataclass(frozen=True)
class ModelTraining:
    """Train a model on images.

    Args:
        model: A preset of engram.vision, such as spikingformer_cifar_4_256, or your own
            MODULE:FUNCTION, which takes num_classes and in_channels.
        data: A dataset of images: a name of the catalogue, imagefolder:DIR or parquet:DIR.
        neuron: A neuron by name, such as psn, instead of the model's own.
        steps: Number of time steps per image; None uses the model's default.
        size: Side in pixels to which your own images are scaled and cropped.
        limit: Maximum number of training images, with classes in proportion; None uses all.
        validation: Share of the training images held out to select the epoch.
        seeds: Number of trainings, from different initial weights.
        overfit_one_batch: Only learn one batch by heart, which a sound model can.
        device: Where to train, such as cpu or cuda; None selects a CUDA device if there is one.
        recipe: How it is trained; its seed is that of the first training.
        augment: What is changed at random in training images.
    """

    model: str
    data: str = "digits"
    neuron: str | None = None
    steps: int | None = None
    size: int | None = None
    limit: int | None = None
    validation: float = 0.1
    seeds: int = 1
    overfit_one_batch: bool = False
    device: str | None = None
    recipe: Annotated[Recipe, arg(name="")] = field(default_factory=Recipe)
    augment: Annotated[ImageAugment, arg(name="")] = field(default_factory=ImageAugment)

    def __post_init__(self) -> None:
        for name in ("steps", "size", "limit", "seeds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise EngramError(f"{name} is {value}: it must be at least 1")
        if self.neuron is not None and self.neuron not in PRESETS:
            raise EngramError(
                f"there is no neuron {self.neuron!r}; choose from {', '.join(PRESETS)}"
            )
        if self.recipe.loss == "tet":
            raise EngramError("loss=tet needs outputs by step, which these models do not return")

    def run(
        self,
        folder: Path,
        conduct: Conduct,
        together: Processes,
        progress: Progress = silent,
    ) -> tuple[Outcome, Report | None]:
        """Train each seed in a folder of its own, and report.

        Args:
            folder: Folder of the trainings.
            conduct: How they are carried out.
            together: The processes that train together.
            progress: Called with the progress.

        Returns:
            The outcome of the last training, and the report; None if one did not finish.
        """
        feeds = self.read()
        runs = []
        outcome = None
        for seed in range(self.recipe.seed, self.recipe.seed + self.seeds):
            torch.manual_seed(seed)
            model = self.make(feeds)
            outcome = train(
                model, feeds.train, feeds.validation, replace(self.recipe, seed=seed),
                folder / f"seed-{seed}", conduct=conduct, together=together,
                device=self.device, about=self._about(), progress=progress,
            )  # fmt: skip
            if not outcome.finished:
                return outcome, None
            runs.append(self._tested(model, feeds, outcome, conduct, together))
        assert outcome is not None
        return outcome, self._report(feeds, runs)

    def _about(self) -> dict[str, Any]:
        """The settings on which the result of one training depends, beside the recipe."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("recipe", "seeds", "device")}
        return kept | kept.pop("augment")

    def read(self) -> "Feeds":
        """Read the data, and divide them."""
        own = self.data not in data.CATALOGUE
        source = data.load(self.data, size=self.size if own else None)
        if source.kind != "image":
            raise EngramError(f"{self.data} holds {source.kind}: choose a dataset of images")
        part = source.train
        if self.limit is not None and self.limit < len(part):
            _, part = data.split_off(part, self.limit / len(part), self.recipe.seed)
        taught, chosen = data.split_off(part, self.validation, self.recipe.seed)
        test, augment = source.test, self.augment
        if self.overfit_one_batch:
            taught = chosen = test = taught.take(range(min(self.recipe.batch, len(taught))))
            augment = None
        make = partial(ImageFeed, normal=Normal.of(taught.inputs), classes=len(source.classes))
        return Feeds(
            source,
            make(taught, augment=augment, seed=self.recipe.seed),
            make(chosen),
            make(test),
        )

    def make(self, feeds: "Feeds") -> nn.Module:
        """The model, with weights from torch's generator."""
        images, _ = feeds.test.batch(torch.arange(1), slice(None), 0)
        options: dict[str, Any] = {
            "num_classes": len(feeds.source.classes),
            "in_channels": images.shape[1],
        }
        if self.steps is not None:
            options["steps"] = self.steps
        build: Callable[..., nn.Module] = find_model(self.model)
        if self.neuron is not None:
            with torch.random.fork_rng(devices=()):
                steps = getattr(build(**options), "steps", 1)
            options["neuron"] = partial(PRESETS[self.neuron].make, Place(steps, steps))
        return build(**options)

    def _tested(
        self,
        model: nn.Module,
        feeds: "Feeds",
        outcome: Outcome,
        conduct: Conduct,
        together: Processes,
    ) -> dict[str, Any]:
        """What the report needs of a training: the test, the course and the firing."""
        outputs, labels = evaluate(
            model,
            feeds.test,
            batch=self.recipe.batch,
            workers=conduct.workers,
            together=together,
        )
        wrong = (outputs.argmax(-1) != labels).nonzero().flatten().tolist()
        return {
            "wrong": wrong,
            "validation": outcome.accuracies,
            "best_epoch": outcome.best_epoch,
            "losses": outcome.losses,
            "precision": outcome.precision,
            "firing": firing(model, feeds.test),
        }

    def _report(self, feeds: "Feeds", runs: list[dict[str, Any]]) -> Report:
        report = Report("train", f"Training of {self.model}", "What does the model learn?")
        report.provenance = Provenance(settings=asdict(self), seed=self.recipe.seed)
        report.provenance.status, report.provenance.missing = "complete", ""
        report.provenance.data.update(feeds.source.sha256)
        report.provenance.versions, report.provenance.hardware = versions(), hardware()
        outcomes = {self.model: runs}
        labels = {self.model: self.model}
        found = Accuracy(outcomes, len(feeds.test), self.recipe.seed, labels, "model")
        interval = found.intervals[self.model]
        what = "images of the batch" if self.overfit_one_batch else "test images"
        report.answer(
            f"{self.model} classifies {interval.estimate:.1f} % of {len(feeds.test)} {what} "
            f"correctly (95% interval {interval.low:.1f} to {interval.high:.1f}, "
            f"{self.seeds} training{'s' * (self.seeds > 1)})."
        )
        for note in (f"Data: {feeds.source.name}. Licence: {feeds.source.licence}.",
                     *(f"Data: {note}." for note in feeds.source.notes),
                     f"{len(feeds.train)} images were used for training and "
                     f"{len(feeds.validation)} to select the epoch.",
                     f"Number format: {runs[0]['precision']}."):  # fmt: skip
            report.note(note)
        report.add(found.table("Accuracy", {}, {}, f"Mean over the trainings. {INTERVALS}"))
        names = []
        for number, run in enumerate(runs):
            seed = self.recipe.seed + number
            loss, share = f"training loss, seed {seed}", f"validation accuracy, seed {seed}"
            names.append((loss, share))
            epochs = range(len(run["losses"]))
            report.add(
                Series(loss, epochs, run["losses"], axis="epoch"),
                Series(share, epochs, [100 * x for x in run["validation"]], axis="epoch", unit="%"),
            )
        report.add(
            Figure("Training loss", [loss for loss, _ in names]),
            Figure("Validation accuracy", [share for _, share in names]),
        )
        if runs[0]["firing"]:
            columns = ["layer", "rate", "dead (%)", "saturated (%)"]
            caption = (
                f"Of the first training, on {min(TRACED, len(feeds.test))} test images: spikes per "
                "neuron per step, neurons that never fired, and neurons that fired in at least "
                f"{100 * SATURATED:.0f}% of the steps."
            )
            report.add(Table("Firing by layer", columns, runs[0]["firing"], caption))
        return report


class Feeds(NamedTuple):
    """The data of a training."""

    source: data.Dataset
    train: ImageFeed
    validation: ImageFeed
    test: ImageFeed


def firing(model: nn.Module, feed: ImageFeed) -> list[list[Any]]:
    """For each layer of neurons: its name, rate, and shares of dead and saturated neurons in %.

    Args:
        model: The model.
        feed: Images, of which the first are shown.
    """
    if not any(isinstance(module, Neuron) for module in model.modules()):
        return []
    batches = torch.arange(min(TRACED, len(feed))).split(64)
    images = [feed.batch(rows, slice(None), 0)[0] for rows in batches]
    traces: Mapping[str, Any] = record(model, images, Neuron, reduce="trials")
    rows = []
    for name, trace in traces.items():
        rate = trace.activity.mean((0, 1))
        dead, full = (rate <= DEAD).mean(), (rate >= SATURATED).mean()
        rows.append([name, float(rate.mean()), 100 * float(dead), 100 * float(full)])
    return rows
