"""How a query was read: what may have been meant otherwise, and which forms of words it counted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from engram.policy.engine import Engine, WordForms

MOST = 50
"""Most forms of a word that JSON lists; the rest is summed up."""


def read_notes(queries: Iterable[str]) -> list[str]:
    """How parts of the queries are read that may have been meant otherwise."""
    from engram.policy.query import notes  # noqa: PLC0415  not for --help

    return [note for query in queries for note in notes(query)]


def read_forms(engine: "Engine", queries: Iterable[str]) -> dict[str, "WordForms"]:
    """The forms that were counted, by word of the queries."""
    return {found.word: found for query in queries for found in engine.forms(query)}


def print_reading(notes: Iterable[str], forms: dict[str, "WordForms"]) -> None:
    """Print the notes, and a line of forms for each word."""
    console = Console()
    for note in notes:
        console.print(Text(f"Note: {note}", style="bold yellow"), soft_wrap=True)
    for found in forms.values():
        console.print(Text(f"Counted {found.describe()}", style="dim"), soft_wrap=True)


def forms_to_dict(forms: dict[str, "WordForms"]) -> dict[str, Any]:
    """The forms as JSON: by word of the query, each form with its count, most often first."""
    return {
        word: {
            "forms": dict(found.forms[:MOST]),
            "more_forms": len(found.forms[MOST:]),
            "more_occurrences": sum(count for _, count in found.forms[MOST:]),
        }
        for word, found in forms.items()
    }
