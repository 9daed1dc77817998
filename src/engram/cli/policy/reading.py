"""How a query was interpreted, which word forms it counted, and the tables of an answer."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.text import Text

from engram.policy.engine import Engine, WordForms
from engram.policy.measure import Frequency, filter_notes
from engram.policy.query import Query
from engram.report import Provenance, Report, Table, print_report

MOST = 50
"""Maximum number of forms per word in JSON; the others are summed."""


def read_notes(queries: Iterable[Query], engine: Engine) -> list[str]:
    """Notes on the interpretation of queries, and on filters that no document passes.

    Args:
        queries: The queries.
        engine: What answers them.
    """
    found: list[str] = []
    for query in queries:
        found += [*query.notes, *filter_notes(engine, query)]
    return list(dict.fromkeys(found))


def print_reading(notes: Iterable[str], forms: dict[str, WordForms]) -> None:
    """Print the notes, and one line of forms per word."""
    console = Console()
    for note in notes:
        console.print(Text(f"Note: {note}", style="bold yellow"), soft_wrap=True)
    for found in forms.values():
        console.print(Text(f"Counted {found.describe()}", style="dim"), soft_wrap=True)


def forms_to_dict(forms: dict[str, WordForms]) -> dict[str, Any]:
    """The forms as JSON: by word of the query, each form with its count, in decreasing order."""
    return {
        word: {
            "forms": dict(found.forms[:MOST]),
            "more_forms": len(found.forms[MOST:]),
            "more_occurrences": sum(count for _, count in found.forms[MOST:]),
        }
        for word, found in forms.items()
    }


def without(answer: Frequency, notes: Sequence[str]) -> Frequency:
    """An answer without the notes that are given beside it."""
    return replace(answer, notes=tuple(note for note in answer.notes if note not in notes))


def print_answer(title: str, tables: Sequence[Table], notes: Sequence[str] = ()) -> None:
    """Print the tables of an answer, and its notes."""
    report = Report("policy", title, provenance=Provenance(status="complete"))
    report.add(*tables)
    for note in notes:
        report.note(note)
    print_report(report, Console())
