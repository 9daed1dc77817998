"""The findings as a report: what to conclude first, then levels beside differences, then why."""

from collections.abc import Sequence

from engram.policy.relate.conclusion import conclude
from engram.policy.relate.control import ALPHA
from engram.policy.relate.relation import Findings, Relation
from engram.report import Figure, Report, Scalar, Table
from engram.series import Series


def report_findings(report: Report, findings: Findings) -> None:
    """Report the relations of terms to indicators.

    Args:
        report: The report to fill in.
        findings: What relating them found.
    """
    may, may_not = conclude(findings)
    report.answer(may[0])
    for sentence in may:
        report.note(f"May be concluded: {sentence}")
    for sentence in may_not:
        report.note(f"May not be concluded: {sentence}")
    report.note(
        f"One test decides, at {100 * ALPHA:.0f}%: sign flips of the normal scores of pre-whitened "
        f"series, max-T over {findings.looks} cells of term, indicator and lag. Seed of all "
        f"resampling: {findings.seed}."
    )
    _scalars(report, findings)
    report.add(
        _verdicts(findings),
        _beside(findings),
        _controls(findings),
        _stationarity(findings),
        _lags(findings),
        _causality(findings),
        _breaks(findings),
    )
    _figures(report, findings)


def _scalars(report: Report, findings: Findings) -> None:
    nonsense = findings.nonsense
    report.add(
        Scalar("relations that survive", len(findings.surviving)),
        Scalar("looks", findings.looks),
        Scalar(
            "nonsense related by levels",
            100 * nonsense.levels.estimate,
            "%",
            100 * nonsense.levels.low,
            100 * nonsense.levels.high,
        ),
        Scalar(
            "nonsense related by the verdict",
            100 * nonsense.verdict.estimate,
            "%",
            100 * nonsense.verdict.low,
            100 * nonsense.verdict.high,
        ),
    )


def _verdicts(findings: Findings) -> Table:
    rows = []
    for one in findings.relations:
        at = one.profile[one.best]
        rows.append(
            [
                one.beside.term,
                one.beside.indicator,
                at.lag,
                at.pearson.estimate,
                float(one.alone[one.best]),
                float(one.discovery[one.best]),
                float(one.family[one.best]),
                "related" if one in findings.surviving else "not told from chance",
            ]
        )
    columns = ["term", "indicator", "lag", "r", "p alone", "q", "p of all", "verdict"]
    return Table(
        "Verdict",
        columns,
        rows,
        "The lag at which innovations go together most: the indicator comes that many years after "
        "the term, before it when negative. p alone: as if it were the only look; q: Benjamini and "
        "Hochberg; p of all: max-T over every term, indicator and lag, which gives the verdict.",
    )


def _beside(findings: Findings) -> Table:
    rows = [
        [
            one.term,
            one.indicator,
            f"{one.first}–{one.last}",
            one.years,
            one.levels,
            one.levels_rank,
            one.naive_p,
            one.differences.estimate,
            one.differences_rank,
            _span(one.differences.low, one.differences.high),
            _span(one.bootstrap.low, one.bootstrap.high),
        ]
        for one in (relation.beside for relation in findings.relations)
    ]
    columns = ["term", "indicator", "span", "years", "r levels", "ρ levels", "naive p",
               "r changes", "ρ changes", "HAC 95%", "bootstrap 95%"]  # fmt: skip
    return Table(
        "Levels beside differences",
        columns,
        rows,
        "Pearson's r and Spearman's ρ of the same pair in levels and in yearly changes. The naive "
        "p takes years as independent, which they are not: series that drift correlate in levels "
        "whether or not they are related. The intervals are those of r of changes.",
    )


def _controls(findings: Findings) -> Table:
    nonsense = findings.nonsense
    rows: list[list[str | float | None]] = [
        ["generated", "levels, naive p ≤ 0.05", 100 * nonsense.levels.estimate, None],
        ["generated", "the verdict's test", 100 * nonsense.verdict.estimate, None],
    ]
    if findings.control_p is not None:
        rows.append([findings.control, "the verdict's test", None, findings.control_p])
    return Table(
        "Nonsense controls",
        ["series", "test", "called related (%)", "p of all"],
        rows,
        "Generated series have the memory and the steps of the indicators and nothing to do with "
        "the record; the verdict's test should call 5% of them related.",
    )


def _stationarity(findings: Findings) -> Table:
    rows = [
        [one.name, one.years, one.adf_p, one.kpss_p, one.adf_differences_p, one.order, one.advice]
        for one in findings.stationarity
    ]
    columns = ["series", "years", "ADF p", "KPSS p", "ADF p of changes", "order", "advice"]
    return Table(
        "Stationarity",
        columns,
        rows,
        "The null of ADF is a random walk, that of KPSS a constant level.",
    )


def _lags(findings: Findings) -> Table:
    rows = [
        [
            one.beside.term,
            one.beside.indicator,
            at.lag,
            at.years,
            at.pearson.estimate,
            at.spearman,
            _span(at.pearson.low, at.pearson.high),
            _span(at.bootstrap.low, at.bootstrap.high),
            float(one.statistic[i]),
            float(one.alone[i]),
            float(one.discovery[i]),
            float(one.family[i]),
        ]
        for one in findings.relations
        for i, at in enumerate(one.profile)
    ]
    columns = ["term", "indicator", "lag", "years", "r", "ρ", "HAC 95%", "bootstrap 95%", "S",
               "p alone", "q", "p of all"]  # fmt: skip
    return Table(
        "Lags after pre-whitening",
        columns,
        rows,
        "Correlations of innovations, what of each series its own past does not foretell. The "
        "intervals are for one lag at a time. S, by normal scores, is what the sign flips test.",
    )


def _causality(findings: Findings) -> Table:
    rows = [
        [test.cause, test.effect, test.order, test.toda_yamamoto_p, test.granger_p]
        for one in findings.relations
        for test in (one.forward, one.backward)
    ]
    return Table(
        "Whether the past of one foretells the other",
        ["past of", "foretells", "years back", "Toda–Yamamoto p", "Granger p"],
        rows,
        f"{_by_chance(rows)} Toda and Yamamoto's is in levels, Granger's in yearly changes; – "
        "where the pasts of both are collinear, so that the test cannot be run. To foretell is not "
        "to cause.",
    )


def _by_chance(rows: Sequence[Sequence[str | int | float | None]]) -> str:
    """How many of the tests come out where nothing is related."""
    tests = sum(p is not None for row in rows for p in row[-2:])
    if not tests:
        return "No test could be run."
    one = 1 - (1 - ALPHA) ** tests
    return (
        f"{tests} tests, each at its own level of {100 * ALPHA:.0f}%: where nothing is related, "
        f"{ALPHA * tests:.2g} come out on average, and at least one with a chance of "
        f"{100 * one:.0f}% if they were independent."
    )


def _breaks(findings: Findings) -> Table:
    rows: list[list[str | None]] = [
        [name, "its own past", _years(years)] for name, years in findings.breaks.items()
    ]
    rows += [
        [one.beside.indicator, f"{one.beside.term}, best lag", _years(one.breaks)]
        for one in findings.relations
    ]
    return Table(
        "Structural breaks",
        ["series", "regressed on", "new regime from"],
        rows,
        "Bai and Perron's partition, the number of breaks by LWZ: at most three, a regime of at "
        "least 15% of the years. Empty where one regression serves throughout.",
    )


def _figures(report: Report, findings: Findings) -> None:
    for indicator in findings.indicators:
        names = []
        for one in findings.relations:
            if one.beside.indicator == indicator.name:
                profile = _profile(one)
                report.add(profile)
                names.append(profile.name)
        report.add(
            Figure(
                f"{indicator.name}: innovations at lags",
                names,
                x_label=f"years by which {indicator.name} comes after the term",
                y_label="correlation of innovations",
                caption="Bands: 95% by the stationary bootstrap, one lag at a time.",
            )
        )


def _profile(relation: Relation) -> Series:
    return Series(
        f"{relation.beside.term} and {relation.beside.indicator}",
        [at.lag for at in relation.profile],
        [at.pearson.estimate for at in relation.profile],
        axis="lag",
        index_unit="years",
        low=[at.bootstrap.low for at in relation.profile],
        high=[at.bootstrap.high for at in relation.profile],
    )


def _span(low: float, high: float) -> str:
    return f"{low:+.2f} to {high:+.2f}".replace("-", "−")


def _years(years: tuple[int, ...]) -> str | None:
    return ", ".join(map(str, years)) or None
