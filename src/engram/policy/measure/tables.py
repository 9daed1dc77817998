"""Answers as tables of a report."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from engram.policy.measure.compare import Ratio
from engram.policy.measure.coverage import Coverage
from engram.policy.measure.drawing import PLURAL
from engram.policy.measure.frequency import Frequency, Row
from engram.policy.measure.grouping import group_text
from engram.report import Table


def frequency_table(answer: Frequency, every_gap: bool = True) -> Table:
    """Table of one query with all counts, or of several queries with their values.

    Args:
        answer: What was measured.
        every_gap: Whether each period without documents has its own row; otherwise consecutive
            ones share one.
    """
    head, title = answer.by or "", f"Frequency by {answer.by or 'query'}"
    caption = f"Values are {answer.unit}; – where there are no documents."
    if len(answer.queries) > 1:
        values = {(row.query, row.group): row.value for row in answer.rows}
        rows = [
            [group_text(group, answer.by), *(values.get((name, group)) for name in answer.queries)]
            for group in _groups(answer)
        ]
        return Table(title, [head, *answer.queries], rows, caption)
    columns = [head, _HEADS[answer.measure], "low", "high", *_COUNTS]
    rows = [[group_text(row.group, answer.by), *row[2:]] for row in answer.rows]
    if not every_gap:
        rows = _without_runs(rows, [row.all_documents == 0 for row in answer.rows])
    if answer.measure == "count":  # it would appear twice
        columns.pop(4)
        rows = [row[:4] + row[5:] for row in rows]
    ends = f" Low and high: the {100 * answer.level:g}% interval."
    if all(row.low is None for row in answer.rows):
        ends = ""
        columns, rows = columns[:2] + columns[4:], [row[:2] + row[4:] for row in rows]
    name = next(iter(answer.queries))
    counts = (
        "Count: number of occurrences; documents: those with an occurrence, of all that pass the "
        "filters."
    )
    return Table(f"{name}: {title.lower()}", columns, rows, f"{caption}{ends} {counts}")


_HEADS = {
    "per-million": "per million",
    "per-document": "per document",
    "share": "% of documents",
    "count": "occurrences",
}
_COUNTS = ("count", "in", "of documents", "of tokens")
_RUN = 3
"""Minimum number of consecutive periods without documents that share a row."""


def _groups(answer: Frequency) -> list[int | str]:
    groups = list(dict.fromkeys(row.group for row in answer.rows))
    if answer.by is not None and all(isinstance(group, int) for group in groups):
        return sorted(groups, key=int)
    return groups


def _without_runs(rows: list[list[Any]], empty: Sequence[bool]) -> list[list[Any]]:
    """The rows, with three or more consecutive empty periods merged into one."""
    joined: list[list[Any]] = []
    for is_empty, run in groupby(zip(empty, rows, strict=True), key=lambda pair: pair[0]):
        part = [row for _, row in run]
        if is_empty and len(part) >= _RUN:
            part = [[f"{part[0][0]}–{part[-1][0]}", *part[0][1:]]]
        joined += part
    return joined


def ratio_table(ratios: Sequence[Ratio], by: str | None = None) -> Table:
    """Ratios of rates.

    Args:
        ratios: The result of comparing queries.
        by: The grouping; None for everything together.
    """
    known = [ratio for ratio in ratios if by is None or ratio.value is not None]
    rows = [
        [ratio.query, ratio.base, *([group_text(ratio.group, by)] if by else []), ratio.value,
         ratio.low, ratio.high, "the same" if ratio.paired else "others"]
        for ratio in known
    ]  # fmt: skip
    head = ["query", "to", *([by] if by else []), "ratio", "low", "high", "documents"]
    where = f"By {by}" if by else "Over the whole record"
    caption = (
        f"{where}, documents as clusters. Low and high: the 95% interval. Where the two queries "
        f"count different documents, these are treated as independent."
    )
    if len(known) < len(ratios):
        caption += (
            f" {len(ratios) - len(known)} of {len(ratios)} groups have no ratio: a query does not "
            f"occur in them, or occurs in only one document."
        )
    title = f"Ratio of rates per token by {by}" if by else "Ratio of rates per token"
    return Table(title, head, rows, caption)


def interval_table(answer: Frequency) -> Table:
    """Table of the values of several queries side by side, each with its interval.

    Args:
        answer: What was measured.
    """
    known = {(row.query, row.group): row for row in answer.rows}
    rows: list[list[Any]] = []
    for group in _groups(answer):
        cells: list[Any] = [group_text(group, answer.by)]
        for name in answer.queries:
            row = known.get((name, group))
            cells += [None if row is None else row.value, _interval_text(row)]
        rows.append(cells)
    empty = [all(cell is None for cell in row[1:]) for row in rows]
    head = [answer.by or ""]
    for name in answer.queries:
        head += [name, f"{100 * answer.level:g}%"]
    caption = f"Values are {answer.unit}, each with its interval; – where there are no documents."
    return Table(f"Frequency by {answer.by or 'query'}", head, _without_runs(rows, empty), caption)


def _interval_text(row: Row | None) -> str | None:
    if row is None or row.low is None or row.high is None:
        return None
    digits = max(0, 2 - math.floor(math.log10(row.high))) if row.high > 0 else 0
    return f"{row.low:.{digits}f} to {row.high:.{digits}f}"


def coverage_tables(answer: Coverage, every_gap: bool = True) -> tuple[Table, Table]:
    """Tables of the documents of each type, in total and by period.

    Args:
        answer: What was counted.
        every_gap: Whether each period without documents has its own row; otherwise consecutive
            ones share one.
    """
    summary = []
    for name in answer.types:
        parts = [part for part in answer.of(name) if part.documents]
        documents, tokens = sum(part.documents for part in parts), sum(p.tokens for p in parts)
        summary.append(
            [
                name,
                group_text(parts[0].period, answer.by),
                group_text(parts[-1].period, answer.by),
                len(parts),
                documents,
                tokens,
            ]
        )
    counted = {(part.type, part.period): part for part in answer.parts}
    gaps = set(answer.gaps)
    rows = []
    for period in answer.periods:
        parts = [counted[name, period] for name in answer.types]
        tokens = None if period in gaps else sum(part.tokens for part in parts)
        counts = (None if period in gaps else part.documents for part in parts)
        rows.append([group_text(period, answer.by), *counts, tokens])
    if not every_gap:
        rows = _without_runs(rows, [period in gaps for period in answer.periods])
    return (
        Table(
            "Coverage",
            ["type", "first", "last", f"{PLURAL[answer.by]} with any", "documents", "tokens"],
            summary,
            f"Of {len(answer.periods)} {PLURAL[answer.by]}, {len(gaps)} have no documents.",
        ),
        Table(
            f"Documents by {answer.by}",
            [answer.by, *answer.types, "tokens"],
            rows,
            "– where there are no documents.",
        ),
    )
