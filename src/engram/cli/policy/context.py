"""`engram policy context`."""

from dataclasses import dataclass

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional

from engram.cli.output import print_json
from engram.cli.policy.asking import Asking, check_width, name_queries
from engram.cli.policy.reading import print_reading, read_notes
from engram.policy.engine import Context
from engram.policy.measure import one_line, to_dict

MIN_WIDTH = 10
"""Minimum characters of context on either side, however narrow the line."""
JSON_WIDTH = 60
"""Characters of context on either side in JSON, which has no line width."""


@dataclass(frozen=True)
class ShowContext(Asking):
    """Show a query's occurrences in context, earliest first, with links.

    Args:
        query: The query.
        limit: Number of occurrences to show.
        offset: Number of earlier occurrences to skip.
        width: Characters to the left and to the right; by default as many as fit the line.
    """

    query: Positional[str]
    limit: int = 20
    offset: int = 0
    width: int | None = None

    def __call__(self) -> int:
        """Print a page of passages."""
        [query] = name_queries((self.query,)).values()
        check_width(self.width)
        fetched = self.width
        if fetched is None:
            fetched = JSON_WIDTH if self.json else max(MIN_WIDTH, Console().width)
        with self.opened() as engine:
            found = engine.context(query, self.limit, self.offset, fetched)
            notes = read_notes([query], engine)
        if self.json:
            head = {"query": self.query, "notes": notes, "offset": self.offset}
            print_json(head | to_dict(found))
        else:
            print_reading(notes, {})
            _print_passages(found, self.offset, self.width)
            for note in engine.notes:
                Console().print(note, highlight=False, soft_wrap=True)
        return 0


def _print_passages(found: Context, offset: int, width: int | None) -> None:
    """Each document once with its link, followed by its passages with aligned matches."""
    console, document = Console(), ""
    if found.passages:
        console.print("In order of date, the earliest first", highlight=False)
    for passage in found.passages:
        if passage.id != document:
            document = passage.id
            head = f"{passage.date}  {one_line(passage.title)}  {passage.url or passage.id}"
            console.print(Text(head, style="dim"), soft_wrap=True)
        match = one_line(passage.match)
        side = max(MIN_WIDTH, (console.width - len(match) - 4) // 2) if width is None else width
        left = one_line(passage.left)
        left = (left[-side:] if side else "").rjust(side)
        text = Text.assemble(f" {left} ", (match, "bold"), f" {one_line(passage.right)[:side]}")
        console.print(text, soft_wrap=True)
    shown = f"{offset + 1}–{offset + len(found.passages)}" if found.passages else "none"
    console.print(f"{shown} of {found.total} occurrences", highlight=False)
