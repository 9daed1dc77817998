"""Types of the catalogue: a split, a dataset, and their error."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, overload

import numpy as np

from engram.errors import EngramError

Kind = Literal["image", "events", "audio"]


class DataError(EngramError):
    """Data cannot be found, read or trusted; the message names the file and the remedy."""


@dataclass(frozen=True, eq=False)
class Split:
    """Inputs and their labels, in a fixed order.

    Args:
        inputs: An array (n, ...), or a sequence of n arrays if they differ in length or are
            decoded on demand.
        labels: Class indices, (n,) int64.
    """

    inputs: np.ndarray | Sequence[np.ndarray]
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.labels.ndim != 1 or self.labels.dtype != np.int64:
            raise DataError(
                f"labels are {self.labels.dtype} of shape {self.labels.shape}: "
                "pass one int64 class index per example"
            )
        if len(self.inputs) != len(self.labels):
            raise DataError(
                f"{len(self.inputs)} inputs but {len(self.labels)} labels: "
                "the files do not belong together, or one is incomplete; replace them"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray | Sequence[int]) -> "Split":
        """Return the examples at these indices, in this order."""
        rows = np.asarray(indices, dtype=np.int64)
        return Split(_take(self.inputs, rows), self.labels[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset: two splits, and the facts needed to interpret a score.

    Args:
        name: The name in the catalogue, or the loaded spec.
        kind: What one input is: an image (h, w) or (h, w, 3), a structured array of events, or
            a waveform.
        train: The training split.
        test: The test split.
        classes: Name of each label.
        full_scale: The value of white, or of a full-scale waveform.
        licence: The licence of the data, as far as known.
        sample_rate_hz: Samples per second, for audio.
        sensor: (height, width) in pixels, for events.
        notes: Notes that must accompany a score on these files.
        sha256: The hash of each file that was read.
    """

    name: str
    kind: Kind
    train: Split
    test: Split
    classes: tuple[str, ...]
    full_scale: float
    licence: str
    sample_rate_hz: float | None = None
    sensor: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    sha256: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, split in (("train", self.train), ("test", self.test)):
            if not len(split):
                raise DataError(f"{self.name} has an empty {part} split: provide examples for it")
            low, high = split.labels.min(), split.labels.max()
            if low < 0 or high >= len(self.classes):
                raise DataError(
                    f"{self.name} has labels from {low} to {high} in its {part} split but "
                    f"{len(self.classes)} classes: replace the files by matching ones"
                )


def split_off(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Split off a share of each class, for validation.

    Args:
        split: The examples to divide.
        fraction: The share to split off, in (0, 1); rounded to whole examples in each class.
        seed: The same seed gives the same division.

    Returns:
        The remaining and the split-off examples, both in the order of `split`.

    Raises:
        DataError: If the fraction is not in (0, 1), or leaves either side empty.
    """
    if not 0.0 < fraction < 1.0:
        raise DataError(f"fraction is {fraction}: choose a share between 0 and 1")
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(split), dtype=bool)
    for label in np.unique(split.labels):
        members = rng.permutation(np.flatnonzero(split.labels == label))
        chosen[members[: round(fraction * len(members))]] = True
    if chosen.all() or not chosen.any():
        raise DataError(
            f"a fraction of {fraction} of {len(split)} examples leaves one side empty: "
            "choose another fraction or provide more examples"
        )
    return split.take(np.flatnonzero(~chosen)), split.take(np.flatnonzero(chosen))


def _take(
    inputs: np.ndarray | Sequence[np.ndarray], rows: np.ndarray
) -> np.ndarray | Sequence[np.ndarray]:
    if isinstance(inputs, np.ndarray):
        return inputs[rows]
    return View(inputs, rows)


class View(Sequence[np.ndarray]):
    """A subset of a sequence's arrays, each accessed on demand."""

    def __init__(self, base: Sequence[np.ndarray], rows: np.ndarray) -> None:
        self._base = base
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        if isinstance(index, slice):
            return View(self._base, self._rows[index])
        return self._base[int(self._rows[index])]
