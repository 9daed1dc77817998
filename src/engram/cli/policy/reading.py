"""How a query was interpreted, and which word forms it counted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from engram.policy.engine import Engine, WordForms

MOST = 50
"""Maximum number of forms per word in JSON; the others are summed."""


def read_notes(queries: Iterable[str], engine: "Engine | None" = None) -> list[str]:
    """Notes on the interpretation of queries, and on filters that no document passes.

    Args:
        queries: The queries.
        engine: What answers them; filters are not looked at if it is not given.
    """
    from engram.policy.measure import filter_notes  # noqa: PLC0415  not for --help
    from engram.policy.query import read  # noqa: PLC0415

    found: list[str] = []
    for query in queries:
        found += read(query).notes
        found += filter_notes(engine, query) if engine is not None else []
    return list(dict.fromkeys(found))


def read_forms(engine: "Engine", queries: Iterable[str]) -> dict[str, "WordForms"]:
    """The counted forms, by word of the queries."""
    return {found.word: found for query in queries for found in engine.forms(query)}


def print_reading(notes: Iterable[str], forms: dict[str, "WordForms"]) -> None:
    """Print the notes, and one line of forms per word."""
    console = Console()
    for note in notes:
        console.print(Text(f"Note: {note}", style="bold yellow"), soft_wrap=True)
    for found in forms.values():
        console.print(Text(f"Counted {found.describe()}", style="dim"), soft_wrap=True)


def forms_to_dict(forms: dict[str, "WordForms"]) -> dict[str, Any]:
    """The forms as JSON: by word of the query, each form with its count, in decreasing order."""
    return {
        word: {
            "forms": dict(found.forms[:MOST]),
            "more_forms": len(found.forms[MOST:]),
            "more_occurrences": sum(count for _, count in found.forms[MOST:]),
        }
        for word, found in forms.items()
    }
