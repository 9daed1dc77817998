"""Output of commands: rows, paths and JSON on standard output, bars on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from engram.progress import Step, bars


def print_rows(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows of words, the first ones bold.

    Args:
        rows: The rows.
    """
    grid = Grid.grid(padding=(0, 3, 0, 0))
    for name, *rest in rows:
        grid.add_row(f"[bold]{escape(name)}[/bold]", *map(escape, rest))
    Console().print(grid)


def print_line(text: object) -> None:
    """Print a text or a path unchanged on its own line, whatever its length.

    Args:
        text: What to print.
    """
    Console().print(str(text), markup=False, highlight=False, soft_wrap=True)


def print_json(content: Any) -> None:
    """Print JSON.

    Args:
        content: A JSON-compatible value.
    """
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the number done and the total, if standard error is a terminal.

    Args:
        label: What is counted.
    """
    with bars() as progress:
        yield lambda done, total: progress(Step(label, done, total, "documents"))


@contextmanager
def reading() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a bar for each input that is read, if standard error is a terminal.

    Yields: A callback that takes the input's name, the bytes done, and the total bytes.
    """
    with bars() as progress:
        yield lambda name, done, total: progress(Step(name, done, total, "bytes", Path(name).name))
