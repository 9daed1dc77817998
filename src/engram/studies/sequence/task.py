"""The tasks: real recordings as sequences, their networks, and published results."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

from torch.optim import SGD, Optimizer

from engram import data
from engram.studies.comparison.network import adam
from engram.studies.sequence.body import Body, column_body, dense_body, frame_body
from engram.studies.sequence.reading import (
    Options,
    Sequences,
    read_columns,
    read_events,
    read_pixels,
    read_sounds,
)

TaskName = Literal["smnist", "scifar", "nmnist", "spoken-digits"]
TRAINED_BY_SGD = ("lif", "plif", "psn", "masked")
"""The neurons that the recipe of sequential CIFAR trains with SGD."""


class Recipe(NamedTuple):
    """The training recipe.

    Attributes:
        limit: Maximum number of training examples, with classes in proportion; None uses all.
        epochs: Number of passes over them.
        batch: Examples per step.
        lr: Learning rate of Adam.
        width: Number of channels or neurons of the first layer.
        sgd_lr: Learning rate of SGD with momentum 0.9 for the neurons trained with it in the paper
            on parallel spiking neurons; None trains these with Adam as well.
        augmented: Whether images are flipped, erased and mixed.
    """

    limit: int | None
    epochs: int
    batch: int
    lr: float
    width: int
    sgd_lr: float | None = None
    augmented: bool = False

    def descent(self, neuron: str) -> tuple[Callable[..., Optimizer], float]:
        """The optimizer of a neuron's networks, and its learning rate."""
        if self.sgd_lr is not None and neuron in TRAINED_BY_SGD:
            return partial(SGD, momentum=0.9), self.sgd_lr
        return adam, self.lr


Read = Callable[[data.Dataset, Sequence[data.Split], Options], Sequences]


class Task(NamedTuple):
    """A task.

    Attributes:
        label: Its name in a report.
        data: Name of the dataset in the catalogue.
        read: Converts the dataset, its parts (training, validation, test) and options to sequences.
        body: Makes the network's layers from the shape of a step and the width of the first layer.
        quick: The recipe that finishes in minutes on two cores.
        full: The recipe of a paper, or one of similar size.
        what: Plural noun for the examples.
        ragged: Whether the sequences differ in length.
        published: Published test accuracy in %, by neuron.
        source: The papers, and what differs from them here.
    """

    label: str
    data: str
    read: Read
    body: Callable[[Sequence[int], int], Body]
    quick: Recipe
    full: Recipe
    what: str = "images"
    ragged: bool = False
    published: dict[str, float] = {}  # noqa: RUF012  never changed
    source: str = ""


def read_task(
    task: Task, *, limit: int | None, validation: float, seed: int, options: Options
) -> Sequences:
    """Load a task's dataset, subsample the training part, split off validation, make sequences.

    Args:
        task: The task.
        limit: Maximum number of training examples, with classes in proportion; None uses all.
        validation: Share of them to split off.
        seed: Seed of both random choices.
        options: Options of the sequences.

    Raises:
        ValueError: If the dataset cannot be read or split.
    """
    source = data.load(task.data)
    train = source.train
    if limit is not None and limit < len(train):
        _, train = data.split_off(train, limit / len(train), seed)
    return task.read(source, (*data.split_off(train, validation, seed), source.test), options)


TASKS: dict[str, Task] = {
    "smnist": Task(
        "sequential MNIST",
        "mnist",
        read_pixels,
        dense_body,
        quick=Recipe(limit=4000, epochs=10, batch=64, lr=1e-2, width=64),
        full=Recipe(limit=None, epochs=100, batch=128, lr=2e-3, width=256),
        published={"pmsn": 97.78, "prf": 97.90},
        source="Permuted sequential MNIST, pixel by pixel, T = 784: PMSN by arXiv 2408.14917, PRF "
        "by arXiv 2410.03530, in their own networks.",
    ),
    "scifar": Task(
        "sequential CIFAR-10",
        "cifar10",
        read_columns,
        column_body,
        quick=Recipe(limit=3000, epochs=6, batch=32, lr=5e-3, width=16),
        full=Recipe(
            limit=None, epochs=256, batch=128, lr=1e-3, width=128, sgd_lr=0.1, augmented=True
        ),
        published={
            "lif": 81.50,
            "plif": 83.49,
            "psn": 88.45,
            "masked": 85.81,
            "sliding": 86.70,
            "dilated": 91.17,
            "pmsn": 90.97,
        },
        source="LIF, PLIF and the PSNs by arXiv 2304.12760, k = 32: 128 channels, all images, "
        "256 epochs, also TrivialAugmentWide, which is left out here even with full; one run, the "
        "best epoch selected on the test images (the last epoch: PSN 88.23). Here the epoch is "
        "selected on validation images, taken from the training ones. Dilated PSN, k = 16, by "
        "arXiv 2501.14490; PMSN by arXiv 2408.14917.",
    ),
    "nmnist": Task(
        "N-MNIST",
        "n-mnist",
        read_events,
        frame_body,
        quick=Recipe(limit=1000, epochs=8, batch=32, lr=5e-3, width=8),
        full=Recipe(limit=None, epochs=100, batch=64, lr=2e-3, width=16),
        what="recordings",
    ),
    "spoken-digits": Task(
        "spoken digits",
        "spoken-digits",
        read_sounds,
        dense_body,
        quick=Recipe(limit=None, epochs=15, batch=64, lr=1e-2, width=128),
        full=Recipe(limit=None, epochs=100, batch=64, lr=5e-3, width=256),
        what="recordings",
        ragged=True,
    ),
}
