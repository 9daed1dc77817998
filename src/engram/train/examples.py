"""Examples: inputs and labels, and how the rows of a batch become what a model takes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Collate = Callable[[Any, Tensor], Any]
"""From all the inputs and some row numbers to what the model takes; it has `.to(device)`."""
Augment = Callable[[Any, Tensor], tuple[Any, Tensor]]
"""From a training batch and its labels to another batch, and labels or shares of each class."""


class Examples(NamedTuple):
    """Inputs and what they should be taken for.

    Attributes:
        inputs: What `collate` picks rows from: a tensor `(n, time, *features)`, for `time_first`.
        labels: Class indices, `(n,)` int64.
    """

    inputs: Any
    labels: Int64[Tensor, " n"]


def time_first(
    inputs: Float[Tensor, "n time *features"], rows: Int64[Tensor, " batch"]
) -> Float[Tensor, "time batch *features"]:
    """Pick sequences of one length and put time before the batch."""
    return inputs[rows].transpose(0, 1)


def batches(inputs: Any, size: int, collate: Collate = time_first) -> Iterator[Any]:
    """Yield all the inputs in their order, `size` at a time, as the model takes them.

    Args:
        inputs: As in `Examples`.
        size: Examples a batch; the last may have fewer.
        collate: Picks the rows of a batch.
    """
    for rows in torch.arange(len(inputs)).split(size):
        yield collate(inputs, rows)


class Padded(NamedTuple):
    """A batch of sequences of different lengths, padded at the end.

    Attributes:
        x: The sequences, `(time, batch, *features)`.
        lengths: The steps of each, `(batch,)`, on the CPU.
    """

    x: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> "Padded":
        """The batch on a device; the lengths stay, where to check them costs no wait."""
        return Padded(self.x.to(device), self.lengths)


def pad(inputs: Sequence[Float[Tensor, "_T *features"]], rows: Int64[Tensor, " batch"]) -> Padded:
    """Pick sequences of different lengths, padded to the longest of them."""
    picked = [inputs[row] for row in rows.tolist()]
    return Padded(pad_sequence(picked), torch.tensor([len(x) for x in picked]))
