"""Inference: votes of stochastic passes, their limit, no noise, and as few passes as it takes."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.memristor.layer import drawing, mode


class Votes(NamedTuple):
    """The outcome of stochastic passes.

    Attributes:
        counts: Passes in which each output was 1, `(sample, class)`, int64.
        passes: Number of passes of each sample, `(sample,)`, int64.
    """

    counts: Tensor
    passes: Tensor

    @property
    def labels(self) -> Tensor:
        """The class of most votes; the first of several, `(sample,)`."""
        return self.counts.argmax(1)


@torch.no_grad()
def vote(model: nn.Module, x: Tensor, passes: int, samples: Tensor | None = None) -> Votes:
    """Sum the outputs of several passes; memory does not depend on their number.

    Args:
        model: A model of stochastic layers.
        x: Inputs, `(sample, …)`.
        passes: N, 1 to 65,535.
        samples: The number of each sample, of which the draws depend; None for 0, 1, ….

    Raises:
        EngramError: If the number of passes is out of range.
    """
    if not 0 < passes < 1 << 16:
        raise EngramError(f"passes={passes}: give a number from 1 to 65535")
    total: Tensor | None = None
    for i in range(passes):
        with drawing(model, vote=i, samples=samples):
            bits = model(x).long()
        total = bits if total is None else total.add_(bits)
    assert total is not None
    return Votes(total, torch.full((len(x),), passes))


@torch.no_grad()
def vote_until(
    model: nn.Module, x: Tensor, most: int, lead: int, samples: Tensor | None = None
) -> Votes:
    """Pass each sample until a class leads by enough votes, or cannot be caught up with.

    A sample has the votes that `vote` gives it for as many passes.

    Args:
        model: A model of stochastic layers.
        x: Inputs, `(sample, …)`.
        most: The largest number of passes, 1 to 65,535.
        lead: Votes between the first and the second class at which a sample is decided.
        samples: As in `vote`.

    Raises:
        EngramError: If a number is out of range.
    """
    if not (0 < most < 1 << 16 and lead >= 1):
        raise EngramError(
            f"most={most}, lead={lead}: give 1 to 65535 passes and a lead of 1 or more"
        )
    own = torch.arange(len(x)) if samples is None else samples
    open_, counts = torch.arange(len(x)), None
    passes = torch.zeros(len(x), dtype=torch.int64)
    for i in range(most):
        with drawing(model, vote=i, samples=own[open_]):
            bits = model(x[open_]).long()
        counts = torch.zeros(len(x), bits.shape[1], dtype=torch.int64) if counts is None else counts
        counts[open_] += bits
        passes[open_] += 1
        first, second = counts[open_].topk(2, dim=1).values.unbind(1)
        open_ = open_[first - second < min(lead, most - i)]
        if not len(open_):
            break
    assert counts is not None
    return Votes(counts, passes)


@torch.no_grad()
def mean_field(model: nn.Module, x: Tensor) -> Tensor:
    """Probabilities of the outputs if every bit is replaced by its mean, `(sample, class)`.

    Args:
        model: A model of stochastic layers.
        x: Inputs, `(sample, …)`.
    """
    with mode(model, "mean"):
        return model(x)


@torch.no_grad()
def frozen(model: nn.Module, x: Tensor) -> Tensor:
    """Bits of the outputs if the comparators have no noise, `(sample, class)`.

    Args:
        model: A model of stochastic layers.
        x: Inputs, `(sample, …)`; those that are not bits are drawn.
    """
    with mode(model, "frozen"):
        return model(x)
