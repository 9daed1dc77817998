"""Relating rates to indicators, as a study: the numbers of the library, and its resumption."""

import random
from pathlib import Path

import pytest

from engram.policy import EmbeddedEngine, Store, ingest
from engram.policy.measure import frequency
from engram.policy.relate import read_table, relate, report_findings
from engram.report import Report
from engram.studies import relate as module
from engram.studies.relate import RelateIndicators
from engram.study import execute

WORDS = ["the", "nation", "asks", "for", "peace", "and", "no", "tax", "cut", "in", "war"]
QUERIES = {"cut": '"tax cut"', "peace": "peace"}


def write_speeches(folder: Path, years: range, dice: random.Random) -> None:
    folder.mkdir(exist_ok=True)
    for year in years:
        words = dice.choices(WORDS, k=80)
        words += ["tax", "cut"] * dice.randint(0, 4)
        (folder / f"{year}-03-10-address.txt").write_text(" ".join(words))


@pytest.fixture
def study(tmp_path: Path) -> RelateIndicators:
    dice = random.Random(0)
    write_speeches(tmp_path / "in", range(1850, 1900), dice)
    ingest([tmp_path / "in"], tmp_path / "record", workers=1)
    table = tmp_path / "own.csv"
    rows = [f"{year},{dice.gauss(0, 1)}" for year in range(1850, 1910)]
    table.write_text("\n".join(["year,rain", *rows]))
    return RelateIndicators(QUERIES, str(tmp_path / "record"), table=table, lags=1, seed=3)


def items(report: Report) -> dict[str, object]:
    content = report.to_dict()
    return {key: content[key] for key in ("scalars", "tables", "series", "figures", "notes")}


def test_the_report_has_the_numbers_of_the_library(study, tmp_path) -> None:
    report = execute(study, tmp_path / "run")
    store = Store(study.store)
    rates = frequency(EmbeddedEngine(store.segments()), QUERIES, "year", method="none")
    indicators, notes = read_table(study.table)
    expected = Report("relate")
    report_findings(expected, relate(rates.series(), indicators, seed=3, lags=1))
    for note in (*rates.notes, *notes):
        expected.note(note)
    assert items(report) == items(expected)
    assert report.provenance.seed == 3
    assert set(report.provenance.data) == {"own.csv", "record"}
    assert (tmp_path / "run" / "report.html").exists()


def test_an_interrupted_run_resumes_without_counting_again(study, tmp_path, monkeypatch) -> None:
    whole = execute(study, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(module, "relate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            execute(study, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(module, "frequency", lambda *_, **__: pytest.fail("counted again"))
        assert execute(study, tmp_path / "run").fingerprint == whole.fingerprint


def test_a_record_that_changed_meanwhile_is_counted_again(study, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "relate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            execute(study, tmp_path / "run")
    write_speeches(tmp_path / "in", range(1900, 1910), random.Random(1))
    ingest([tmp_path / "in"], study.store, workers=1)
    resumed, whole = (execute(study, tmp_path / name) for name in ("run", "whole"))
    assert resumed.fingerprint == whole.fingerprint


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_column_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="name it as table"):
        RelateIndicators(QUERIES, "record", year="Year")
