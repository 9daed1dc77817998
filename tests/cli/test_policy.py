"""The commands of `engram policy`, end to end on a small record."""

import csv
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engram import cli
from engram.policy import ingest
from engram.policy.relate import INDICATORS
from engram.report import load_report

WORDS = (
    "the people of this nation ask for peace and for a lower tariff in every year " * 3
).split()


def speeches(folder: Path) -> Path:
    """Speeches of sixty years but one, whose words on taxes come and go."""
    dice = random.Random(0)
    folder.mkdir()
    for year in range(1800, 1860):
        for month in (3, 9):
            words = dice.choices(WORDS, k=120)
            for _ in range(dice.randint(0, 6)):
                words.insert(dice.randrange(len(words)), dice.choice(("tax cut,", "new duties,")))
            if year != 1812:
                (folder / f"{year}-{month:02}-10-address-{month}.txt").write_text(" ".join(words))
    return folder


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("record")
    ingest([speeches(folder / "in")], folder / "record", workers=1)
    return folder


@pytest.fixture(autouse=True)
def here(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(record)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("ENGRAM_SOLR_URL", raising=False)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["policy", *words]) == 0
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    return json.loads(said(capsys, *words, "--json"))


def test_ingest_says_what_was_added_and_that_nothing_is_new(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("ingest", str(record / "in"), "--store", str(tmp_path / "s"), "--workers", "1")
    assert told(capsys, *words)["documents"] == {"speech": 118}
    assert told(capsys, *words)["documents"] == {}
    lines = said(capsys, *words).splitlines()
    assert "nothing new" in lines[0]
    assert lines[-1] == str(tmp_path / "s")


def test_sources_lists_what_became_of_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "1800-01-01-x.txt").write_text("The tax.")
    (texts / "9999-01-01-x.txt").write_text("The tax to come.")
    (texts / "own.csv").write_text("Day,Speech\n2001-02-03,The tax.\n")
    store = ("--store", str(tmp_path / "s"))
    text = said(capsys, "ingest", str(texts), *store, "--workers", "1")
    assert "unread: 1 of 3 files" in text
    assert "1 .csv" in text
    assert "--map date=Day" in text
    assert f"engram policy sources --store {tmp_path / 's'} --show unread" in text
    assert "1 unread" in said(capsys, "sources", *store)
    for outcome, name in (("unread", "own.csv"), ("quarantined", "9999-01-01-x.txt")):
        assert name in said(capsys, "sources", *store, "--show", outcome)
        [row] = told(capsys, "sources", *store, "--show", outcome)[outcome]
        assert row["origin"] == str(texts / name)
    assert told(capsys, "sources", *store, "--show", "superseded")["superseded"] == []
    summary = told(capsys, "sources", *store)
    assert summary["documents"] == {"speech": 1}
    assert summary["quarantined"] == {"bad-date": 1}
    assert Path(summary["quarantine"]).is_dir()


@pytest.mark.parametrize("content", [{}, {"a.csv": "x"}, {"a.tar.zst": "x"}])
def test_an_input_of_which_nothing_can_be_read_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: dict[str, str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    store = ("--store", str(tmp_path / "s"), "--workers", "1")
    for _ in range(2):
        assert cli.main(["policy", "ingest", str(folder), *store]) == 1
        text = capsys.readouterr().out
        assert "nothing read" in text
        assert "nothing new" not in text
        assert ("statutes" in text) == bool(content), "the loaders that there are"


def test_tables_of_ones_own_are_mapped_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "hansard.csv"
    table.write_text("Day,Member,Speech\n9th January 2013,A,The tax.\n", encoding="utf-16")
    options = ("--store", str(tmp_path / "s"), "--workers", "1", "--date-format", "%d %B %Y")
    mapped = ("--map", "date=Day", "speaker=Member", "text=Speech")
    words = ("ingest", *options, "--encoding", "utf-16", *mapped, str(table))
    assert told(capsys, *words)["documents"] == {"speech": 1}, "a path behind --map is an input"
    rows = told(capsys, "query", "tax", "--by", "speaker", "--store", str(tmp_path / "s"))["rows"]
    assert [row["group"] for row in rows] == ["A"]
    assert cli.main(["policy", "ingest", str(table), *options]) == 2
    assert "--map" in capsys.readouterr().err
    for wrong in (("--map", "when=Day"), ("--map", "date=Day", "date=Speech")):
        assert cli.main(["policy", "ingest", str(table), *options, *wrong]) == 2
        capsys.readouterr()


def test_an_option_does_not_swallow_the_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("ingest", "--store", str(tmp_path / "s"), "--workers", "1", "--loaders")
    assert told(capsys, *words, "presidential-speeches", "in")["documents"] == {"speech": 118}
    assert cli.main(["policy", *words, "hansard"]) == 2
    assert "hansard" in capsys.readouterr().err


@pytest.mark.parametrize(("limit", "documents"), [("100", 0), ("1MB", 118), ("2 KiB", 118)])
def test_the_longest_record_is_set_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: str, documents: int
) -> None:
    words = ("ingest", "in", "--store", str(tmp_path / "s"), "--workers", "1", "--limit", limit)
    assert sum(told(capsys, *words)["documents"].values()) == documents
    assert cli.main(["policy", *words[:-1], "much"]) == 2
    assert "much" in capsys.readouterr().err


def test_query_counts_by_year_and_lists_documents(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "query", '"tax cut"', "--facets", "type", "--documents", "2")
    rows = {row["group"]: row for row in found["rows"]}
    assert list(rows) == list(range(1800, 1860))
    assert rows[1812]["value"] is None
    texts = [(Path("in") / f"1820-{month}-10-address-{int(month)}.txt").read_text()
             for month in ("03", "09")]  # fmt: skip
    assert rows[1820]["occurrences"] == sum(text.count("tax cut") for text in texts)
    assert rows[1820]["all_tokens"] == sum(len(text.split()) for text in texts)
    (total,) = found["total"]
    assert total["occurrences"] == sum(row["occurrences"] for row in rows.values())
    assert found["facets"]["type"]["rows"][0]["occurrences"] == total["occurrences"]
    assert len(found["documents"]) == 2
    twice = ("--by", "type", "--facets", "type", "party", "party")
    assert said(capsys, "query", "tax", *twice).count("frequency by type") == 1
    text = said(capsys, "query", '"tax cut"', "--by", "congress", "--measure", "share")
    assert "Documents with the most occurrences" in text
    assert "Wilson" in text
    assert "1812" in said(capsys, "query", '"tax cut"').partition("Gaps")[2]
    assert "by year" not in said(capsys, "query", "duty", "--by", "all", "--interval", "bootstrap")


def test_context_puts_the_matches_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "context", "tax", "--limit", "3", "--offset", "1")
    assert [row["match"] for row in found["rows"]] == ["tax"] * 3
    lines = said(capsys, "context", "tax", "--limit", "4").splitlines()
    passages = [line for line in lines if line.startswith(" ")]
    assert [line[68:71] for line in passages] == ["tax"] * 4
    assert lines[-1] == f"1–4 of {found['total']} occurrences"
    assert "none of 0" in said(capsys, "context", "zebra")


def test_compare_prints_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("compare", '"tax cut"', "duty", "--names", "cut", "duty", "--by", "congress")
    found = told(capsys, *words)
    (ratio,) = found["ratios"]
    assert (ratio["query"], ratio["base"], ratio["paired"]) == ("duty", "cut", True)
    assert ratio["low"] < ratio["value"] < ratio["high"]
    assert found["queries"] == {"cut": '"tax cut"', "duty": "duty"}
    assert "Ratio of rates" in said(capsys, *words)


def test_coverage_names_the_years_without_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "coverage")["gaps"] == [1812]
    assert told(capsys, "coverage", "date:1820..", "--by", "congress")["gaps"] == []
    assert "Of 60 years, 1 have no documents." in said(capsys, "coverage")


def test_export_writes_the_rows_that_query_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(tmp_path / f"f{suffix}") for suffix in (".csv", ".json", ".png")]
    lines = said(capsys, "export", '"tax cut"', "--out", *paths).splitlines()
    assert lines == paths
    rows = told(capsys, "query", '"tax cut"')["rows"]
    assert json.loads(Path(paths[1]).read_text())["rows"] == rows
    with Path(paths[0]).open(newline="") as file:
        stored = list(csv.DictReader(file))
    assert [row["low"] for row in stored] == [
        "" if row["low"] is None else str(row["low"]) for row in rows
    ]
    assert Path(paths[2]).read_bytes().startswith(b"\x89PNG")
    for what in ("coverage", "context"):
        path = str(tmp_path / f"{what}.csv")
        assert told(capsys, "export", "tax", "--what", what, "--out", path) == {"written": [path]}


def test_relate_reports_what_may_be_concluded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(1)
    table = tmp_path / "own.csv"
    lines = [f"{year},{dice.gauss(0, 1)}" for year in range(1800, 1860)]
    table.write_text("\n".join(["year,rain", *lines]))
    words = ["relate", '"tax cut"', "--names", "cut", "--table", str(table), "--lags", "1"]
    text = said(capsys, *words, "--out", str(tmp_path / "r"))
    assert "May not be concluded" in text
    assert text.splitlines()[-1] == str(tmp_path / "r" / "report.html")
    report = load_report(tmp_path / "r")
    assert report.provenance.settings["queries"] == {"cut": '"tax cut"'}
    assert set(report.provenance.data) == {"own.csv", "record"}
    assert report.tables[0].rows[0][:2] == ("cut", "rain")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("query", "(tax"), "add ')'\n  (tax\n  ^\n"),
        (("compare", "tax", 'the "tax'), 'the "tax\n      ^\n'),
        (("query", "tax", "--store", "nowhere"), "name a store, or ingest first"),
        (("query", "tax", "--engine", "solr"), "ENGRAM_SOLR_URL"),
        (("query", "tax", "--names", "a", "b"), "number of names: 2, number of queries: 1"),
        (("compare", "tax"), "give two or more"),
        (("compare", "tax", "tax"), "only once"),
        (("export", "tax", "duty", "--what", "coverage"), "give one query"),
        (("export", "tax", "--out", "a.doc"), "one of .csv, .json, .png"),
        (("export",), "no query was given"),
        (("ingest",), "no input was given"),
        (("ingest", "nothing-here", "--store", "new"), "nothing-here"),
        (("relate", "tax", "--indicators", "grwth"), "did you mean 'growth'"),
        (("solr", "push"), "ENGRAM_SOLR_URL"),
    ],
)
def test_a_mistake_names_the_remedy(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["policy", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


def test_solr_that_is_down_is_an_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://127.0.0.1:9/solr/engram"
    assert cli.main(["policy", "query", "tax", "--engine", "solr", "--solr-url", url]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: Solr at {url}")
    assert error.count("\n") == 1


def test_help_names_the_indicators(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["policy", "relate", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in INDICATORS)


@pytest.mark.parametrize(
    "words", [("--help",), ("query", "tax cut"), ("context", "tax"), ("coverage",)]
)
def test_the_commands_never_load_torch(record: Path, words: tuple[str, ...]) -> None:
    script = (
        "import sys\nfrom engram.cli import main\n"
        f"try: main({['policy', *words]!r})\nexcept SystemExit: pass\n"
        "print(*{'torch', 'matplotlib', 'pandas', 'statsmodels'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=record)
    assert done.stdout.splitlines()[-1] == ""


def test_relating_and_drawing_never_load_torch(record: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom engram.cli import main\n"
        f"main(['policy', 'export', 'tax', '--out', {str(tmp_path / 'f.png')!r}])\n"
        "import engram.policy.relate\nprint(*{'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=record)
    assert done.stdout.splitlines()[-1] == ""
