"""Settings of the study, its pieces of work, and notes for the reader."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final, get_args

import torch
from torch.nn import functional as F
from torch.optim import AdamW

from engram.device import threads
from engram.energy.appraisal import appraise
from engram.errors import EngramError
from engram.journal import Journal
from engram.report import Report
from engram.studies.comparison.notes import split_note
from engram.studies.comparison.runs import compare
from engram.studies.spike_driven_residuals.findings import Findings
from engram.studies.spike_driven_residuals.network import NETWORKS, NetworkName, Shape
from engram.study import check_at_least, check_chosen, check_lr
from engram.train import batches, fit, predict, rehearse
from engram.train.pictures import Pictures, as_batch, read_pictures
from engram.vision import VisionModel

BATCH = 64
"""Images per call in evaluation."""


@final
@dataclass(frozen=True)
class SpikeDrivenResiduals:
    """Compare networks whose residuals add membranes, spikes or real numbers.

    Args:
        data: A dataset of images: a name of the catalogue, imagefolder:DIR or parquet:DIR.
        size: Side in pixels to which images are scaled, a multiple of 4; None keeps their size.
        limit: Maximum number of training images, with classes in proportion; None uses all.
        validation: Share of the training images held out to select the epoch.
        networks: The networks to compare; the first is the reference for accuracy.
        dim: Channels per token, a multiple of 8 and of the heads; the ResNets begin with an eighth
            of it.
        depth: Number of blocks of a transformer.
        heads: Number of attention heads.
        steps: T, the number of time steps per image of a spiking network.
        epochs: Number of passes over the training images.
        batch: Images per training step.
        lr: Learning rate of AdamW at the first step; it falls to 0 along half a cosine.
        traced: Number of test images on which operations are counted.
        seeds: Number of trainings of each network, from different initial weights.
        seed: Seed of all random numbers.
        device: Where to train, such as cpu or cuda; None selects a CUDA device if there is one.
        threads: Number of CPU threads of torch; rounding errors may depend on it.
    """

    name: ClassVar[str] = "spike-driven-residuals"
    title: ClassVar[str] = "Residuals of membranes against residuals of spikes"
    question: ClassVar[str] = (
        "Do residuals that add membranes instead of spikes save energy, and at what accuracy?"
    )

    data: str = "digits"
    size: int | None = None
    limit: int | None = 5_000
    validation: float = 0.2
    networks: tuple[NetworkName, ...] = ("spikingformer", "spikformer", "sew-add", "ann")
    dim: int = 64
    depth: int = 2
    heads: int = 4
    steps: int = 4
    epochs: int = 10
    batch: int = 32
    lr: float = 4e-3
    traced: int = 128
    seeds: int = 3
    seed: int = 0
    device: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        counts = ("size", "limit", "depth", "heads", "steps", "epochs", "batch", "traced")
        counts += ("seeds", "threads")
        check_at_least(1, **{name: getattr(self, name) for name in counts})
        check_lr(self.lr)
        if self.dim < 8 or self.dim % 8 or self.dim % self.heads:
            raise EngramError(
                f"dim={self.dim} with heads={self.heads}: dim must be a multiple of 8 and of the "
                f"heads"
            )
        check_chosen("networks", self.networks, get_args(NetworkName))

    def run(self, report: Report, journal: Journal) -> None:
        """Train each network, count its operations, and report after each one.

        Raises:
            ValueError: If the data are not images or cannot be read, or a setting does not fit
                them.
        """
        pictures = read_pictures(
            self.data,
            size=self.size,
            limit=self.limit,
            validation=self.validation,
            seed=self.seed,
        )
        report.provenance.data.update(pictures.source.sha256)
        for note in describe(self, pictures):
            report.note(note)
        journal.expect(len(self.networks) * self.seeds)
        with threads(self.threads):
            for network in self.networks:
                rehearse(
                    NETWORKS[network].label,
                    partial(make_network, self, pictures, network),
                    pictures.train,
                    pictures.validation,
                    epochs=self.epochs,
                    batch=self.batch,
                    lr=self.lr,
                    device=self.device,
                    collate=as_batch,
                )
            compare(
                journal,
                {network: NETWORKS[network].label for network in self.networks},
                range(self.seed, self.seed + self.seeds),
                partial(train_network, self, pictures),
                lambda outcomes: Findings(outcomes, len(pictures.test.labels), self.seed).report(
                    report
                ),
            )


def make_network(study: SpikeDrivenResiduals, pictures: Pictures, network: str) -> VisionModel:
    """Create a network of the comparison with weights from torch's generator."""
    shape = Shape(
        classes=len(pictures.source.classes),
        channels=pictures.train.inputs.shape[1],
        dim=study.dim,
        depth=study.depth,
        heads=study.heads,
        steps=study.steps,
    )
    return NETWORKS[network].make(shape)


def train_network(
    study: SpikeDrivenResiduals, pictures: Pictures, network: str, seed: int
) -> dict[str, Any]:
    """Train one network, test the weights of the best validation epoch, count their operations.

    Returns:
        JSON-compatible data: `parameters`, the indices of the `wrong` test images, the `validation`
        accuracy by epoch, the `best_epoch`, `step_ms`, and the result of `appraise`.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = make_network(study, pictures, network)
    history = fit(
        net,
        pictures.train,
        pictures.validation,
        epochs=study.epochs,
        batch=study.batch,
        lr=study.lr,
        seed=seed,
        optimizer=partial(AdamW, weight_decay=0.01),
        device=study.device,
        loss=partial(F.cross_entropy, label_smoothing=0.1),
        collate=as_batch,
    )
    test = pictures.test
    answers = predict(net, test.inputs, batch=BATCH, collate=as_batch).argmax(1)
    return {
        "parameters": sum(weight.numel() for weight in net.parameters()),
        "wrong": (answers != test.labels).nonzero().flatten().tolist(),
        "validation": list(history.validation_accuracy.values),
        "best_epoch": history.best_epoch,
        "step_ms": 1e3 * history.step_s,
    } | appraise(net, batches(test.inputs[: study.traced], BATCH, as_batch))


def describe(study: SpikeDrivenResiduals, pictures: Pictures) -> list[str]:
    """Notes for the reader on the data and methods."""
    source = pictures.source
    height, width = pictures.test.inputs.shape[-2:]
    return [
        f"Data: {source.name}, {height} × {width}. Licence: {source.licence}.",
        *(f"Data: {note}." for note in source.notes),
        f"{split_note(pictures, study.limit)} Operations are counted on "
        f"{min(study.traced, len(source.test))} of those.",
        f"Transformers: {study.depth} blocks of {study.dim} channels, {study.heads} heads; "
        f"ResNets: 18 layers from {study.dim // 8} to {study.dim} channels; T = {study.steps}. "
        f"All are trained in the same way: AdamW, {study.epochs} epochs of batches of "
        f"{study.batch}, label smoothing 0.1, no augmentation. Runs differ in initial weights and "
        "the order of the images.",
    ]
