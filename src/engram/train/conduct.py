"""How a training is carried out, and its outcome."""

from dataclasses import dataclass
from typing import NamedTuple, final

from engram.errors import EngramError


class Outcome(NamedTuple):
    """The result of a training.

    Attributes:
        finished: Whether it came to its end.
        reason: Why it ended: "finished", "patience", a signal, or the time limit.
        best_epoch: The epoch, from 0, whose weights the model has; that of the last checkpoint if
            it did not finish.
        losses: Mean training loss by epoch.
        accuracies: Validation accuracy by epoch.
        norms: Norm of the gradients at the last step of each epoch, before they were clipped.
        precision: The number format, and why.
    """

    finished: bool
    reason: str
    best_epoch: int
    losses: list[float]
    accuracies: list[float]
    norms: list[float]
    precision: str


@final
@dataclass(frozen=True)
class Conduct:
    """How a training is carried out; the result does not depend on it.

    Args:
        workers: Processes that read ahead; 0 reads in this one.
        keep: Number of checkpoints to keep.
        save_s: Seconds from one checkpoint to the next; each epoch ends with one as well.
        time_limit_s: Seconds after which the training stops with a checkpoint; None has no limit.
        fresh: Whether to discard the checkpoints in the folder.
        resume: Whether there must be a checkpoint to continue from; otherwise a folder without one
            begins a training.

    Raises:
        ValueError: If both fresh and resume are given.
    """

    workers: int = 0
    keep: int = 2
    save_s: float = 600.0
    time_limit_s: float | None = None
    fresh: bool = False
    resume: bool = False

    def __post_init__(self) -> None:
        if self.fresh and self.resume:
            raise EngramError("fresh discards what resume continues: leave out one of them")
