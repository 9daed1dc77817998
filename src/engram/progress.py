"""Progress: how far a piece of long work is, told to whoever follows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.progress import Task as Bar
from rich.text import Text

Unit = Literal["pieces", "bytes", "documents"]


class Step(NamedTuple):
    """How far one task is.

    Attributes:
        task: Names the task, the same at each step.
        done: How much of it is done.
        total: How much there is in all; None while that is not known.
        unit: What is counted.
        label: What is being done now, for a reader; empty where `task` says it.
    """

    task: str
    done: int
    total: int | None
    unit: Unit = "pieces"
    label: str = ""


Progress = Callable[[Step], None]
"""Told of every step, in the thread that works: a function of your own can feed a web page."""


def silent(step: Step) -> None:
    """Tell nobody."""


@contextmanager
def bars(console: Console | None = None) -> Iterator[Progress]:
    """Draw a bar for each task for as long as the block lasts, where the console is a terminal.

    Args:
        console: Where to draw; the error stream when None.

    Yields:
        What is told of each step.
    """
    console = console or Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    drawn = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        _Amount(),
        TimeElapsedColumn(),
        _Remaining(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with drawn:

        def advance(step: Step) -> None:
            if step.task not in tasks:
                tasks[step.task] = drawn.add_task(step.task, total=None, unit=step.unit)
            drawn.update(
                tasks[step.task],
                completed=step.done,
                total=step.total,
                description=step.label or step.task,
            )

        yield advance


@contextmanager
def working(label: str) -> Iterator[None]:
    """Draw a bar that moves for as long as the block lasts, where the error stream is a terminal.

    Args:
        label: What is being done.
    """
    with bars() as progress:
        progress(Step(label, 0, None))
        yield


class _Amount(ProgressColumn):
    """How much is done of how much, in the task's unit; nothing where neither is known."""

    _bytes, _count = DownloadColumn(), MofNCompleteColumn()

    def render(self, task: Bar) -> Text:
        if task.fields["unit"] == "bytes":
            return self._bytes.render(task)
        return Text() if task.total is None and not task.completed else self._count.render(task)


class _Remaining(ProgressColumn):
    """Time that is left, where the rate tells: pieces of work differ too much in length."""

    _remaining = TimeRemainingColumn()

    def render(self, task: Bar) -> Text:
        return self._remaining.render(task) if task.fields["unit"] != "pieces" else Text()
