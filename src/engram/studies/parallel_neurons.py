"""Do parallel spiking neurons learn the rows of an image better, and faster, than the LIF family?

A network reads an image one row a step: (Linear, BatchNorm, neuron) twice, Linear, mean over time.
Only the neuron differs from one network to the next.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import Any, ClassVar, Literal, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW

from engram import data, stats
from engram.neuron import IF, LIF, PSN, MaskedPSN, Neuron, ParametricLIF, SlidingPSN
from engram.record import record
from engram.report import Figure, Report, Scalar, Table
from engram.series import Series
from engram.study import Journal
from engram.train import Examples, batches, choose_device, fit, predict

NeuronName = Literal["if", "lif", "plif", "psn", "masked", "sliding"]
Cell = dict[str, Any]


class Member(NamedTuple):
    """A neuron of the comparison: its label, how to make it for T steps and order k, its paper."""

    label: str
    make: Callable[[int, int], Neuron]
    published: tuple[float, float] | None = None


# the LIF family as the paper's baselines have it: soft reset, outside the gradient
MEMBERS: dict[NeuronName, Member] = {
    "if": Member("IF", lambda T, k: IF(reset=None, detach_reset=True)),
    "lif": Member("LIF", lambda T, k: LIF(reset=None, detach_reset=True), (81.50, 55.45)),
    "plif": Member(
        "PLIF", lambda T, k: ParametricLIF(reset=None, detach_reset=True), (83.49, 57.55)
    ),
    "psn": Member("PSN", lambda T, k: PSN(T), (88.45, 62.21)),
    "masked": Member("masked PSN", lambda T, k: MaskedPSN(k, T), (85.81, 60.69)),
    "sliding": Member("sliding PSN", lambda T, k: SlidingPSN(k), (86.70, 62.11)),
}
"""Published: test accuracy in % on sequential CIFAR-10 and CIFAR-100 (arXiv 2304.12760)."""

STEPS, UNITS, ROUNDS = 16, 4096, 7
"""Timing: T while N grows, N while T grows, and how often each neuron is timed at a point."""

BATCH = 256
"""Images a call when nothing is learned."""


@final
@dataclass(frozen=True)
class ParallelNeurons:
    """Compare spiking neurons on images that are read row by row.

    Args:
        data: A dataset of images: a name of the catalogue, imagefolder:DIR or parquet:DIR.
        size: Side in pixels that your own pictures are scaled and cropped to.
        limit: Most training images to use, each class in proportion; all when None.
        validation: Share of them that chooses the epoch instead of teaching.
        neurons: The neurons to compare, against LIF if it is among them, else the first.
        k: Order of the masked and the sliding PSN: inputs a step reads; all T when None.
        hidden: Neurons in each of the two hidden layers.
        epochs: Passes over the training images.
        batch: Images a training step.
        lr: Learning rate of AdamW at the first step; it falls to 0 along half a cosine.
        seeds: Networks trained for each neuron, from different weights.
        seed: Seed of all randomness.
        steps_timed: Lengths T at which a neuron is timed.
        units_timed: Widths N at which a neuron is timed.
        device: Where to train, such as cpu or cuda; a CUDA device if there is one when None.
        threads: CPU threads of torch; another number may round otherwise.
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
        for field in ("hidden", "seeds", "threads", "limit", "k"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise ValueError(f"{field} is {value}: it counts from 1")
        if not self.neurons or len(set(self.neurons)) < len(self.neurons):
            raise ValueError(f"neurons are {self.neurons}: name at least one, and each once")
        for neuron in self.neurons:
            if neuron not in MEMBERS:
                raise ValueError(f"no neuron is called {neuron!r}: choose from {', '.join(MEMBERS)}")
        if min((*self.steps_timed, *self.units_timed), default=1) < 1:
            raise ValueError(
                f"steps_timed={self.steps_timed}, units_timed={self.units_timed}: "
                "both count from 1; leave one empty to skip its timings"
            )

    def run(self, report: Report, journal: Journal) -> None:
        """Train each neuron's networks, time the neurons alone, and report as each part is done.

        Raises:
            ValueError: If the data are no images or cannot be read, or a setting does not fit them.
        """
        images = read_images(self)
        report.provenance.data.update(images.source.sha256)
        for note in describe(self, images):
            report.note(note)
        points = timing_points(self)
        journal.expect(len(self.neurons) * self.seeds + len(points))
        with threads(self.threads):
            outcomes: dict[NeuronName, list[Cell]] = {}
            try:
                for neuron in self.neurons:
                    outcomes[neuron] = [
                        journal.once(
                            f"{MEMBERS[neuron].label}, seed {seed}",
                            partial(train_network, self, images, neuron, seed),
                        )
                        for seed in range(self.seed, self.seed + self.seeds)
                    ]
            finally:  # an interrupted run still reports the neurons that are done
                if outcomes:
                    report_learning(self, images, outcomes, report)
            timings = {
                point: journal.once(
                    "timing at T = {}, N = {}".format(*point), partial(time_neurons, self, *point)
                )
                for point in points
            }
        report_timings(self, timings, report)
