"""Series that a test cannot be put to are named with the reason; the others are related."""

from typing import Any

import numpy as np
import pytest

from engram.policy.relate import conclude, relate, report_findings
from engram.policy.relate.causality import assess_causality
from engram.policy.relate.prewhiten import is_predictable
from engram.policy.relate.stationarity import assess_stationarity
from engram.policy.relate.yearly import Yearly, yearly
from engram.report import Report
from engram.series import Series

YEARS = list(range(1900, 2001))
T = np.arange(len(YEARS), dtype=float)
QUICK: dict[str, Any] = {"draws": 99, "replicates": 99, "nonsense": 3, "lags": 1}


def by_year(name, values):
    return Series(name, YEARS, np.asarray(values, float), axis="year")


def walk(seed=0):
    return np.cumsum(np.random.default_rng(seed).standard_normal(len(YEARS)))


EXACT = {
    "election years": [year % 4 == 0 for year in YEARS],
    "line": 3 * T - 7,
    "parabola": T**2,
    "doubling": 1.1**T,
    "cycle": np.sin(T),
    "alternation": T % 2,
}
RARE = {
    "war": [1941 <= year <= 1945 for year in YEARS],
    "one year": T == 50,
    "last year": T == 100,
    "step": T > 50,
    "bend": np.maximum(0, T - 90),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_its_past_predicts_exactly_is_left_out(name):
    assert is_predictable(yearly(by_year(name, EXACT[name])))
    findings = relate([by_year("talk", walk())], [by_year(name, EXACT[name]),
                                                 by_year("walk", walk(1))], **QUICK)  # fmt: skip
    assert [one.correlation.indicator for one in findings.relations] == ["walk"]
    assert "predicted exactly by its own past in 1900-2000" in findings.excluded[name]
    assert any(name in text for text in conclude(findings).may_not)


@pytest.mark.parametrize("name", RARE)
def test_rare_events_are_related_and_what_cannot_be_run_is_said(name):
    findings = relate([by_year("talk", walk())], [by_year(name, RARE[name])], **QUICK)
    assert findings.excluded == {}
    report = Report("x")
    report_findings(report, findings)
    table = next(one for one in report.tables if one.title == "Stationarity")
    for row in table.rows:
        assert (None in row[2:5]) == ("cannot be tested" in row[-1])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full(101, 5.0), "never changes: it is always 5"),
        (5 + 1e-13 * walk(), "stays within rounding of 5"),
        (1e200 * walk(), "use another unit"),
        (1e-200 * walk(), "use another unit"),
    ],
)
def test_what_cannot_be_computed_with_is_left_out(values, reason):
    findings = relate([by_year("talk", walk())], [by_year("odd", values),
                                                 by_year("walk", walk(1))], **QUICK)  # fmt: skip
    assert reason in findings.excluded["odd"]
    with pytest.raises(ValueError, match=f"nothing is left to relate: .*{reason}"):
        relate([by_year("talk", walk())], [by_year("odd", values)], **QUICK)


def test_a_short_series_does_not_stop_the_others():
    short = Series("short", YEARS[:20], T[:20], axis="year")
    findings = relate([by_year("talk", walk())], [short, by_year("walk", walk(1))], **QUICK)
    assert "20 consecutive years" in findings.excluded["short"]
    assert len(findings.relations) == 1


def test_collinear_pasts_have_no_causality():
    one = Yearly("one", 1900, walk(), np.ones(101, bool))
    same = Yearly("same", 1900, 2 * walk() + 1, np.ones(101, bool))
    found = assess_causality(one, same, np.random.default_rng(0))
    assert (found.toda_yamamoto_p, found.granger_p) == (None, None)


def test_singular_regressions_have_no_p_value():
    found = assess_stationarity(Yearly("x", 1900, T % 2, np.ones(101, bool)))
    assert found.adf_p is None
    assert "cannot be tested (Dickey–Fuller" in found.advice
    assert found.order == 1


def test_how_many_come_out_by_chance_is_said_properly():
    findings = relate([by_year("talk", walk())], [by_year("walk", walk(1))], **QUICK)
    report = Report("x")
    report_findings(report, findings)
    caption = next(one.caption for one in report.tables if one.title.startswith("Whether the past"))
    assert caption.startswith("4 tests")
    assert "0.2 are significant on average, and at least one with probability 19%" in caption
