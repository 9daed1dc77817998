"""Commands that answer on the terminal: coverage, query, context, compare."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional

from engram.cli.output import print_json
from engram.cli.policy.asking import Asking, Counting, Field, Period, check_width, name_queries
from engram.cli.policy.reading import forms_to_dict, print_reading, read_forms, read_notes

if TYPE_CHECKING:
    from engram.policy.engine import Context, Passage
    from engram.policy.measure import Frequency
    from engram.report import Table


MIN_WIDTH = 10
"""Minimum characters of context on either side, however narrow the line."""
JSON_WIDTH = 60
"""Characters of context on either side in JSON, which has no line width."""


@dataclass(frozen=True)
class ShowCoverage(Asking):
    """Count documents by type and period, and list periods without documents.

    Args:
        query: Filters that select the documents; all by default.
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
            notes = read_notes(asked, engine)
        if self.json:
            print_json(to_dict(found) | {"notes": [*notes, *found.notes]})
        else:
            print_reading(notes, {})
            _print_report(
                self.query or self.store, coverage_tables(found, every_gap=False), found.notes
            )
        return 0


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
    facets: tuple[Field, ...] = ()
    documents: int = 5
    forms: bool = True
    limit: int | None = None

    def __call__(self) -> int:
        """Print frequencies, facets and documents."""
        from engram.policy.measure import (  # noqa: PLC0415  not for --help
            facets,
            first_appearance,
            foremost,
            frequency_table,
            to_dict,
        )

        named = name_queries((self.query,), self.names)
        with self.opened() as engine:
            total = self.count(engine, named, None)
            answer = foremost(self.count(engine, named, self.grouping), self.limit)
            first = first_appearance(engine, self.query)
            others = [field for field in dict.fromkeys(self.facets) if field != self.by]
            fields = facets(engine, self.query, others, self.measure)
            hits = engine.search(self.query, self.documents)
            found = engine.fetch(hits.ids)
            forms = read_forms(engine, [self.query]) if self.forms else {}
            notes = read_notes([self.query], engine)
        answer = without(answer, notes)
        rows = [
            [document.date.isoformat(), document.title, int(score), document.url or document.id]
            for document, score in zip(found, hits.scores, strict=True)
        ]
        if self.json:
            keys = ("date", "title", "occurrences", "link")
            print_json(
                to_dict(answer)
                | {"notes": [*notes, *answer.notes], "forms": forms_to_dict(forms)}
                | {"total": to_dict(total)["rows"][:1]}
                | {"first": None if first is None else asdict(first) | {"date": str(first.date)}}
                | {"facets": {field: to_dict(one) for field, one in fields.items()}}
                | {"documents": [dict(zip(keys, row, strict=True)) for row in rows]}
            )
            return 0
        shown = (total, *([] if self.by == "all" else [answer]), *fields.values())
        tables = [frequency_table(one, every_gap=False) for one in shown]
        print_reading(notes, forms)
        _print_report(self.query, tables, answer.notes)
        if first is not None:
            _print_first(first)
        if rows:
            _print_documents(rows)
        return 0


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
        from engram.policy.measure import to_dict  # noqa: PLC0415  not for --help

        name_queries((self.query,))
        check_width(self.width)
        fetched = self.width
        if fetched is None:
            fetched = JSON_WIDTH if self.json else max(MIN_WIDTH, Console().width)
        with self.opened() as engine:
            found = engine.context(self.query, self.limit, self.offset, fetched)
            notes = read_notes([self.query], engine)
        if self.json:
            head = {"query": self.query, "notes": notes, "offset": self.offset}
            print_json(head | to_dict(found))
        else:
            print_reading(notes, {})
            _print_passages(found, self.offset, self.width)
            for note in engine.notes:
                Console().print(note, highlight=False, soft_wrap=True)
        return 0


@dataclass(frozen=True)
class Compare(Counting):
    """Compare queries side by side, with the ratio of each rate to that of the first.

    Args:
        queries: Two queries or more.
        forms: List the word forms that were counted.
        limit: Maximum number of groups, those with the most occurrences; all by default.
    """

    queries: Positional[tuple[str, ...]]
    forms: bool = True
    limit: int | None = None

    def __call__(self) -> int:
        """Print ratios and frequencies."""
        from engram.policy.measure import (  # noqa: PLC0415  not for --help
            compare,
            foremost,
            interval_table,
            ratio_table,
            to_dict,
        )

        named = name_queries(self.queries, self.names)
        with self.opened() as engine:
            ratios = compare(engine, named)
            answer = foremost(self.count(engine, named, self.grouping), self.limit)
            groups = {row.group for row in answer.rows}
            grouped = compare(engine, named, by=self.grouping) if self.grouping else []
            forms = read_forms(engine, named.values()) if self.forms else {}
            notes = read_notes(named.values(), engine)
        answer = without(answer, notes)
        grouped = [ratio for ratio in grouped if ratio.group in groups]
        if self.json:
            print_json(
                to_dict(answer)
                | {"notes": [*notes, *answer.notes], "forms": forms_to_dict(forms)}
                | {"ratios": [ratio._asdict() for ratio in ratios]}
                | {"ratios_by_group": [ratio._asdict() for ratio in grouped]}
            )
            return 0
        print_reading(notes, forms)
        tables = [interval_table(answer), ratio_table(ratios)]
        if any(ratio.value is not None for ratio in grouped):
            tables.append(ratio_table(grouped, self.by))
        _print_report(" · ".join(named), tables, answer.notes)
        return 0


def without(answer: "Frequency", notes: Sequence[str]) -> "Frequency":
    """An answer without the notes that are given beside it."""
    return replace(answer, notes=tuple(note for note in answer.notes if note not in notes))


def _print_report(title: str, tables: Sequence["Table"], notes: Sequence[str] = ()) -> None:
    from engram.report import Provenance, Report, print_report  # noqa: PLC0415  not for --help

    report = Report("policy", title, provenance=Provenance(status="complete"))
    report.add(*tables)
    for note in notes:
        report.note(note)
    print_report(report, Console())


def _print_documents(rows: Sequence[Sequence[Any]]) -> None:
    """One line per document: date, occurrences, title and link."""
    console = Console()
    console.print("Documents with the most occurrences", highlight=False)
    for date, title, count, link in rows:
        console.print(Text(f"  {date}  {count:>5}  {title}  {link}"), soft_wrap=True)


def _print_first(first: "Passage") -> None:
    """The date, document and context of the first occurrence."""
    from engram.policy.measure import one_line  # noqa: PLC0415  not for --help

    link = first.url or first.id
    Console().print(
        Text(f"First occurrence {first.date}: {one_line(first.title)}  {link}"), soft_wrap=True
    )
    said = Text.assemble(
        f"  … {one_line(first.left)} ", (one_line(first.match), "bold"),
        f" {one_line(first.right)} …",
    )  # fmt: skip
    Console().print(said)


def _print_passages(found: "Context", offset: int, width: int | None) -> None:
    """Each document once with its link, followed by its passages with aligned matches."""
    from engram.policy.measure import one_line  # noqa: PLC0415  not for --help

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
