"""`engram policy query`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, get_args

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional, UseAppendAction

from engram.cli.output import print_json
from engram.cli.policy.asking import Counting, Field, name_queries
from engram.cli.policy.reading import forms_to_dict, print_answer, print_reading, without
from engram.cli.words import Several
from engram.policy.engine import Passage
from engram.policy.measure import frequency_table, one_line, survey, to_dict


@dataclass(frozen=True)
class Query(Counting):
    """Count a query over time or by a field; show its first and its most frequent documents.

    Args:
        query: The query, such as '"tax cut" date:1950..'.
        facets: Further fields to break the query down by; give the option once per field.
        documents: Number of documents to list.
        forms: List the word forms that were counted.
        limit: Maximum number of groups, those with the most occurrences; all by default.
    """

    query: Positional[str]
    facets: Annotated[
        tuple[Field, ...], UseAppendAction, Several(get_args(Field).__contains__)
    ] = ()
    documents: int = 5
    forms: bool = True
    limit: int | None = None

    def __call__(self) -> int:
        """Print frequencies, facets and documents."""
        named = name_queries((self.query,), self.names)
        others = [field for field in dict.fromkeys(self.facets) if field != self.by]
        with self.opened() as engine:
            found = survey(
                engine,
                named,
                self.grouping,
                self.how,
                facets=others,
                documents=self.documents,
                forms=self.forms,
                limit=self.limit,
            )
        answer, first = without(found.groups, found.notes), found.first
        rows = [
            [document.date.isoformat(), document.title, int(score), document.url or document.id]
            for document, score in zip(found.documents, found.hits.scores, strict=True)
        ]
        if self.json:
            keys = ("date", "title", "occurrences", "link")
            print_json(
                to_dict(answer)
                | {"notes": [*found.notes, *answer.notes], "forms": forms_to_dict(found.forms)}
                | {"total": to_dict(found.total)["rows"][:1]}
                | {"first": None if first is None else asdict(first) | {"date": str(first.date)}}
                | {"facets": {field: to_dict(one) for field, one in found.facets.items()}}
                | {"documents": [dict(zip(keys, row, strict=True)) for row in rows]}
            )
            return 0
        shown = (found.total, *([] if self.by == "all" else [answer]), *found.facets.values())
        tables = [frequency_table(one, every_gap=False) for one in shown]
        print_reading(found.notes, found.forms)
        print_answer(self.query, tables, answer.notes)
        if first is not None:
            _print_first(first)
        if rows:
            _print_documents(rows)
        return 0


def _print_documents(rows: Sequence[Sequence[Any]]) -> None:
    """One line per document: date, occurrences, title and link."""
    console = Console()
    console.print("Documents with the most occurrences", highlight=False)
    for date, title, count, link in rows:
        console.print(Text(f"  {date}  {count:>5}  {title}  {link}"), soft_wrap=True)


def _print_first(first: Passage) -> None:
    """The date, document and context of the first occurrence."""
    link = first.url or first.id
    Console().print(
        Text(f"First occurrence {first.date}: {one_line(first.title)}  {link}"), soft_wrap=True
    )
    said = Text.assemble(
        f"  … {one_line(first.left)} ", (one_line(first.match), "bold"),
        f" {one_line(first.right)} …",
    )  # fmt: skip
    Console().print(said)
