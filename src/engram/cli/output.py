"""Output of commands: rows, lines and JSON on standard output."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
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
