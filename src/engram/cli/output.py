"""Output of commands: rows, paths and JSON on standard output, bars on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid


def print_rows(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows of words, the first ones bold.

    Args:
        rows: The rows.
    """
    grid = Grid.grid(padding=(0, 3, 0, 0))
    for name, *rest in rows:
        grid.add_row(f"[bold]{escape(name)}[/bold]", *map(escape, rest))
    Console().print(grid)


def print_path(path: Path) -> None:
    """Print a path unchanged on its own line.

    Args:
        path: The path.
    """
    Console().print(str(path), markup=False, highlight=False, soft_wrap=True)


def print_json(content: Any) -> None:
    """Print JSON.

    Args:
        content: A JSON-compatible value.
    """
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def working(label: str) -> Iterator[None]:
    """Show a moving bar during the block, if standard error is a terminal.

    Args:
        label: Label of the bar.
    """
    with _bar(TimeElapsedColumn()) as bar:
        bar.add_task(label, total=None)
        yield


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the number done and the total, if standard error is a terminal.

    Args:
        label: What is counted.
    """
    with _bar(MofNCompleteColumn(), TimeElapsedColumn()) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def reading() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a bar for each input that is read, if standard error is a terminal.

    Yields: A callback that takes the input's name, the bytes done, and the total bytes.
    """
    tasks: dict[str, TaskID] = {}
    with _bar(DownloadColumn(), TimeRemainingColumn()) as bar:

        def advance(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(Path(name).name)
            bar.update(tasks[name], completed=done, total=total)

        yield advance


def _bar(*columns: Any) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
