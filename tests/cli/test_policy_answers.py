"""What the commands print, write and take as words of an option."""

import csv
import json
import random
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from engram import cli
from engram.cli import tree
from engram.cli.words import repeat_options
from engram.policy import ingest
from engram.report import load_report

WORDS = (
    "the people of this nation ask for peace and for a lower tariff in every year " * 3
).split()


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speeches a year, 1800-1849, with line breaks in them."""
    folder = tmp_path_factory.mktemp("record")
    dice = random.Random(0)
    (folder / "in").mkdir()
    for year in range(1800, 1850):
        for month in (3, 9):
            words = dice.choices(WORDS, k=120)
            for _ in range(dice.randint(0, 6)):
                words.insert(dice.randrange(len(words)), dice.choice(("tax\ncut,", "new duties,")))
            path = folder / "in" / f"{year}-{month:02}-10-address-{month}.txt"
            path.write_text(" ".join(words))
    ingest([folder / "in"], folder / "record", workers=1)
    return folder


@pytest.fixture(autouse=True)
def here(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(record)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("ENGRAM_SOLR_URL", raising=False)
    monkeypatch.delenv("ENGRAM_DATA", raising=False)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["policy", *words]) == 0
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    return json.loads(said(capsys, *words, "--json"))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["policy", *words]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("export --out a.csv tax", "export --out a.csv tax"),
        ("export --out a.csv b.png tax", "export --out a.csv --out b.png tax"),
        ("export tax --out a.csv,b.json", "export tax --out a.csv --out b.json"),
        ("export tax --out=a.csv --out=b.png", "export tax --out a.csv --out b.png"),
        ("export --out a.doc tax", "export --out a.doc tax"),
        ("query --facets type tax", "query --facets type tax"),
        ("query tax --facets type party", "query tax --facets type --facets party"),
        ("query tax --facets type,party", "query tax --facets type --facets party"),
        ("query --store s --facets type tax", "query --store s --facets type tax"),
        ("ingest --loaders hein DIR", "ingest --loaders hein DIR"),
        ("ingest --loaders hein govtrack DIR", "ingest --loaders hein --loaders govtrack DIR"),
        ("compare a b --names one two", "compare a b --names one --names two"),
        ("compare --names one a b", "compare --names one a b"),
        ("compare --json a b --names one two --by year",
         "compare --json a b --names one --names two --by year"),
        ("relate --indicators growth debt tax", "relate --indicators growth --indicators debt tax"),
        ("relate --columns a,b --table t.csv tax", "relate --columns a,b --table t.csv tax"),
        ("relate --out r tax", "relate --out r tax"),
        ("ingest --map date=Day text=Speech DIR", "ingest --map date=Day --map text=Speech DIR"),
        ("query tax --facets", "query tax --facets"),
        ("coverage tax", "coverage tax"),
    ],
)  # fmt: skip
def test_an_option_takes_only_words_of_its_kind(words: str, expected: str) -> None:
    command, *rest = words.split()
    found = repeat_options(rest, tree.load(f"policy {command}"))
    assert [command, *found] == expected.split()


def test_other_commands_are_left_as_they_are() -> None:
    command = make_dataclass("Run", [("tasks", tuple[str, ...]), ("out", str)])
    words = ["--tasks", "smnist", "spoken-digits", "--out", "a.csv", "b.csv"]
    assert repeat_options(words, command) == words


def test_the_next_argument_is_not_swallowed(tmp_path, capsys) -> None:
    path = str(tmp_path / "a.csv")
    assert told(capsys, "export", "--out", path, "tax") == {"written": [path]}
    found = told(capsys, "query", "--facets", "type", "tax", "--documents", "0")
    assert list(found["facets"]) == ["type"]
    words = ("ingest", "--loaders", "presidential-speeches", "in", "--store", str(tmp_path / "s"))
    assert told(capsys, *words)["documents"] == {"speech": 100}


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_no_line_is_wider_than_the_terminal_and_no_number_cut(width, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    for words in (
        ("query", "tax", "--documents", "0", "--by", "president"),
        ("query", "tax", "--documents", "0", "--facets", "type"),
        ("compare", "tax", "duty", "--by", "decade"),
        ("coverage", "--by", "decade"),
    ):
        text = said(capsys, *words)
        assert "…" not in text.replace("  … ", "").replace(" …\n", "\n")
        lines = [line for line in text.splitlines() if not line.startswith("First occurrence")]
        assert max(map(cell_len, lines)) <= int(width)


def test_query_says_when_something_is_said_first(capsys) -> None:
    days = sorted(path.name[:10] for path in Path("in").iterdir() if "tax\ncut" in path.read_text())
    found = told(capsys, "query", '"tax cut"', "--by", "decade", "--limit", "2")
    assert found["first"]["date"] == days[0]
    assert len(found["rows"]) == 2
    assert "2 of 5 groups" in found["notes"][-1]
    text = said(capsys, "query", '"tax cut"', "--by", "decade")
    assert f"First occurrence {days[0]}: Address" in text
    assert "1840s" in text
    assert "First occurrence" not in said(capsys, "query", "zebra", "--by", "all")
    assert told(capsys, "query", "zebra")["first"] is None


def test_compare_gives_intervals_and_ratios_by_group(capsys) -> None:
    found = told(capsys, "compare", "tax", "duty", "--by", "decade", "--names", "t", "d")
    decades = [ratio["group"] for ratio in found["ratios_by_group"]]
    assert decades == [1800, 1810, 1820, 1830, 1840]
    assert all(ratio["low"] < ratio["value"] < ratio["high"] for ratio in found["ratios_by_group"])
    text = said(capsys, "compare", "tax", "duty", "--by", "decade")
    assert "Ratio of rates per token by decade" in text
    assert " to " in text


def test_the_width_of_a_context_is_the_one_asked_for(capsys) -> None:
    for width in (0, 5, 200):
        text = said(capsys, "context", "tax", "--limit", "3", "--width", str(width))
        lines = text.splitlines()
        assert lines[0] == "In order of date, the earliest first"
        passages = [line for line in lines if line.startswith(" ")]
        assert [line[width + 2 : width + 5] for line in passages] == ["tax"] * 3
        assert all(len(line) <= 2 * width + 6 for line in passages)
        rows = told(capsys, "context", "tax", "--limit", "3", "--width", str(width))["rows"]
        assert all(len(row["left"]) <= width for row in rows)
    assert "width is -1" in refused(capsys, "context", "tax", "--width", "-1")


def test_export_writes_every_passage_on_one_line_or_says_what_it_leaves_out(
    tmp_path, capsys
) -> None:
    total = told(capsys, "query", "tax")["total"][0]["occurrences"]
    path = tmp_path / "c.csv"
    words = ("export", "tax", "--what", "context", "--out", str(path))
    assert cli.main(["policy", *words]) == 0
    assert capsys.readouterr().err == ""
    assert len(path.read_text().splitlines()) == total + 1
    with path.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == total
    assert cli.main(["policy", *words, "--limit", "7", "--force"]) == 0
    assert f"7 of {total} passages written" in capsys.readouterr().err
    assert len(path.read_text().splitlines()) == 8
    found = told(capsys, *words, "--limit", "7", "--force")
    assert found["left_out"].startswith(f"7 of {total}")


def test_export_does_not_overwrite_silently(tmp_path, capsys) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    message = refused(capsys, "export", "tax", "--out", str(tmp_path / "b.csv"), str(path))
    assert "a.csv already exists; use --force to replace it" in message
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "mine"
    said(capsys, "export", "tax", "--out", str(path), "--force")
    assert path.read_text().startswith("query,")
    (tmp_path / "x.csv").mkdir()
    message = refused(capsys, "export", "tax", "--out", str(tmp_path / "x.csv"), "--force")
    assert "x.csv is a folder" in message


def test_a_year_far_away_does_not_stop_a_drawing(tmp_path, capsys) -> None:
    for day in ("2001-01-01", "9999-12-31"):
        (tmp_path / f"{day}-a.txt").write_text("The tax cut.")
    ingest([tmp_path], tmp_path / "s", workers=1)
    store = ("--store", str(tmp_path / "s"))
    paths = [str(tmp_path / name) for name in ("x.png", "x.csv")]
    assert said(capsys, "export", "tax", "--by", "month", *store, "--out", *paths)
    assert Path(paths[0]).read_bytes().startswith(b"\x89PNG")
    assert len(said(capsys, "query", "tax", *store).splitlines()) < 80


def test_relate_takes_a_table_of_ones_own_by_year_and_columns(tmp_path, capsys) -> None:
    dice = random.Random(1)
    rows = [f"US,{year},{dice.gauss(0, 1)},5" for year in range(1800, 1850)]
    table = tmp_path / "own.csv"
    table.write_text("\n".join(["country,year,rain,flat", *rows, "Source: me,,,"]))
    words = ["relate", "tax", "--table", str(table), "--lags", "1", "--out", str(tmp_path / "r")]
    assert "line 2, column 'country' holds 'US', which is not a period" in refused(capsys, *words)
    text = said(capsys, *words, "--year", "year")
    assert "Anything about flat: 'flat' never changes: it is always 5" in " ".join(text.split())
    assert "line 52 read as a footnote ('Source: me')" in " ".join(text.split())
    report = load_report(tmp_path / "r")
    assert [row[1] for row in report.tables[0].rows] == ["rain"]
    message = refused(capsys, *words, "--year", "year", "--columns", "flat", "--fresh")
    assert "nothing is left to relate: 'flat' never changes" in message
    assert "name it as table (--table)" in refused(capsys, "relate", "tax", "--year", "year")


def test_relate_sees_that_it_cannot_write_before_it_computes(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("engram.studies.relate.frequency", lambda *_, **__: pytest.fail("computed"))
    (tmp_path / "file").write_text("")
    assert "file" in refused(capsys, "relate", "tax", "--out", str(tmp_path / "file"))
    assert "file" in refused(capsys, "export", "tax", "--out", str(tmp_path / "file" / "a.csv"))


def test_relate_has_the_federal_series_at_hand(tmp_path, capsys) -> None:
    message = refused(capsys, "relate", "tax", "--indicators", "unemployment")
    assert "take bls-unemployment, which comes with Engram" in message
    words = ("relate", "tax", "--indicators", "treasury-surplus", "--lags", "1")
    text = said(capsys, *words, "--out", str(tmp_path / "r"))
    assert "federal surplus: Receipts less outlays" in " ".join(text.split())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tax type:vote", "no document of the record has the type 'vote'; there are speech"),
        ("tax type:{vote, speech}", "no document of the record has the type 'vote'"),
        ("tax date:1500..1600", "the record runs from 1800 to 1849"),
        ("tax congress:90", "no document of the record lies in congress:90..90"),
        ("tax date:1801 congress:20", "no document of the record passes all filters of the query"),
    ],
)
@pytest.mark.parametrize("command", ["query", "context", "coverage"])
def test_filters_that_admit_no_document_are_named(
    capsys: pytest.CaptureFixture[str], command: str, query: str, expected: str
) -> None:
    out = said(capsys, command, query)
    assert "".join(out.split()).count("".join(expected.split())) == 1
    assert "too few documents" not in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("query", "tax", "--seed", "-1"), "seed is -1"),
        (("query", "tax", "--names", " "), "a name is empty"),
        (("query", "tax", "--documents", "-1"), "limit is -1"),
        (("query", "tax", "--store", ""), "'' names no store"),
        (("query", "tax", "--store", "a\0b"), "names no store"),
        (("query", "tax", "--store", "tcp://127.0.0.1:1"), "give a folder or an s3:// URL"),
        (("context", "tax", "--width", "9" * 20), "width is 9"),
        (("export", "tax", "--what", "context", "--width", "-1", "--out", "w.csv"), "width is -1"),
        (("export", "tax", "--what", "context", "--limit", "-1", "--out", "w.csv"), "limit is -1"),
        (("relate", "tax", "--lags", "51"), "lags is 51"),
        (("relate", "tax", "--seed", "-1"), "seed is -1"),
        (("ingest", "in", "--store", "new", "--workers", "9" * 20), "workers is 9"),
        (("ingest", "in", "--store", "new", "--workers", "x"), "workers is 'x'"),
        (("ingest", "in", "--store", ""), "'' names no store"),
        (("ingest", "", "--store", "new"), "the name of an input is empty"),
    ],
)
def test_values_that_cannot_be_are_refused_on_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    assert cli.main(["policy", *words]) == 2
    refusal = capsys.readouterr().err.strip()
    assert expected in refusal
    assert len(refusal.splitlines()) == 1
