"""What is compared: the neurons, the network they sit in, and images as sequences of rows."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engram import data
from engram.neuron import IF, LIF, PSN, MaskedPSN, Neuron, ParametricLIF, SlidingPSN
from engram.train import Examples

NeuronName = Literal["if", "lif", "plif", "psn", "masked", "sliding"]


class Member(NamedTuple):
    """A neuron of the comparison: its label, how to make it for T steps and order k, its paper."""

    label: str
    make: Callable[[int, int], Neuron]
    published: tuple[float, float] | None = None


# the LIF family as the paper's baselines have it: soft reset, outside the gradient
MEMBERS: dict[str, Member] = {
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


class Images(NamedTuple):
    """A dataset as sequences of rows `(n, time, features)`, standardised by the training part."""

    source: data.Dataset
    train: Examples
    validation: Examples
    test: Examples


class RowNetwork(nn.Module):
    """(Linear, BatchNorm, neuron) twice, a linear readout, and the mean over time."""

    def __init__(
        self, features: int, hidden: int, classes: int, make: Callable[[], Neuron]
    ) -> None:
        super().__init__()
        # the neurons last: a seed then gives every kind of neuron the same weights
        self.linears = nn.ModuleList(
            nn.Linear(width, hidden, bias=False) for width in (features, hidden)
        )
        self.readout = nn.Linear(hidden, classes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in self.linears)
        self.neurons = nn.ModuleList(make() for _ in self.linears)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of sequences `(time, batch, features)`."""
        for linear, norm, neuron in zip(self.linears, self.norms, self.neurons, strict=True):
            x = neuron(norm(linear(x).flatten(0, 1)).unflatten(0, x.shape[:2]))
        return self.readout(x.mean(0))  # linear, so the mean of the readouts


def read_images(
    spec: str, *, size: int | None, limit: int | None, validation: float, seed: int
) -> Images:
    """Load images, thin out the training ones, split off a validation part, and standardise.

    Args:
        spec: What `engram.data.load` takes.
        size: Side in pixels to scale and crop the user's own pictures to.
        limit: Most training images to keep, each class in proportion; all when None.
        validation: Share of those to split off.
        seed: Seed of both choices.

    Raises:
        ValueError: If the dataset holds no images, or cannot be read or split.
    """
    entry = data.CATALOGUE.get(spec)
    if entry and entry.kind != "image":
        images = [name for name, other in data.CATALOGUE.items() if other.kind == "image"]
        raise ValueError(
            f"{spec} holds {entry.kind}, and this study reads the rows of images: "
            f"choose {', '.join(images)}, imagefolder:DIR or parquet:DIR"
        )
    source = data.load(spec, size=size)
    train = source.train
    if limit is not None and limit < len(train):
        _, train = data.split_off(train, limit / len(train), seed)
    splits = (*data.split_off(train, validation, seed), source.test)
    rows = [_rows(split) for split in splits]
    mean, deviation = rows[0].mean(), rows[0].std() or 1.0
    parts = [
        Examples(torch.from_numpy((x - mean) / deviation), torch.from_numpy(split.labels))
        for x, split in zip(rows, splits, strict=True)
    ]
    return Images(source, *parts)


def _rows(split: data.Split) -> np.ndarray:
    pixels = np.stack(list(split.inputs)).astype(np.float32)
    return pixels.reshape(*pixels.shape[:2], -1)


def mask_share(epoch: int, epochs: int) -> float:
    """The masked PSN's λ in an epoch: min(1, 8·epoch/(E − 1)), 1 where there is one epoch.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760, and the authors' code.
    """
    return min(1.0, 8 * epoch / (epochs - 1)) if epochs > 1 else 1.0


def fade(net: nn.Module, lam: float) -> None:
    """Set λ of each masked PSN in a network."""
    for module in net.modules():
        if isinstance(module, MaskedPSN):
            module.lam = lam
