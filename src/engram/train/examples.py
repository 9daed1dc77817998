"""Examples: inputs and labels, and their collation to the batches of a model."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Collate = Callable[[Any, Tensor], Any]
"""Maps all inputs and some row indices to the model's input, which has `.to(device)`."""
Augment = Callable[[Any, Tensor], tuple[Any, Tensor]]
"""Maps a training batch and its labels to another batch, and labels or class shares."""


class Examples(NamedTuple):
    """Inputs and their labels.

    Attributes:
        inputs: The data from which `collate` selects rows: a tensor `(n, time, *features)`, for
            `time_first`.
        labels: Class indices, `(n,)` int64.
    """

    inputs: Any
    labels: Int64[Tensor, " n"]


def time_first(
    inputs: Float[Tensor, "n time *features"], rows: Int64[Tensor, " batch"]
) -> Float[Tensor, "time batch *features"]:
    """Select sequences of equal length and put time before the batch."""
    return inputs[rows].transpose(0, 1)


def batches(inputs: Any, size: int, collate: Collate = time_first) -> Iterator[Any]:
    """Yield all inputs in order as batches of `size` for the model.

    Args:
        inputs: As in `Examples`.
        size: Examples per batch; the last may have fewer.
        collate: Selects the rows of a batch.
    """
    for rows in torch.arange(len(inputs)).split(size):
        yield collate(inputs, rows)


class Padded(NamedTuple):
    """A batch of sequences of different lengths, padded at the end.

    Attributes:
        x: The sequences, `(time, batch, *features)`.
        lengths: Number of steps of each, `(batch,)`, on the CPU.
    """

    x: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> "Padded":
        """Move the batch to a device; the lengths stay on the CPU, where checks need no wait."""
        return Padded(self.x.to(device), self.lengths)


def pad(inputs: Sequence[Float[Tensor, "_T *features"]], rows: Int64[Tensor, " batch"]) -> Padded:
    """Select sequences of different lengths, padded to the longest of them."""
    picked = [inputs[row] for row in rows.tolist()]
    return Padded(pad_sequence(picked), torch.tensor([len(x) for x in picked]))
