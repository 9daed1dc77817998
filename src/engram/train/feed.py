"""Feeds: what a training reads, by example number, in this process or in others."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engram.train.examples import Augment, Collate, Examples, time_first


class Feed(Protocol):
    """Examples by number; what it returns depends on its arguments alone."""

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def batch(self, rows: Tensor, part: slice, epoch: int) -> tuple[Any, Tensor]:
        """Return part of a batch.

        Args:
            rows: Numbers of the examples of the batch of all processes, `(batch,)` int64.
            part: The part of the batch that is wanted.
            epoch: The epoch, from 0.

        Returns:
            The model's input, and labels or class shares.
        """
        ...


@final
class ExampleFeed:
    """Examples in memory as a feed.

    Args:
        examples: The examples.
        collate: Selects the rows of a batch.
        augment: Changes a batch and its labels, if given; one that has a state of its own needs a
            single process without workers.
    """

    def __init__(
        self, examples: Examples, collate: Collate = time_first, augment: Augment | None = None
    ) -> None:
        self.examples, self.collate, self.augment = examples, collate, augment

    def __len__(self) -> int:
        return len(self.examples.labels)

    def batch(self, rows: Tensor, part: slice, epoch: int) -> tuple[Any, Tensor]:
        """Return part of a batch; see `Feed`."""
        rows = rows[part]
        inputs, targets = self.collate(self.examples.inputs, rows), self.examples.labels[rows]
        return self.augment(inputs, targets) if self.augment else (inputs, targets)


class Job(NamedTuple):
    """A part of a batch to read; the fields are the arguments of `Feed.batch`."""

    rows: Tensor
    part: slice
    epoch: int


def read(feed: Feed, jobs: Sequence[Job], workers: int = 0) -> Iterator[tuple[Any, Tensor]]:
    """Read parts of batches in order.

    Args:
        feed: The feed.
        jobs: The parts.
        workers: Number of processes that read ahead; 0 reads here.
    """
    if not workers:
        return (feed.batch(*job) for job in jobs)
    return iter(
        DataLoader(
            _Jobs(feed, jobs),
            batch_size=None,
            num_workers=min(workers, max(1, len(jobs))),
            collate_fn=_same,
            # it draws the seed of the workers; by default from the generator of the model
            generator=torch.Generator().manual_seed(0),
        )
    )


@final
class _Jobs(Dataset[tuple[Any, Tensor]]):
    def __init__(self, feed: Feed, jobs: Sequence[Job]) -> None:
        self.feed, self.jobs = feed, jobs

    def __len__(self) -> int:
        return len(self.jobs)

    def __getitem__(self, index: int) -> tuple[Any, Tensor]:
        return self.feed.batch(*self.jobs[index])


def _same(batch: Any) -> Any:
    return batch
