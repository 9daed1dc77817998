"""The training engine: steps of an optimizer over a feed, from any point to any other."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from engram.errors import EngramError
from engram.train.distributed import ALONE, Processes
from engram.train.feed import Feed, Job, read
from engram.train.hooks import StepHook, attach
from engram.train.loss import Loss
from engram.train.precision import FLOAT32, Precision
from engram.train.rates import Rate
from engram.train.shard import laid_out, load_optimizer, whole

MEASURED = 50
"""Steps from one look at the norm of the gradients to the next."""


class DivergedError(EngramError):
    """The loss or the outputs of a model are no longer finite; the message names the step."""


class Step(NamedTuple):
    """A step that was taken.

    Attributes:
        number: Steps taken so far, with this one.
        examples: Number of examples of the step, in all processes.
        loss: Sum of the loss over this process's examples, on the device.
        norm: Norm of the gradients before they were clipped, on the device; without clipping, only
            of every 50th step of an epoch and of its last one, else None.
    """

    number: int
    examples: int
    loss: Tensor
    norm: Tensor | None


@final
class Engine:
    """Trains a model step by step; between two steps its state can be saved and restored.

    The order of the examples and the batches do not depend on the number of processes, workers or
    accumulated parts.

    Args:
        model: The model, on its device.
        feed: The training examples.
        optimizer: Optimizer of the model's parameters.
        rate: Factor of each group's initial learning rate, by step.
        batch: Examples per step, over all processes and accumulated parts.
        seed: Seed of the order of the examples.
        loss: Mean loss of outputs and labels, and of the teacher's outputs if there is one.
        accumulate: Number of parts of a batch that are computed one after another.
        clip: Largest norm of the gradients; None does not clip.
        drop_last: Whether to leave out the last batch of an epoch if it is smaller.
        workers: Processes that read ahead; 0 reads in this one.
        precision: Number format of the products.
        together: The processes that train the model.
        teacher: A model whose outputs the loss gets as a third argument.
        hooks: Called after each step of the optimizer, by name; checkpoints hold their state.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        feed: Feed,
        optimizer: Optimizer,
        rate: Rate,
        *,
        batch: int,
        seed: int,
        loss: Loss = F.cross_entropy,
        accumulate: int = 1,
        clip: float | None = None,
        drop_last: bool = False,
        workers: int = 0,
        precision: Precision = FLOAT32,
        together: Processes = ALONE,
        teacher: nn.Module | None = None,
        hooks: Mapping[str, StepHook] | None = None,
    ) -> None:
        _check_sizes(len(feed), batch=batch, accumulate=accumulate, clip=clip, workers=workers)
        self.model, self.feed, self.optimizer = model, feed, optimizer
        self.batch, self.accumulate, self.clip, self.workers = batch, accumulate, clip, workers
        self.precision, self.together, self.teacher = precision, together, teacher
        self.drop_last, self.loss, self.rate = drop_last, loss, rate
        self.hooks = dict(hooks or {})
        for hook in self.hooks.values():
            attach(hook, optimizer)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.device = next(model.parameters()).device
        self.epoch = self.done = self.step = 0
        self.losses: list[Tensor] = []
        self.checked, self.measured = 0, MEASURED
        self._spread = together.spread(model)
        self._scaler = torch.amp.GradScaler(
            self.device.type, enabled=precision.dtype == torch.float16
        )
        self._order = torch.Generator().manual_seed(seed)
        self._batches = self._divide()

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch."""
        return len(self._batches)

    def examples_of_last(self, steps: int) -> int:
        """Number of examples of the last steps of this epoch, in all processes."""
        return sum(len(rows) for rows in self._batches[self.done - steps : self.done])

    def steps(self) -> Iterator[Step]:
        """Take the remaining steps of the epoch."""
        self._spread.train()
        batches = self._batches[self.done :]
        jobs = [self._jobs(rows) for rows in batches]
        data = read(self.feed, list(chain(*jobs)), self.workers)
        for rows, parts in zip(batches, jobs, strict=True):
            yield self._advance(rows, parts, data)

    def end_epoch(self) -> float:
        """Begin the next epoch, and return the mean loss per example of this one.

        Raises:
            ValueError: If a loss of the epoch was not finite.
        """
        assert self.done == len(self._batches)
        self.check()
        total = self.together.sum(torch.stack(self.losses).sum()).item()
        seen = sum(len(rows) for rows in self._batches)
        self.epoch, self.done, self.losses, self.checked = self.epoch + 1, 0, [], 0
        self._batches = self._divide()
        return total / seen

    def check(self) -> None:
        """Look at the losses since the last check; this waits for the device.

        Raises:
            ValueError: If one is not finite; it names the step and its examples.
        """
        new = self.losses[self.checked :]
        broken = (~torch.stack(new).isfinite()).nonzero().flatten().tolist() if new else []
        if self.together.any(bool(broken))[0]:
            first = min(self.checked + i[0] for i in self.together.gather(broken) if i)
            rows = self._batches[first].tolist()
            named = ", ".join(map(str, rows[:16])) + (", …" if len(rows) > 16 else "")
            lr = max(group["initial_lr"] for group in self.optimizer.param_groups)
            raise DivergedError(
                f"training diverged in epoch {self.epoch}: the loss of step "
                f"{self.step - self.done + first} (examples {named}) is not finite with lr={lr}; "
                "lower the learning rate, or look for infinities in the inputs"
            )
        self.checked = len(self.losses)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the remaining steps depend on, apart from the settings.

        All processes must ask, because each has losses of its own. The weights of a sharded model
        and what belongs to them are divided among the processes.
        """
        losses = torch.stack(self.losses).cpu() if self.losses else torch.zeros(0)
        return {
            "epoch": self.epoch,
            "done": self.done,
            "step": self.step,
            "order": self._order_before,
            "losses": self.together.gather(losses),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "hooks": {name: hook.state_dict() for name, hook in self.hooks.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state.

        Raises:
            ValueError: If it was saved with other hooks.
        """
        if set(state["hooks"]) != set(self.hooks):
            raise EngramError(
                f"the checkpoint has the hooks {sorted(state['hooks'])} and this training "
                f"{sorted(self.hooks)}: give the same ones"
            )
        self.epoch, self.done, self.step = state["epoch"], state["done"], state["step"]
        losses = state["losses"]
        if len(losses) == self.together.size:
            self.losses = list(losses[self.together.rank].to(self.device))
        else:  # saved by another number of processes: only the sum matters
            mean = torch.stack(losses).sum(0) / self.together.size
            self.losses = list(mean.to(self.device))
        self.checked = len(self.losses)
        self.model.load_state_dict(laid_out(state["model"], self.model.state_dict()))
        load_optimizer(self.optimizer, state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        for name, hook in self.hooks.items():
            hook.load_state_dict(state["hooks"][name])
        self._order.set_state(state["order"])
        self._batches = self._divide()

    def _divide(self) -> list[Tensor]:
        """The batches of the next epoch, in a random order of the examples."""
        self._order_before = self._order.get_state()
        order = torch.randperm(len(self.feed), generator=self._order)
        batches = list(order.split(self.batch))
        if self.drop_last and len(batches) > 1 and len(batches[-1]) < self.batch:
            batches.pop()
        return batches

    def _jobs(self, rows: Tensor) -> list[Job]:
        """What this process reads of a batch: its share of each accumulated part."""
        size = -(-self.batch // self.accumulate)
        parts = [rows] if self.accumulate == 1 else rows.split(size)
        return [Job(part, self.together.part(len(part)), self.epoch) for part in parts]

    def _advance(
        self, rows: Tensor, jobs: Sequence[Job], data: Iterator[tuple[Any, Tensor]]
    ) -> Step:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self.rate(self.step)
        self.optimizer.zero_grad()
        self.together.place = f"step {self.step + 1}"
        total = None
        for number, job in enumerate(jobs, start=1):
            count = job.part.stop - job.part.start
            with self._unsummed(number < len(jobs)), self.together.waiting("gradients"):
                value = self._loss(*next(data))
                share = self.together.size * count / len(rows)
                self._scaler.scale(value if share == 1 else value * share).backward()
            summed = value.detach() * count
            total = summed if total is None else total + summed
        norm = self._norm()
        self._scaler.step(self.optimizer)
        self._scaler.update()
        assert total is not None
        self.losses.append(total)
        self.done, self.step = self.done + 1, self.step + 1
        return Step(self.step, len(rows), total, norm)

    def _loss(self, inputs: Any, targets: Tensor) -> Tensor:
        inputs, targets = inputs.to(self.device), targets.to(self.device)
        with self.precision.context(self.device):
            if self.teacher is None:
                return self.loss(self._spread(inputs), targets)
            with torch.no_grad():
                taught = self.teacher(inputs)
            return self.loss(self._spread(inputs), targets, taught)

    @contextmanager
    def _unsummed(self, more: bool) -> Iterator[None]:
        """Context without the exchange of gradients, where more parts of the batch follow."""
        model = self._spread
        if more and isinstance(model, DistributedDataParallel):
            with model.no_sync():
                yield
        elif isinstance(model, FSDPModule):
            model.set_requires_gradient_sync(not more)
            yield
        else:
            yield

    def _norm(self) -> Tensor | None:
        """The norm of the gradients where it is asked for or clipped, in which case it is."""
        number = self.done + 1
        measured = number % self.measured == 0 or number == len(self._batches)
        if self.clip is None and not measured:
            return None
        self._scaler.unscale_(self.optimizer)
        if self.clip is not None:
            return whole(nn.utils.clip_grad_norm_(self.model.parameters(), self.clip))
        grads = [weight.grad for weight in self.model.parameters() if weight.grad is not None]
        return whole(nn.utils.get_total_norm(grads))


def _check_sizes(
    examples: int, *, batch: int, accumulate: int, clip: float | None, workers: int
) -> None:
    if not examples:
        raise EngramError("0 training examples: give at least one")
    if batch < 1 or not 1 <= accumulate <= batch:
        raise EngramError(
            f"batch={batch}, accumulate={accumulate}: give a batch of at least 1 example and as "
            "many parts at most as it has examples"
        )
    if clip is not None and not 0 < clip < math.inf:
        raise EngramError(f"clip={clip}: give the largest norm of the gradients, such as 1.0")
    if workers < 0:
        raise EngramError(f"workers={workers}: give 0 to read in this process, or more")
