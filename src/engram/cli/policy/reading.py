"""How a query was read: what may have been meant otherwise, and which forms of words it counted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from engram.policy.engine import Engine, WordForms

MOST = 50
"""Most forms of a word that JSON lists; the rest is summed up."""


def read_notes(queries: Iterable[str], engine: "Engine | None" = None) -> list[str]:
    """How the queries are read, and which of their filters no document passes.

    Args:
        queries: The queries.
        engine: What answers them; filters are not looked at if it is not given.
    """
    from engram.policy.measure import filter_notes  # noqa: PLC0415  not for --help
    from engram.policy.query import notes  # noqa: PLC0415

    found: list[str] = []
    for query in queries:
        found += notes(query)
        found += filter_notes(engine, query) if engine is not None else []
    return list(dict.fromkeys(found))


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
