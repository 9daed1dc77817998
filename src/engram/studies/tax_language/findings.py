"""Findings: the documents, the language of taxes, and whether planted relations were found."""

from collections.abc import Mapping, Sequence

from engram.policy.measure import Part
from engram.policy.relate import Findings
from engram.report import Figure, Report, Scalar, Table
from engram.studies.tax_language.language import MILLION, Counts, rates
from engram.studies.tax_language.planted import Planting

TRAP = ("DECREASE", "federal receipts")
"""The pair whose correlation of levels misleads most."""


def report_record(report: Report, parts: Mapping[str, Sequence[Part]], doc_type: str) -> None:
    """Report which documents the record holds, by year.

    Args:
        report: The report to fill in.
        parts: Documents and words of each type, in the years that have any.
        doc_type: The type of documents counted.
    """
    tokens = {name: sum(part.tokens for part in some) for name, some in parts.items()}
    rows = []
    for name, some in parts.items():
        first, last = int(some[0].period), int(some[-1].period)
        rows.append(
            [
                name,
                sum(part.documents for part in some),
                tokens[name],
                100 * tokens[name] / sum(tokens.values()),
                f"{first}–{last}",
                len(some),
                last - first + 1 - len(some),
                "yes" if name == doc_type else "no",
            ]
        )
    columns = ["type", "documents", "words", "share of words (%)", "span", "years", "years missing",
               "counted"]  # fmt: skip
    report.add(
        Table(
            "Coverage and composition",
            columns,
            rows,
            "Types begin and end at different times, so rates over all types would reflect "
            "changes in the mix of documents. Only one type is counted.",
        )
    )


def report_rates(report: Report, counted: Mapping[str, Counts]) -> None:
    """Report how often each term occurs, by year and by Congress.

    Args:
        report: The report to fill in.
        counted: Counts of each term.
    """
    rows = []
    for term, counts in counted.items():
        total = sum(row.occurrences for row in counts.year)
        words = sum(row.all_tokens for row in counts.year)
        documents = sum(row.all_documents for row in counts.year)
        rows.append(
            [
                term,
                total,
                MILLION * total / words,
                total / documents,
                100 * sum(row.documents for row in counts.year) / documents,
                counts.dispersion,
            ]
        )
    columns = ["term", "occurrences", "per million words", "per document", "documents with it (%)",
               "over-dispersion φ"]  # fmt: skip
    report.add(
        Table(
            "Frequency of the terms",
            columns,
            rows,
            "φ compares the documents of a Congress; it is 1 if they differ only as expected by "
            "chance at a common rate.",
        )
    )
    for by in ("year", "congress"):
        series = [
            rates(f"{term} by {by}", getattr(counts, by), by) for term, counts in counted.items()
        ]
        report.add(*series)
        report.add(
            Figure(
                f"Language of tax increase and decrease by {by}",
                [one.name for one in series],
                y_label="occurrences per million words",
                caption="Bands: 95% interval of a quasi-Poisson count, since words occur in "
                "bursts. Most years have a single message. If a message is so short that "
                "its band is far wider than the others, the band is clipped, and the "
                "figure says so.",
                clip=True,
            )
        )


def report_trap(report: Report, findings: Findings) -> None:
    """Report the correlation that misleads, in levels and in yearly changes.

    Args:
        report: The report to fill in.
        findings: The result of relating the terms to the indicators.
    """
    for one in (relation.correlation for relation in findings.relations):
        if (one.term, one.indicator) == TRAP:
            name = f"r of {one.term} and {one.indicator}"
            low, r, high = one.differences.low, one.differences.estimate, one.differences.high
            report.add(
                Scalar(f"{name}, levels", one.levels),
                Scalar(f"{name}, yearly changes", r, low=low, high=high),
            )


def report_plantings(report: Report, findings: Findings, plantings: tuple[Planting, ...]) -> None:
    """Report which planted relations and which nonsense relations were found.

    Args:
        report: The report to fill in.
        findings: The result of relating the terms to the indicators.
        plantings: What is planted.
    """
    planted = {(one.term, one.indicator): one.lag for one in plantings}
    rows, found, false = [], 0, 0
    for one in findings.relations:
        pair, at = (one.correlation.term, one.correlation.indicator), one.profile[one.best]
        related = one in findings.surviving
        right = related and planted.get(pair) == at.lag
        found += right
        false += related and pair not in planted
        rows.append(
            [*pair, planted.get(pair), at.lag if related else None, related == (pair in planted)]
        )
    report.add(
        Scalar("planted relations found", found),
        Scalar("planted relations", len(plantings)),
        Scalar("nonsense called related", false),
        Table(
            "Planted and found",
            ["term", "indicator", "planted lag", "found lag", "right"],
            rows,
            "Pairs without a planted lag are unrelated; pairs without a found lag were judged "
            "unrelated.",
        ),
    )
