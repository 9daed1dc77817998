"""Settings of the study, its pieces of work, and notes for the reader."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, final, get_args

import numpy as np
import torch
from torch import nn

from engram.device import choose_device, threads
from engram.errors import EngramError
from engram.journal import Journal
from engram.neuron.presets import PRESETS, Place
from engram.report import Report
from engram.studies.comparison.network import SpikingNetwork, train_and_test
from engram.studies.comparison.neurons import Comparison
from engram.studies.comparison.runs import Outcomes, compare
from engram.studies.sequence.body import Body
from engram.studies.sequence.findings import report_overview, report_task
from engram.studies.sequence.reading import Options, Sequences
from engram.studies.sequence.task import TASKS, Recipe, Task, TaskName, read_task
from engram.study import check_at_least, check_chosen
from engram.train import rehearse
from engram.train.augment import Augmentation

NeuronName = Literal[
    "lif", "plif", "psn", "masked", "sliding", "dilated", "prf", "pmsn", "fixed-point"
]


@final
@dataclass(frozen=True)
class SequenceMemory:
    """Compare the memory of spiking neurons on real sequences.

    Args:
        tasks: Tasks to learn: smnist, MNIST pixel by pixel; scifar, CIFAR-10 column by column;
            nmnist, events of a camera in 20 frames; spoken-digits, recordings of unequal length.
        neurons: The neurons to compare, against LIF if it is among them, else the first; PSN and
            masked PSN require one length and are left out of spoken-digits.
        full: Train as in the papers, for hours on a GPU: all images and pixels, wide networks,
            many epochs, augmented images.
        permuted: Read the pixels of smnist in one random order, which separates neighbours.
        k: Order of the masked, sliding and dilated PSN, at most the sequence length.
        limit: Maximum number of training examples per task, with classes in proportion; None uses
            the task's default.
        epochs: Number of passes over the training examples; None uses the task's default.
        validation: Share of the training examples held out to select the epoch.
        seeds: Number of networks trained for each neuron and task, from different initial weights.
        seed: Seed of all random numbers.
        device: Where to train, such as cpu or cuda; None selects a CUDA device if there is one.
        threads: Number of CPU threads of torch; rounding errors may depend on it.
    """

    name: ClassVar[str] = "sequence"
    title: ClassVar[str] = "Spiking neurons along real sequences"
    question: ClassVar[str] = "How far do spiking neurons remember along real sequences?"

    tasks: tuple[TaskName, ...] = ("smnist", "scifar", "nmnist", "spoken-digits")
    neurons: tuple[NeuronName, ...] = ("lif", "plif", "psn", "masked", "sliding")
    full: bool = False
    permuted: bool = False
    k: int = 32
    limit: int | None = None
    epochs: int | None = None
    validation: float = 0.2
    seeds: int = 2
    seed: int = 0
    device: str | None = None
    threads: int = 2

    def __post_init__(self) -> None:
        counts = ("k", "limit", "epochs", "seeds", "threads")
        check_at_least(1, **{name: getattr(self, name) for name in counts})
        check_chosen("tasks", self.tasks, get_args(TaskName))
        check_chosen("neurons", self.neurons, get_args(NeuronName))
        if self.permuted and "smnist" not in self.tasks:
            raise EngramError(
                f"permuted with tasks {self.tasks}: it applies to smnist only; add that task"
            )
        for task in self.tasks:
            if not self.neurons_of(task):
                raise EngramError(
                    f"{task} has sequences of unequal length, and {', '.join(self.neurons)} "
                    f"require one length; add a neuron such as sliding, or leave the task out"
                )

    def neurons_of(self, task: str) -> list[str]:
        """The neurons that can learn a task."""
        ragged = TASKS[task].ragged
        return [name for name in self.neurons if not (ragged and PRESETS[name].fixed_length)]

    def recipe(self, task: Task) -> Recipe:
        """The training recipe of a task."""
        recipe = task.full if self.full else task.quick
        return recipe._replace(
            limit=self.limit or recipe.limit, epochs=self.epochs or recipe.epochs
        )

    def run(self, report: Report, journal: Journal) -> None:
        """Train each neuron's networks on each task, and report after each task.

        Raises:
            ValueError: If the data cannot be read, or a setting does not fit them.
        """
        choose_device(self.device)
        journal.expect(self.seeds * sum(len(self.neurons_of(task)) for task in self.tasks))
        comparisons: dict[str, Comparison] = {}
        try:
            with threads(self.threads):
                read = {task: self._read(task) for task in self.tasks}
                for task in self.tasks:
                    self._run_task(task, read.pop(task), report, journal, comparisons)
        finally:  # an interrupted run still reports the finished tasks and neurons
            if comparisons:
                report_overview(report, comparisons)

    def _read(self, name: str) -> Sequences:
        """Read a task, and check that each neuron's network can be trained on it."""
        task = TASKS[name]
        recipe = self.recipe(task)
        sequences = read_task(
            task,
            limit=recipe.limit,
            validation=self.validation,
            seed=self.seed,
            options=Options(self.full, self.seed if self.permuted else None),
        )
        for neuron in self.neurons_of(name):
            rehearse(
                f"{task.label}, {PRESETS[neuron].label}",
                partial(make_network, self, task, sequences, neuron),
                sequences.train,
                sequences.validation,
                epochs=recipe.epochs,
                batch=recipe.batch,
                lr=recipe.descent(neuron)[1],
                device=self.device,
                collate=sequences.collate,
            )
        return sequences

    def _run_task(
        self,
        name: str,
        sequences: Sequences,
        report: Report,
        journal: Journal,
        comparisons: dict[str, Comparison],
    ) -> None:
        task = TASKS[name]
        recipe = self.recipe(task)
        report.provenance.data.update(sequences.source.sha256)
        for note in describe(task, recipe, sequences, self):
            report.note(note)

        def conclude(outcomes: Outcomes) -> None:
            comparisons[name] = Comparison(
                outcomes, len(sequences.test.labels), self.seed, what=task.what, task=task.label
            )
            report_task(report, task, comparisons[name])

        compare(
            journal,
            {one: f"{task.label}, {PRESETS[one].label}" for one in self.neurons_of(name)},
            range(self.seed, self.seed + self.seeds),
            partial(train_network, self, task, sequences),
            conclude,
        )


def make_network(
    study: SequenceMemory, task: Task, sequences: Sequences, neuron: str
) -> SpikingNetwork:
    """Create the task's network with that neuron and weights from torch's generator."""
    body = task.body(sequences.shape, study.recipe(task).width)
    classes = len(sequences.source.classes)
    return build(body, classes, neuron, sequences.T, min(study.k, sequences.T))


def train_network(
    study: SequenceMemory, task: Task, sequences: Sequences, neuron: str, seed: int
) -> dict[str, Any]:
    """Train one network, and test the weights of the best validation epoch."""
    recipe, classes = study.recipe(task), len(sequences.source.classes)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = make_network(study, task, sequences, neuron)
    optimizer, lr = recipe.descent(neuron)
    return train_and_test(
        net,
        sequences.train,
        sequences.validation,
        sequences.test,
        epochs=recipe.epochs,
        batch=recipe.batch,
        lr=lr,
        seed=seed,
        device=study.device,
        optimizer=optimizer,
        collate=sequences.collate,
        augment=Augmentation(classes, np.random.default_rng(seed)) if recipe.augmented else None,
    )


def build(body: Body, classes: int, neuron: str, T: int, k: int) -> SpikingNetwork:
    """A network of these layers with that neuron after each layer."""
    readout = nn.Linear(body.channels[-1], classes)
    neurons = [
        PRESETS[neuron].make(Place(T, k, channels, layer))
        for layer, channels in enumerate(body.channels)
    ]
    return SpikingNetwork(body.layers, readout, neurons)


def describe(task: Task, recipe: Recipe, sequences: Sequences, study: SequenceMemory) -> list[str]:
    """Notes for the reader on a task's data and methods."""
    source, taught = sequences.source, len(sequences.train.labels)
    chose, tested = len(sequences.validation.labels), len(sequences.test.labels)
    steps = f"up to {sequences.T}" if task.ragged else str(sequences.T)
    shape = " × ".join(map(str, sequences.shape))
    values = "value" if shape == "1" else "values"
    order = ", in one random order" if study.permuted and task.data == "mnist" else ""
    descent = "Adam" if recipe.sgd_lr is None else "SGD or Adam"
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in source.notes)
    return [
        f"{task.label}: {source.name}. Licence: {source.licence}.{notes}",
        f"{task.label}: of {len(source.train)} training {task.what}, {taught} were used for "
        f"training and {chose} to select the epoch, whose weights were tested once on the {tested} "
        f"test {task.what}. A sequence has {steps} steps of {shape} {values}{order}. Windowed "
        f"neurons have k = {min(study.k, sequences.T)}.",
        f"{task.label}: the networks differ only in their neuron. First layer of width "
        f"{recipe.width}, {descent}, {recipe.epochs} epochs of batches of {recipe.batch}, "
        f"{'augmented' if recipe.augmented else 'no augmentation'}, label smoothing 0.1, mean over "
        "time.",
    ]
