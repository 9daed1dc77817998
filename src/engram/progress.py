"""Progress of long-running work, reported to a callback."""

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

Unit = Literal["pieces", "bytes", "documents", "steps"]


class Step(NamedTuple):
    """The progress of one task.

    Attributes:
        task: Name of the task, the same at each step.
        done: The amount of work done.
        total: The total amount of work; None while unknown.
        unit: What is counted.
        label: Display text for the current work; empty if `task` suffices.
    """

    task: str
    done: int
    total: int | None
    unit: Unit = "pieces"
    label: str = ""


Progress = Callable[[Step], None]
"""Called at every step in the working thread; your own function can feed a web page, say."""


def silent(step: Step) -> None:
    """Ignore progress."""


@contextmanager
def bars(console: Console | None = None) -> Iterator[Progress]:
    """Draw a bar for each task during the block, if the console is a terminal.

    Args:
        console: Where to draw; the error stream when None.

    Yields: The callback for each step.
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
    """Draw a moving bar during the block, if the error stream is a terminal.

    Args:
        label: What is being done.
    """
    with bars() as progress:
        progress(Step(label, 0, None))
        yield


class _Amount(ProgressColumn):
    """Column with the work done and the total, in the task's unit; empty if neither is known."""

    _bytes, _count = DownloadColumn(), MofNCompleteColumn()

    def render(self, task: Bar) -> Text:
        if task.fields["unit"] == "bytes":
            return self._bytes.render(task)
        return Text() if task.total is None and not task.completed else self._count.render(task)


class _Remaining(ProgressColumn):
    """Column with the remaining time, only where the rate is steady enough to estimate it."""

    _remaining = TimeRemainingColumn()

    def render(self, task: Bar) -> Text:
        return self._remaining.render(task) if task.fields["unit"] != "pieces" else Text()
