from typing import Any

import numpy as np
import pytest

from engram.policy.relate import conclude, relate, report_findings
from engram.report import Report
from engram.series import Series

YEARS = list(range(1860, 2000))


def by_year(name: str, values: np.ndarray, years: list[int] = YEARS) -> Series:
    return Series(name, years, values, axis="year", unit="points")


@pytest.fixture(scope="module")
def planted():
    """Two terms and two indicators that drift; "answer" follows "term" by three years."""
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((4, len(YEARS))) + 0.3
    steps[2] = 0.8 * np.roll(steps[0], 3) + 0.6 * steps[2]
    walks = np.cumsum(steps, axis=1)
    terms = [by_year("term", walks[0]), by_year("other term", walks[1])]
    indicators = [by_year("answer", walks[2]), by_year("walk", walks[3])]
    return relate(terms, indicators, draws=399, replicates=199, nonsense=40)


def test_the_planted_relation_survives_and_the_drifting_ones_do_not(planted):
    (survivor,) = planted.surviving
    assert (survivor.correlation.term, survivor.correlation.indicator) == ("term", "answer")
    assert planted.lags[survivor.best] == 3
    assert survivor.forward.toda_yamamoto_p < 0.01
    assert survivor.backward.granger_p > 0.05
    misled = [one for one in planted.relations if one.correlation.naive_p < 1e-6]
    assert len(misled) == 4
    assert planted.control == "sunspots"


def test_a_report_says_what_may_and_may_not_be_concluded(planted):
    report = Report("x")
    report_findings(report, planted)
    notes = " ".join(report.notes)
    assert "One relation remains significant after 44 comparisons" in notes
    assert "3 years after term" in notes
    assert "The past of term helps to predict answer" in notes
    assert "in yearly changes" in notes
    assert "May not be concluded: Cause" in notes
    assert Report.from_dict(report.to_dict()).fingerprint == report.fingerprint
    verdicts = next(table for table in report.tables if table.title == "Verdict")
    assert [row[-1] for row in verdicts.rows].count("related") == 1
    titles = {"Levels and differences", "Nonsense controls", "Stationarity"}
    assert titles <= {table.title for table in report.tables}


def test_where_the_control_fails_nothing_is_concluded(planted, monkeypatch):
    failed = planted.nonsense._replace(
        verdict=planted.nonsense.verdict._replace(estimate=0.5, low=0.4, high=0.6)
    )
    monkeypatch.setitem(planted.__dict__, "nonsense", failed)
    assert planted.surviving == []
    assert conclude(planted).may[0].startswith("Nothing. The control failed: 50%")


def test_the_same_seed_gives_the_same_findings_and_gaps_are_allowed():
    rng = np.random.default_rng(1)
    years = [year for year in YEARS if year not in (1900, 1901, 1950)]
    term = by_year("term", rng.standard_normal(len(years)), years)
    indicator = by_year("walk", np.cumsum(rng.standard_normal(len(YEARS))))
    settings: dict[str, Any] = {"seed": 4, "lags": 1, "draws": 99, "replicates": 99, "nonsense": 5}
    one, two = (relate([term], [indicator], **settings) for _ in range(2))
    reports = [Report("x"), Report("x")]
    for report, findings in zip(reports, (one, two), strict=True):
        report_findings(report, findings)
    assert reports[0].fingerprint == reports[1].fingerprint
    pair = one.relations[0].correlation
    assert pair.years == len(years)
    assert pair.levels == pytest.approx(
        np.corrcoef(
            np.asarray(term.values),
            np.asarray(indicator.values)[[YEARS.index(year) for year in years]],
        )[0, 1]
    )
    assert one.surviving == []
    assert "No relation remains significant after 3 comparisons" in conclude(one).may[0]
    assert any("That there is no relation" in text for text in conclude(one).may_not)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": []}, "0 terms"),
        ({"lags": -1}, "lags is -1"),
        ({"draws": 10}, "draws=10"),
        ({"indicators": [by_year("term", np.arange(140.0))]}, "each its own name"),
        (
            {"indicators": [by_year("late", np.arange(40.0), list(range(1985, 2025)))]},
            "share 15 years",
        ),
    ],
)
def test_a_mistake_is_named(change, message):
    given = {"terms": [by_year("term", np.sin(np.arange(140.0)))],
             "indicators": [by_year("walk", np.arange(140.0) ** 2)]} | change  # fmt: skip
    terms, indicators = given.pop("terms"), given.pop("indicators")
    with pytest.raises(ValueError, match=message):
        relate(terms, indicators, **given)
