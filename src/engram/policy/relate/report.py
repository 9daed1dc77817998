"""The findings as a report: conclusions, correlations of levels and differences, then details."""

from collections.abc import Sequence

from engram.policy.relate.conclusion import conclude
from engram.policy.relate.control import ALPHA
from engram.policy.relate.relation import Findings, Relation
from engram.report import Figure, Report, Scalar, Table
from engram.series import Series


def report_findings(report: Report, findings: Findings) -> None:
    """Report the relations between terms and indicators.

    Args:
        report: The report to fill in.
        findings: The result of `relate`.
    """
    may, may_not = conclude(findings)
    report.answer(may[0])
    for sentence in may:
        report.note(f"May be concluded: {sentence}")
    for sentence in may_not:
        report.note(f"May not be concluded: {sentence}")
    report.note(
        f"One test decides, at {100 * ALPHA:.0f}%: sign flips of the normal scores of pre-whitened "
        f"series, max-T over {findings.comparisons} combinations of term, indicator and "
        f"lag. Seed of all resampling: {findings.seed}."
    )
    _scalars(report, findings)
    report.add(
        _verdicts(findings),
        _correlations(findings),
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
        Scalar("significant relations", len(findings.surviving)),
        Scalar("comparisons", findings.comparisons),
        Scalar(
            "nonsense series related by levels",
            100 * nonsense.levels.estimate,
            "%",
            100 * nonsense.levels.low,
            100 * nonsense.levels.high,
        ),
        Scalar(
            "nonsense series related by the verdict",
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
                one.correlation.term,
                one.correlation.indicator,
                at.lag,
                at.pearson.estimate,
                float(one.alone[one.best]),
                float(one.discovery[one.best]),
                float(one.family[one.best]),
                "related" if one in findings.surviving else "not distinguishable from chance",
            ]
        )
    columns = ["term", "indicator", "lag", "r", "p unadjusted", "q", "p adjusted", "verdict"]
    return Table(
        "Verdict",
        columns,
        rows,
        "Lag: the one with the strongest correlation of innovations, in years by which the "
        "indicator follows the term (negative if it precedes it). p unadjusted: for this lag "
        "alone; q: Benjamini and "
        "Hochberg; p adjusted: max-T over every term, indicator and lag, which gives the verdict.",
    )


def _correlations(findings: Findings) -> Table:
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
        for one in (relation.correlation for relation in findings.relations)
    ]
    columns = ["term", "indicator", "span", "years", "r levels", "ρ levels", "naive p",
               "r changes", "ρ changes", "HAC 95%", "bootstrap 95%"]  # fmt: skip
    return Table(
        "Levels and differences",
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
        ["series", "test", "called related (%)", "p adjusted"],
        rows,
        "The generated series have the autocorrelation and the step size of the indicators and "
        "are unrelated to the record; the verdict's test should call 5% of them related.",
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
        "The null hypothesis of ADF is a random walk; that of KPSS is a constant level.",
    )


def _lags(findings: Findings) -> Table:
    rows = [
        [
            one.correlation.term,
            one.correlation.indicator,
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
               "p unadjusted", "q", "p adjusted"]  # fmt: skip
    return Table(
        "Lags after pre-whitening",
        columns,
        rows,
        "Correlations of innovations, the residuals of each series after pre-whitening. The "
        "intervals hold for one lag at a time. S, by normal scores, is what the sign flips test.",
    )


def _causality(findings: Findings) -> Table:
    rows = [
        [test.cause, test.effect, test.order, test.toda_yamamoto_p, test.granger_p]
        for one in findings.relations
        for test in (one.forward, one.backward)
    ]
    return Table(
        "Whether the past of one series predicts the other",
        ["past of", "predicts", "lags (years)", "Toda–Yamamoto p", "Granger p"],
        rows,
        f"{_by_chance(rows)} Toda and Yamamoto's test uses levels, Granger's yearly changes; – "
        f"where the pasts of both are collinear, so that the test cannot be run. Prediction is "
        f"not causation.",
    )


def _by_chance(rows: Sequence[Sequence[str | int | float | None]]) -> str:
    """Number of tests expected to be significant if nothing is related."""
    tests = sum(p is not None for row in rows for p in row[-2:])
    if not tests:
        return "No test could be run."
    one = 1 - (1 - ALPHA) ** tests
    return (
        f"{tests} tests, each at its own level of {100 * ALPHA:.0f}%: if nothing is related, "
        f"{ALPHA * tests:.2g} are significant on average, and at least one with probability "
        f"{100 * one:.0f}% if they were independent."
    )


def _breaks(findings: Findings) -> Table:
    rows: list[list[str | None]] = [
        [name, "its own past", _years(years)] for name, years in findings.breaks.items()
    ]
    rows += [
        [one.correlation.indicator, f"{one.correlation.term}, best lag", _years(one.breaks)]
        for one in findings.relations
    ]
    return Table(
        "Structural breaks",
        ["series", "regressed on", "new regime from"],
        rows,
        "Bai and Perron's partition, the number of breaks by LWZ: at most three, a regime of at "
        "least 15% of the years. Empty if one regression fits throughout.",
    )


def _figures(report: Report, findings: Findings) -> None:
    for indicator in findings.indicators:
        names = []
        for one in findings.relations:
            if one.correlation.indicator == indicator.name:
                profile = _profile(one)
                report.add(profile)
                names.append(profile.name)
        report.add(
            Figure(
                f"{indicator.name}: innovations at lags",
                names,
                x_label=f"years by which {indicator.name} follows the term",
                y_label="correlation of innovations",
                caption="Bands: 95% by the stationary bootstrap, one lag at a time.",
            )
        )


def _profile(relation: Relation) -> Series:
    return Series(
        f"{relation.correlation.term} and {relation.correlation.indicator}",
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
