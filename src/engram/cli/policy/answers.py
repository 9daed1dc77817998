"""Commands that answer on the terminal: coverage, query, context, compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional

from engram.cli.output import print_json
from engram.cli.policy.asking import Asking, Counting, Field, Period, name_queries

if TYPE_CHECKING:
    from engram.policy.engine import Context
    from engram.report import Table


@dataclass(frozen=True)
class ShowCoverage(Asking):
    """What documents there are, of what types, by period; and where there are none.

    Args:
        query: Filters that say which documents to look at; all if it is left out.
        by: Period to count by.
    """

    query: Positional[str] = ""
    by: Period = "year"

    def __call__(self) -> int:
        """Print the tables."""
        from engram.policy.measure import coverage, coverage_tables, to_dict  # noqa: PLC0415

        asked = tuple(name_queries((self.query,))) if self.query else ()
        with self.opened() as engine:
            found = coverage(engine, *asked, by=self.by)
        if self.json:
            print_json(to_dict(found))
        else:
            _print_report(self.query or self.store, coverage_tables(found))
        return 0


@dataclass(frozen=True)
class Query(Counting):
    """How often a query occurs: over time or by a field, and the documents that have it most.

    Args:
        query: The query, such as '"tax cut" date:1950..'.
        facets: Fields to break the query down by, too.
        documents: How many documents to list.
    """

    query: Positional[str]
    facets: tuple[Field, ...] = ()
    documents: int = 5

    def __call__(self) -> int:
        """Print frequencies, facets and documents."""
        from engram.policy.measure import (  # noqa: PLC0415  not for --help
            facets,
            frequency_table,
            to_dict,
        )

        named = name_queries((self.query,), self.names)
        with self.opened() as engine:
            total = self.count(engine, named, None)
            answer = self.count(engine, named, self.grouping)
            others = [field for field in dict.fromkeys(self.facets) if field != self.by]
            fields = facets(engine, self.query, others, self.measure)
            hits = engine.search(self.query, self.documents)
            found = engine.fetch(hits.ids)
        rows = [
            [document.date.isoformat(), document.title, int(score), document.url or document.id]
            for document, score in zip(found, hits.scores, strict=True)
        ]
        if self.json:
            keys = ("date", "title", "occurrences", "link")
            print_json(
                to_dict(answer)
                | {"total": to_dict(total)["rows"][:1]}
                | {"facets": {field: to_dict(one) for field, one in fields.items()}}
                | {"documents": [dict(zip(keys, row, strict=True)) for row in rows]}
            )
            return 0
        tables = [frequency_table(one) for one in (total, answer, *fields.values())]
        if self.by == "all":
            tables.pop(1)
        _print_report(self.query, tables, answer.notes)
        if rows:
            _print_documents(rows)
        return 0


@dataclass(frozen=True)
class ShowContext(Asking):
    """A query's occurrences as they stand in the text, with a link to each document.

    Args:
        query: The query.
        limit: How many to show.
        offset: How many earlier ones to leave out.
        width: Characters to the left and to the right.
    """

    query: Positional[str]
    limit: int = 20
    offset: int = 0
    width: int = 60

    def __call__(self) -> int:
        """Print a page of passages."""
        from engram.policy.measure import to_dict  # noqa: PLC0415  not for --help

        name_queries((self.query,))
        with self.opened() as engine:
            found = engine.context(self.query, self.limit, self.offset, self.width)
        if self.json:
            print_json({"query": self.query, "offset": self.offset} | to_dict(found))
        else:
            _print_passages(found, self.offset)
        return 0


@dataclass(frozen=True)
class Compare(Counting):
    """Several queries side by side, and the ratio of each one's rate to that of the first.

    Args:
        queries: Two queries or more.
    """

    queries: Positional[tuple[str, ...]]

    def __call__(self) -> int:
        """Print ratios and frequencies."""
        from engram.policy.measure import (  # noqa: PLC0415  not for --help
            compare,
            frequency_table,
            ratio_table,
            to_dict,
        )

        named = name_queries(self.queries, self.names)
        with self.opened() as engine:
            ratios = compare(engine, named)
            answer = self.count(engine, named, self.grouping)
        if self.json:
            print_json(to_dict(answer) | {"ratios": [ratio._asdict() for ratio in ratios]})
        else:
            tables = [frequency_table(answer), ratio_table(ratios)]
            _print_report(" · ".join(named), tables, answer.notes)
        return 0


def _print_report(title: str, tables: Sequence["Table"], notes: Sequence[str] = ()) -> None:
    from engram.report import Provenance, Report, print_report  # noqa: PLC0415  not for --help

    report = Report("policy", title, provenance=Provenance(status="complete"))
    report.add(*tables)
    for note in notes:
        report.note(note)
    print_report(report, Console())


def _print_documents(rows: Sequence[Sequence[Any]]) -> None:
    """A line each: date, occurrences, title and link."""
    console = Console()
    console.print("Documents with the most occurrences", highlight=False)
    for date, title, count, link in rows:
        console.print(Text(f"  {date}  {count:>5}  {title}  {link}"), soft_wrap=True)


def _print_passages(found: "Context", offset: int) -> None:
    """Each document once, with its link, and below it its passages, the matches in a column."""
    from engram.policy.measure import one_line  # noqa: PLC0415  not for --help

    console, document = Console(), ""
    for passage in found.passages:
        if passage.id != document:
            document = passage.id
            head = f"{passage.date}  {one_line(passage.title)}  {passage.url or passage.id}"
            console.print(Text(head, style="dim"), soft_wrap=True)
        match = one_line(passage.match)
        side = max(10, (console.width - len(match) - 4) // 2)
        left = one_line(passage.left)[-side:].rjust(side)
        text = Text.assemble(f" {left} ", (match, "bold"), f" {one_line(passage.right)[:side]}")
        console.print(text, soft_wrap=True)
    shown = f"{offset + 1}–{offset + len(found.passages)}" if found.passages else "none"
    console.print(f"{shown} of {found.total} occurrences", highlight=False)
