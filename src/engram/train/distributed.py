"""The processes of a training: one, or those that torchrun starts."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, final

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from engram.errors import EngramError

T = TypeVar("T")


@final
class Processes:
    """The processes that train one model together.

    Args:
        rank: Number of this process, from 0.
        size: Number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """The share of this process in a batch of `count` examples.

        Raises:
            ValueError: If there are fewer examples than processes.
        """
        if count < self.size:
            raise EngramError(
                f"a batch of {count} cannot be divided among {self.size} processes: choose a batch "
                "size whose remainder is larger, or leave out the last batch (drop_last)"
            )
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def spread(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the processes."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is set in any process; all of them must ask."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32)
        distributed.all_reduce(raised, distributed.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def sum(self, value: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def from_first(self, make: Callable[[], T]) -> T:
        """Call a function in the first process, and give its result to all.

        Raises:
            ValueError: In every process, if it fails with one.
        """
        made: list[Any] = [None]

        def call() -> None:
            made[0] = make()

        self.only_first(call)
        if self.size > 1:
            distributed.broadcast_object_list(made, 0)
        return made[0]

    def share_buffers(self, model: nn.Module) -> None:
        """Give the buffers of the first process, such as batch-norm statistics, to all."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)

    def only_first(self, write: Callable[[], object]) -> None:
        """Call a function in the first process, while the others wait.

        Raises:
            ValueError: In every process, if it fails with one.
        """
        failed = ""
        try:
            if self.first:
                write()
        except EngramError as error:
            if self.size == 1:
                raise
            failed = str(error)
        if failed := self.gather(failed)[0]:
            raise EngramError(failed)


ALONE = Processes()


@contextmanager
def processes(timeout_s: float = 600.0) -> Iterator[Processes]:
    """Join the processes that torchrun started; without it there is only this one.

    Args:
        timeout_s: Seconds after which a process that waits for another fails.

    Yields: The processes.
    """
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"  # flags stay on the CPU
    distributed.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
