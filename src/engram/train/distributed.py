"""The processes of a training: one, or those that torchrun starts."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, final

import torch
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from engram.errors import EngramError

T = TypeVar("T")
ANSWER_S = 2.0
"""Seconds in which the processes that are still there say that they waited as well."""
LOST = (distributed.DistBackendError, distributed.DistNetworkError, distributed.DistStoreError)


class LostProcessError(EngramError):
    """Another process of the training did not answer; the message names it and what waited."""


@final
class Processes:
    """The processes that train one model together.

    Args:
        rank: Number of this process, from 0.
        size: Number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self.place = "the start"
        """Where the training is, in words: for the error of a process that waits in vain."""

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

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Context manager of an exchange with the other processes.

        Args:
            what: What is exchanged, in words.

        Raises:
            ValueError: If another process ends or does not answer in time.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not _is_lost(error):
                raise
            raise LostProcessError(
                f"process {self.rank} of {self.size} waited for {self._absent()} at {self.place} "
                f"({what}): {_first_line(error)}; look at the output of that process, and give "
                "the same command again, which continues from the last checkpoint; if it was only "
                "slow, give a longer timeout (--timeout-s)"
            ) from error

    def _absent(self) -> str:
        """The processes that do not wait for this one, in words."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        try:
            store = distributed.distributed_c10d._get_default_store()
            store.set(f"engram-waited-{self.rank}", "")
            end = time.monotonic() + ANSWER_S
            while others and time.monotonic() < end:
                others = [rank for rank in others if not store.check([f"engram-waited-{rank}"])]
                time.sleep(ANSWER_S / 20)
        except RuntimeError:  # the process that holds the store has ended
            pass
        if not others:
            return "the others, which have given up"
        named = ", ".join(map(str, others))
        return f"process {named}" if len(others) == 1 else f"the processes {named}"

    def spread(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the processes."""
        if self.size == 1 or isinstance(model, FSDPModule):
            return model
        with self.waiting("the first weights"):
            return DistributedDataParallel(model)

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is set in any process; all of them must ask."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32)
        with self.waiting("whether to stop or to save"):
            distributed.all_reduce(raised, distributed.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def sum(self, value: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        if self.size > 1:
            value = value.clone()
            with self.waiting("a sum over the processes"):
                distributed.all_reduce(value)
        return value

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with self.waiting("what each process found"):
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
            with self.waiting("what the first process read"):
                distributed.broadcast_object_list(made, 0)
        return made[0]

    def share_buffers(self, model: nn.Module) -> None:
        """Give the buffers of the first process, such as batch-norm statistics, to all."""
        if self.size > 1:
            with self.waiting("the buffers of the first process"):
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

    Raises:
        ValueError: If the timeout is not positive, or a process is missing.
    """
    if not timeout_s > 0:
        raise EngramError(f"timeout_s={timeout_s}: give a positive number of seconds")
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"  # flags stay on the CPU
    try:
        distributed.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
    except LOST as error:
        raise LostProcessError(
            f"process {os.environ.get('RANK', '?')} of {os.environ['WORLD_SIZE']} waited for the "
            f"others to start: {_first_line(error)}; start all of them, or give a longer timeout "
            "(--timeout-s)"
        ) from error
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def _is_lost(error: RuntimeError) -> bool:
    """Whether an error comes from the exchange between processes."""
    return isinstance(error, LOST) or "gloo" in str(error).lower()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip().rstrip(".")
