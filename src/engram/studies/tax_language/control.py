"""The positive control: the deciding test applied to a record with planted relations."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engram.policy.relate.control import ALPHA
from engram.policy.relate.lag import LAGS
from engram.policy.relate.relation import prewhiten
from engram.policy.relate.yearly import yearly
from engram.report import Report, Scalar, Table
from engram.studies.tax_language.language import TERMS, Counts, count, rates
from engram.studies.tax_language.record import generate


def control(seed: int, draws: int) -> dict[str, Any]:
    """Look for planted relations in a generated record, at lags of -5 to 5 years.

    Args:
        seed: Seed of the record and of the test.
        draws: Number of sign patterns of the test.

    Returns:
        Under "rows", for each term and indicator: both names, the planted lag or None, the lag
        found or None, and the p-value adjusted over all cells.
    """
    with (
        TemporaryDirectory(prefix="engram-") as folder,
        generate(Path(folder), seed) as record,
    ):
        counted = {term: Counts.load(count(record.engine, term, "message")) for term in TERMS}
    terms = [yearly(rates(term, counts.year, "year")) for term, counts in counted.items()]
    indicators = [yearly(series) for series in record.indicators]
    lags = range(-LAGS, LAGS + 1)
    flips = prewhiten(terms, indicators, lags, np.random.default_rng(seed), draws).flips
    planted = {(one.term, one.indicator): one.lag for one in record.plantings}
    rows = []
    for i, term in enumerate(terms):
        for j, indicator in enumerate(indicators):
            p_value = float(flips.family[i, j].min())
            lag = lags[int(np.abs(flips.statistic[i, j]).argmax())]
            found = lag if p_value <= ALPHA else None
            pair = (term.name, indicator.name)
            rows.append([*pair, planted.get(pair), found, p_value])
    return {"rows": rows}


def report_control(report: Report, rows: list[list[Any]]) -> None:
    """Report whether the test found what was planted, and nothing else.

    Args:
        report: The report to fill in.
        rows: The result of `control`.
    """
    planted = [row for row in rows if row[2] is not None]
    found = sum(row[2] == row[3] for row in planted)
    false = sum(row[3] is not None for row in rows if row[2] is None)
    report.note(
        f"Positive control: in a generated record, the same test found {found} of {len(planted)} "
        f"planted relations, and called {false} of {len(rows) - len(planted)} unrelated pairs "
        "related. The generated record carries no information about the United States."
    )
    report.add(
        Scalar("control: planted relations found", found),
        Scalar("control: planted relations", len(planted)),
        Scalar("control: unrelated pairs called related", false),
        Table(
            "Positive control: a generated record",
            ["term", "indicator", "planted lag", "found lag", "p adjusted"],
            rows,
            "Pairs without a planted lag are unrelated; pairs without a found lag were judged "
            "unrelated.",
        ),
    )
