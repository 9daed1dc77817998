"""Answers as tables and figures of a report."""

from collections.abc import Sequence

from engram.policy.engine import Context
from engram.policy.measure.compare import Ratio
from engram.policy.measure.coverage import Coverage
from engram.policy.measure.export import figure_of
from engram.policy.measure.frequency import Frequency
from engram.report import Report, Table


def report_frequency(report: Report, answer: Frequency) -> None:
    """Report how often queries occur: a table, and the series and figure that show its rows.

    Args:
        report: The report to fill in.
        answer: What was measured.
    """
    report.add(frequency_table(answer))
    series = answer.series()
    if any(len(one) for one in series):
        report.add(*series, figure_of(answer))
    for note in answer.notes:
        report.note(note)


def report_coverage(report: Report, answer: Coverage) -> None:
    """Report what documents there are: two tables, and a figure of the composition.

    Args:
        report: The report to fill in.
        answer: What was counted.
    """
    report.add(*coverage_tables(answer))
    if answer.parts:
        report.add(*answer.series(), figure_of(answer))


def frequency_table(answer: Frequency) -> Table:
    """The rows of one query with all their counts; of several queries, their values beside.

    Args:
        answer: What was measured.
    """
    head, title = answer.by or "", f"Frequency by {answer.by or 'query'}"
    caption = f"Rates are {answer.unit}; – where there are no documents."
    if len(answer.queries) == 1:
        columns = [head, "rate", "low", "high", "count", "in", "of documents", "of tokens"]
        rows = [[str(row.group), *row[2:]] for row in answer.rows]
        name = next(iter(answer.queries))
        counts = "Count: occurrences, in so many of the documents that the filters admit."
        return Table(f"{name}: {title.lower()}", columns, rows, f"{caption} {counts}")
    values = {(row.query, row.group): row.value for row in answer.rows}
    groups = dict.fromkeys(row.group for row in answer.rows)
    if answer.by is not None and all(isinstance(group, int) for group in groups):
        groups = dict.fromkeys(sorted(groups, key=int))
    rows = [[str(group), *(values.get((name, group)) for name in answer.queries)]
            for group in groups]  # fmt: skip
    return Table(title, [head, *answer.queries], rows, caption)


def ratio_table(ratios: Sequence[Ratio]) -> Table:
    """Ratios of rates.

    Args:
        ratios: What comparing found.
    """
    rows = [
        [ratio.query, ratio.base, ratio.value, ratio.low, ratio.high,
         "the same" if ratio.paired else "others"]
        for ratio in ratios
    ]  # fmt: skip
    return Table(
        "Ratio of rates per token",
        ["query", "to", "ratio", "low", "high", "documents"],
        rows,
        "Over the whole record, documents as clusters; where the documents are others, they are "
        "taken as independent.",
    )


def coverage_tables(answer: Coverage) -> tuple[Table, Table]:
    """What there is of each type, and of each type in each period.

    Args:
        answer: What was counted.
    """
    summary = []
    for name in answer.types:
        parts = [part for part in answer.of(name) if part.documents]
        documents, tokens = sum(part.documents for part in parts), sum(p.tokens for p in parts)
        summary.append(
            [name, str(parts[0].period), str(parts[-1].period), len(parts), documents, tokens]
        )
    counted = {(part.type, part.period): part for part in answer.parts}
    gaps = set(answer.gaps)
    rows = []
    for period in answer.periods:
        parts = [counted[name, period] for name in answer.types]
        tokens = None if period in gaps else sum(part.tokens for part in parts)
        rows.append(
            [str(period), *(None if period in gaps else p.documents for p in parts), tokens]
        )
    return (
        Table(
            "Coverage",
            ["type", "first", "last", f"{_PLURAL[answer.by]} with any", "documents", "tokens"],
            summary,
            f"Of {len(answer.periods)} {_PLURAL[answer.by]}, {len(gaps)} have no documents.",
        ),
        Table(
            f"Documents by {answer.by}",
            [answer.by, *answer.types, "tokens"],
            rows,
            "– where there are no documents.",
        ),
    )


_PLURAL = {"year": "years", "month": "months", "congress": "Congresses"}


def context_table(answer: Context) -> Table:
    """Passages with the keyword in the middle.

    Args:
        answer: What was found.
    """
    rows = [
        [passage.date.isoformat(), passage.title, one_line(passage.left), one_line(passage.match),
         one_line(passage.right), passage.url or passage.id]
        for passage in answer.passages
    ]  # fmt: skip
    columns = ["date", "title", "left", "match", "right", "link"]
    return Table("Context", columns, rows, f"{len(rows)} of {answer.total} occurrences.")


def one_line(text: str) -> str:
    """Text with its line breaks and runs of spaces as single spaces.

    Args:
        text: A piece of a document.
    """
    return " ".join(text.split())
