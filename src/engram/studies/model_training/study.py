"""Train a model on images from several seeds: validation chooses the epoch, the test set once."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, final

import torch
from torch import nn
from tyro.conf import arg

from engram.data.frames import SplitBy
from engram.data.images import Unreadable
from engram.errors import EngramError
from engram.neuron import MaskedPSN
from engram.neuron.presets import PRESETS, Place, fade, mask_share
from engram.progress import Progress, silent
from engram.report import Figure, Provenance, Report, Table
from engram.report.provenance import hardware, versions
from engram.series import Series
from engram.studies.comparison.accuracy import INTERVALS, Accuracy
from engram.studies.model_energy import find_model
from engram.studies.model_training.feeds import Feeds, read_feeds
from engram.studies.model_training.firing import SATURATED, TRACED, firing
from engram.studies.model_training.teacher import find_teacher
from engram.train import Conduct, ImageAugment, Outcome, Processes, Recipe, evaluate, train
from engram.train import tensorboard as log_to_tensorboard
from engram.train.loss import correct
from engram.vision import VisionModel


@final
@dataclass(frozen=True)
class ModelTraining:
    """Train a model on images or events.

    Args:
        model: A preset of engram.vision, such as spikingformer_cifar_4_256, or your own
            MODULE:FUNCTION, which takes num_classes and in_channels.
        data: A dataset of images or events: a name of the catalogue, imagefolder:DIR, parquet:DIR
            or webdataset:DIR; DIR may be a URL such as s3://bucket/folder.
        unreadable: Whether one of your own images that cannot be decoded ends the training, or is
            left out and named, for which each image is decoded once before.
        neuron: A neuron by name, such as psn, instead of the model's own. The mask of the masked
            PSN is faded in by the schedule of its paper.
        steps: Number of time steps per image, None for the model's default; of recordings of
            events, the number of bins.
        bins: Whether the bins of a recording have equal durations or equal numbers of events.
        teacher: A model to be distilled: the folder of a training by engram train, or
            MODULE:FUNCTION of a model that has its weights. Half of the loss follows its logits.
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
    unreadable: Unreadable = "fail"
    neuron: str | None = None
    steps: int | None = None
    bins: SplitBy = "time"
    teacher: str | None = None
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

    def run(
        self,
        folder: Path,
        conduct: Conduct,
        together: Processes,
        progress: Progress = silent,
        *,
        tensorboard: bool = False,
    ) -> tuple[Outcome, Report | None]:
        """Train each seed in a folder of its own, and report.

        Args:
            folder: Folder of the trainings.
            conduct: How they are carried out.
            together: The processes that train together.
            progress: Called with the progress.
            tensorboard: Whether to write files for TensorBoard beside the checkpoints.

        Returns:
            The outcome of the last training, and the report; None if one did not finish.
        """
        feeds = self.read()
        runs = []
        outcome, about, teacher = None, self._about(), None
        if self.teacher is not None:
            found = find_teacher(self.teacher, partial(self._build, feeds), feeds)
            teacher, about["teacher weights"] = found.model, found.sha256
        for number in range(self.seeds):
            seed = self.recipe.seed + number
            torch.manual_seed(seed)
            model, run = self.make(feeds), folder / f"seed-{seed}"
            shares = mask_shares(model, self.recipe.epochs)
            drawn = tensorboard and together.first
            outcome = train(
                model, feeds.train, feeds.validation, replace(self.recipe, seed=seed), run,
                # only the first training needs to have begun
                conduct=replace(conduct, resume=conduct.resume and not number),
                together=together, teacher=teacher,
                before_epoch=partial(_fade, model, shares), keep_from=shares.index(1.0),
                device=self.device, about=about,
                log=log_to_tensorboard(run / "tensorboard") if drawn else None, progress=progress,
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

    def read(self) -> Feeds:
        """Read the data, and divide them."""
        return read_feeds(
            self.data,
            size=self.size,
            unreadable=self.unreadable,
            limit=self.limit,
            validation=self.validation,
            seed=self.recipe.seed,
            augment=None if self.overfit_one_batch else self.augment,
            one_batch=self.recipe.batch if self.overfit_one_batch else None,
            steps=self.steps,
            bins=self.bins,
        )

    def make(self, feeds: Feeds) -> nn.Module:
        """The model, with weights from torch's generator."""
        model = self._build(feeds, self.model, self.neuron, self.steps)
        if self.recipe.loss == "tet" and isinstance(model, VisionModel):
            model.by_step = True
        return model

    def _build(self, feeds: Feeds, name: str, neuron: str | None, steps: int | None) -> nn.Module:
        options: dict[str, Any] = {
            "num_classes": len(feeds.source.classes),
            "in_channels": feeds.inputs(1).shape[-3],
        }
        if steps is not None:
            options["steps"] = steps
        build: Callable[..., nn.Module] = find_model(name)
        if neuron is not None:
            with torch.random.fork_rng(devices=()):
                places = getattr(build(**options), "steps", 1)
            options["neuron"] = partial(PRESETS[neuron].make, Place(places, places))
        return build(**options)

    def _tested(
        self,
        model: nn.Module,
        feeds: Feeds,
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
        wrong = (~correct(outputs, labels)).nonzero().flatten().tolist()
        return {
            "wrong": wrong,
            "validation": outcome.accuracies,
            "best_epoch": outcome.best_epoch,
            "losses": outcome.losses,
            "norms": outcome.norms,
            "precision": outcome.precision,
            "firing": firing(model, feeds.test),
        }

    def _report(self, feeds: Feeds, runs: list[dict[str, Any]]) -> Report:
        report = Report("train", f"Training of {self.model}", "What does the model learn?")
        report.provenance = Provenance(settings=asdict(self), seed=self.recipe.seed)
        report.provenance.status, report.provenance.missing = "complete", ""
        report.provenance.data.update(feeds.source.sha256)
        report.provenance.versions, report.provenance.hardware = versions(), hardware()
        outcomes = {self.model: runs}
        labels = {self.model: self.model}
        found = Accuracy(outcomes, len(feeds.test), self.recipe.seed, labels, "model")
        noun = "images" if feeds.source.kind == "image" else "recordings"
        interval = found.intervals[self.model]
        what = "examples of the batch" if self.overfit_one_batch else f"test {noun}"
        report.answer(
            f"{self.model} classifies {interval.estimate:.1f} % of {len(feeds.test)} {what} "
            f"correctly (95% interval {interval.low:.1f} to {interval.high:.1f}, "
            f"{self.seeds} training{'s' * (self.seeds > 1)})."
        )
        for note in (f"Data: {feeds.source.name}. Licence: {feeds.source.licence}.",
                     *(f"Data: {note}." for note in feeds.source.notes),
                     f"{len(feeds.train)} {noun} were used for training and "
                     f"{len(feeds.validation)} to select the epoch.",
                     f"Number format: {runs[0]['precision']}."):  # fmt: skip
            report.note(note)
        if self.teacher is not None:
            report.note(f"Half of the loss follows the logits of the teacher {self.teacher}.")
        report.add(found.table("Accuracy", {}, {}, f"Mean over the trainings. {INTERVALS}"))
        names = []
        for number, run in enumerate(runs):
            seed = self.recipe.seed + number
            loss, share = f"training loss, seed {seed}", f"validation accuracy, seed {seed}"
            norm = f"gradient norm, seed {seed}"
            names.append((loss, share, norm))
            epochs = range(len(run["losses"]))
            report.add(
                Series(loss, epochs, run["losses"], axis="epoch"),
                Series(share, epochs, [100 * x for x in run["validation"]], axis="epoch", unit="%"),
                Series(norm, epochs, run["norms"], axis="epoch"),
            )
        report.add(
            *(
                Figure(title, [names_of_run[i] for names_of_run in names])
                for i, title in enumerate(
                    ("Training loss", "Validation accuracy", "Norm of the gradients")
                )
            )
        )
        report.note("The norm of the gradients is that of the last step of each epoch, unclipped.")
        if runs[0]["firing"]:
            columns = ["layer", "rate", "dead (%)", "saturated (%)"]
            caption = (
                f"Of the first training, on {min(TRACED, len(feeds.test))} test examples: spikes "
                "per neuron per step, neurons that never fired, and neurons that fired in at least "
                f"{100 * SATURATED:.0f}% of the steps."
            )
            report.add(Table("Firing by layer", columns, runs[0]["firing"], caption))
        else:
            report.note(f"{self.model} has no layers of spiking neurons, so no firing is shown.")
        return report


def mask_shares(model: nn.Module, epochs: int) -> list[float]:
    """The masked PSN's λ by epoch; 1 in every epoch if the model has no such neurons."""
    masked = any(isinstance(module, MaskedPSN) for module in model.modules())
    return [mask_share(epoch, epochs) if masked else 1.0 for epoch in range(epochs)]


def _fade(model: nn.Module, shares: list[float], epoch: int) -> None:
    fade(model, shares[epoch])
