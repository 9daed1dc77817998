import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.report import (
    Figure,
    Provenance,
    Published,
    Report,
    Scalar,
    Table,
    load_report,
    save_page,
    save_report,
)
from engram.series import Series


def full() -> Report:
    report = Report("toy", "A toy", "Is it?", Provenance(settings={"n": [1, 2]}, seed=3))
    paper = Published(0.8, "A paper, table 1", "fewer epochs")
    report.add(Scalar("accuracy", 0.75, low=0.7, high=0.8, published=paper))
    report.add(Scalar("time", 12.0, "s", volatile=True))
    report.add(Table("Sizes", ["name", "n"], [("a", 1), ("b", None)], "A caption."))
    report.add(Series("rate", [1, 2, 4], [0.1, None, 0.3], "T", "Hz"))
    report.add(Series("speed", ["a", "b"], [1.0, 2.0], "neuron", volatile=True))
    report.add(Figure("Rates", ["rate"], x_log=True))
    report.note("A note.")
    report.provenance.data["digits"] = "00ff"
    return report


def test_a_saved_report_loads_as_it_was(tmp_path: Path) -> None:
    report = full()
    page = save_report(report, tmp_path / "a" / "b")
    assert page == tmp_path / "a" / "b" / "report.html"
    for path in (page.parent, page.with_name("report.json")):
        loaded = load_report(path)
        assert loaded.scalars == report.scalars
        assert loaded.tables == report.tables
        assert loaded.series == report.series
        assert loaded.figures == report.figures
        assert loaded.notes == report.notes
        assert loaded.provenance == report.provenance
        assert loaded.fingerprint == report.fingerprint
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]


def test_the_page_follows_from_the_json_alone(tmp_path: Path) -> None:
    page = save_report(full(), tmp_path).read_text()
    other = tmp_path / "other"
    other.mkdir()
    assert save_page(load_report(tmp_path / "report.json"), other).read_text() == page


def test_the_fingerprint_is_the_sha256_of_what_is_not_volatile() -> None:
    report = full()
    kinds = ("name", "title", "question", "scalars", "tables", "series", "figures", "notes")
    stored: dict[str, Any] = {"format": 1} | {kind: report.to_dict()[kind] for kind in kinds}
    stored["scalars"].pop(1)
    stored["series"].pop(1)
    kept = {"settings": {"n": [1, 2]}, "seed": 3, "data": {"digits": "00ff"}}
    text = json.dumps(stored | {"provenance": kept}, sort_keys=True, separators=(",", ":"))
    assert report.fingerprint == hashlib.sha256(text.encode()).hexdigest()


@given(st.floats(0, 1e6), st.text(), st.sampled_from(["complete", "partial"]))
def test_time_place_and_machine_leave_the_fingerprint_alone(seconds, text, status) -> None:
    report = full()
    before = report.fingerprint
    report.scalars[1] = Scalar("time", seconds, "s", volatile=True)
    report.series[1] = Series("speed", ["a"], [seconds], "neuron", volatile=True)
    report.add(Table("Times", ["s"], [(seconds,)], volatile=True))
    report.provenance = replace(
        report.provenance,
        versions={"numpy": text},
        hardware={"processor": text},
        started=text,
        duration_s=seconds,
        status=status,
        missing=text,
    )
    assert report.fingerprint == before


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.scalars.__setitem__(0, Scalar("accuracy", 0.75)),
        lambda report: report.tables.clear(),
        lambda report: report.series.pop(0),
        lambda report: report.note("Another."),
        lambda report: report.provenance.settings.update(n=[1]),
        lambda report: report.provenance.data.update(digits="00fe"),
        lambda report: setattr(report.provenance, "seed", 4),
    ],
)
def test_every_other_change_is_seen_in_the_fingerprint(change) -> None:
    report = full()
    before = report.fingerprint
    change(report)
    assert report.fingerprint != before


def test_a_failed_write_leaves_the_earlier_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = full()
    save_report(report, tmp_path)
    before = (tmp_path / "report.json").read_bytes()
    report.note("Later.")

    def full_disk(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_report(report, tmp_path)
    assert (tmp_path / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Scalar("accuracy", 1.0), "already has a scalar 'accuracy'"),
        (Table("Sizes", ["a"], []), "already has a table 'Sizes'"),
        (Series("rate", [1], [1]), "already has a series 'rate'"),
        (Figure("Rates", ["rate"]), "already has a figure 'Rates'"),
        (Figure("Other", ["rate", "absent"]), r"\['absent'\].*add these series first"),
        (Figure("Other", ["rate", "speed"]), "different axes or units"),
        (Figure("Other", ["speed"], x_log=True), "logarithmic index over names"),
        (1.0, "is not a Scalar"),
    ],
)
def test_what_does_not_fit_the_report_is_refused(item, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        full().add(item)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting"),
        ("[]", "not a report of format 1 or 2"),
        ('{"format": 3}', "not a report of format 1 or 2"),
        ('{"format": 1, "name": "toy"}', "damaged"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match=f"report.json: .*{message}"):
        load_report(tmp_path)


def test_a_missing_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no report at"):
        load_report(tmp_path)


def arranged() -> Report:
    """The items of `full`, arranged in sections."""
    report = Report("toy", "A toy", "Is it?", Provenance(settings={"n": [1, 2]}, seed=3))
    first = full()
    section = report.section("Findings")
    section.add(first.tables[0])
    section.note(first.notes[0])
    section.add(*first.series, *first.figures)
    report.section("Speed").add(first.scalars[0])
    section.add(first.scalars[1])
    report.provenance.data["digits"] = "00ff"
    report.answer("It is, by 0.75 (0.70 to 0.80).")
    return report


def test_a_section_shows_what_was_added_in_that_order() -> None:
    report, first = arranged(), full()
    findings, speed = report.sections
    assert findings.items == [first.tables[0], "A note.", first.figures[0], first.scalars[1]]
    assert speed.items == [first.scalars[0]]
    assert report.section("Speed") is speed
    rest = report.loose
    assert [*rest.scalars, *rest.tables, *rest.figures, *rest.notes] == []


def test_what_belongs_to_no_section_is_left() -> None:
    report = arranged()
    report.add(Scalar("late", 1.0))
    report.note("Late.")
    assert report.loose.scalars == [Scalar("late", 1.0)]
    assert report.loose.notes == ["Late."]


def test_arrangement_leaves_the_fingerprint_alone() -> None:
    report, first = arranged(), full()
    report.scalars.sort(key=lambda scalar: scalar.name)
    assert report.fingerprint == first.fingerprint
    report.answer("No.")
    assert report.fingerprint == first.fingerprint


def test_sections_chapters_and_the_answer_are_saved(tmp_path: Path) -> None:
    report = arranged()
    report.chapter(full())
    save_report(report, tmp_path)
    loaded = load_report(tmp_path)
    assert loaded.conclusion == report.conclusion
    assert [(one.title, one.items) for one in loaded.sections] == [
        (one.title, one.items) for one in report.sections
    ]
    assert [chapter.fingerprint for chapter in loaded.chapters] == [full().fingerprint]
    assert loaded.fingerprint == report.fingerprint != arranged().fingerprint
    with pytest.raises(ValueError, match="already has a report 'A toy'"):
        report.chapter(full())


def test_a_report_of_format_1_loads(tmp_path: Path) -> None:
    stored = full().to_dict() | {"format": 1, "fingerprint": full().fingerprint}
    for key in ("answer", "sections", "chapters"):
        del stored[key]
    (tmp_path / "report.json").write_text(json.dumps(stored))
    loaded = load_report(tmp_path)
    assert loaded.fingerprint == full().fingerprint
    assert loaded.sections == loaded.chapters == []


def test_a_section_of_items_that_are_not_there_is_damaged(tmp_path: Path) -> None:
    stored = arranged().to_dict()
    stored["sections"][0]["items"].append(["table", "Absent"])
    (tmp_path / "report.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="damaged"):
        load_report(tmp_path)
