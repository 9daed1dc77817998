"""Settings of the study, its pieces of work, and notes for the reader."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final, get_args

import torch

from engram.device import choose_device, threads
from engram.errors import EngramError
from engram.journal import Journal
from engram.neuron.presets import PRESETS, Place
from engram.report import Report
from engram.studies.comparison.network import SpikingNetwork, train_and_test
from engram.studies.comparison.neurons import Comparison
from engram.studies.comparison.notes import split_note
from engram.studies.comparison.runs import compare
from engram.studies.parallel_neurons.findings import report_learning
from engram.studies.parallel_neurons.network import NeuronName, read_images, row_network
from engram.studies.parallel_neurons.timing import (
    check_points,
    report_timings,
    time_neurons,
    timing_points,
)
from engram.study import check_at_least, check_chosen, check_lr
from engram.train import rehearse
from engram.train.pictures import Pictures


@final
@dataclass(frozen=True)
class ParallelNeurons:
    """Compare spiking neurons on images that are read row by row.

    Args:
        data: A dataset of images: a name of the catalogue, imagefolder:DIR or parquet:DIR.
        size: Side in pixels to which your own images are scaled and cropped.
        limit: Maximum number of training images, with classes in proportion; None uses all.
        validation: Share of the training images held out to select the epoch.
        neurons: The neurons to compare, with LIF as the reference if included, else the first.
        k: Order of the masked and the sliding PSN: number of inputs per step; None uses all T.
        hidden: Neurons in each of the two hidden layers.
        epochs: Number of passes over the training images.
        batch: Images per training step.
        lr: Learning rate of AdamW at the first step; it falls to 0 along half a cosine.
        seeds: Number of networks trained for each neuron, from different initial weights.
        seed: Seed of all random numbers.
        steps_timed: Lengths T at which a neuron is timed.
        units_timed: Widths N at which a neuron is timed.
        device: Where to train, such as cpu or cuda; None selects a CUDA device if there is one.
        threads: Number of CPU threads of torch; rounding errors may depend on it.
    """

    name: ClassVar[str] = "parallel-neurons"
    title: ClassVar[str] = "Parallel spiking neurons against the LIF family"
    question: ClassVar[str] = (
        "Do parallel spiking neurons learn image rows better and faster than the LIF family?"
    )

    data: str = "digits"
    size: int | None = None
    limit: int | None = 5_000
    validation: float = 0.2
    neurons: tuple[NeuronName, ...] = ("if", "lif", "plif", "psn", "masked", "sliding")
    k: int | None = None
    hidden: int = 128
    epochs: int = 30
    batch: int = 64
    lr: float = 2e-2
    seeds: int = 3
    seed: int = 0
    steps_timed: tuple[int, ...] = (4, 16, 64, 256)
    units_timed: tuple[int, ...] = (1024, 4096, 16384, 65536)
    device: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        counts = ("hidden", "epochs", "batch", "seeds", "threads", "limit", "size", "k")
        check_at_least(1, **{name: getattr(self, name) for name in counts})
        check_lr(self.lr)
        check_chosen("neurons", self.neurons, get_args(NeuronName))
        if min((*self.steps_timed, *self.units_timed), default=1) < 1:
            raise EngramError(
                f"steps_timed={self.steps_timed}, units_timed={self.units_timed}: "
                "both must be at least 1; leave one empty to skip its timings"
            )
        check_points(timing_points(self.steps_timed, self.units_timed))

    def run(self, report: Report, journal: Journal) -> None:
        """Train each neuron's networks, time the neurons alone, and report after each part.

        Raises:
            ValueError: If the data are not images or cannot be read, or a setting does not fit
                them.
        """
        images = read_images(
            self.data,
            size=self.size,
            limit=self.limit,
            validation=self.validation,
            seed=self.seed,
        )
        report.provenance.data.update(images.source.sha256)
        for note in describe(self, images):
            report.note(note)
        points = timing_points(self.steps_timed, self.units_timed)
        journal.expect(len(self.neurons) * self.seeds + len(points))
        with threads(self.threads):
            for neuron in self.neurons:
                rehearse(
                    PRESETS[neuron].label,
                    partial(make_network, self, images, neuron),
                    images.train,
                    images.validation,
                    epochs=self.epochs,
                    batch=self.batch,
                    lr=self.lr,
                    device=self.device,
                )
            compare(
                journal,
                {neuron: PRESETS[neuron].label for neuron in self.neurons},
                range(self.seed, self.seed + self.seeds),
                partial(train_network, self, images),
                lambda outcomes: report_learning(
                    report, Comparison(outcomes, len(images.test.labels), self.seed)
                ),
            )
            timings = {
                (T, N): journal.once(f"timing at T = {T}, N = {N}", partial(self._time, T, N))
                for T, N in points
            }
        if timings:
            report_timings(report, timings)

    def _time(self, T: int, N: int) -> dict[str, float]:
        k, device = min(self.k or T, T), choose_device(self.device)
        return time_neurons(self.neurons, T, N, k=k, device=device, seed=self.seed)


def make_network(study: ParallelNeurons, images: Pictures, neuron: str) -> SpikingNetwork:
    """Create a network with that neuron and weights from torch's generator."""
    T, features = images.test.inputs.shape[1:]
    make = partial(PRESETS[neuron].make, Place(T, study.k or T))
    return row_network(features, study.hidden, len(images.source.classes), make)


def train_network(
    study: ParallelNeurons, images: Pictures, neuron: str, seed: int
) -> dict[str, Any]:
    """Train one network, and test the weights of the best validation epoch."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = make_network(study, images, neuron)
    return train_and_test(
        net,
        images.train,
        images.validation,
        images.test,
        epochs=study.epochs,
        batch=study.batch,
        lr=study.lr,
        seed=seed,
        device=study.device,
    )


def describe(study: ParallelNeurons, images: Pictures) -> list[str]:
    """Notes for the reader on the data and methods."""
    T, features = images.test.inputs.shape[1:]
    source = images.source
    return [
        f"Data: {source.name}. Licence: {source.licence}.",
        *(f"Data: {note}." for note in source.notes),
        f"{split_note(images, study.limit)} An image is read as {T} steps of {features} values.",
        f"The networks differ only in their neuron: ({features} → {study.hidden} → "
        f"{study.hidden} → {len(source.classes)}), batch norm before each neuron, mean over time; "
        "label smoothing 0.1. Runs differ in initial weights and the order of the images.",
    ]
