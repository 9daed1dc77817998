from io import StringIO

from rich.console import Console

from engram.report import Figure, Published, Report, Scalar, Table, print_bars, print_report
from engram.series import Series


def shown(report: Report) -> str:
    console = Console(file=StringIO(), width=120)
    print_report(report, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_scalars_tables_and_notes_are_printed() -> None:
    report = Report("toy", "A [bold]toy[/bold]", "Is it?")
    paper = Published(0.8, "A paper", "fewer epochs")
    report.add(Scalar("accuracy", 0.75, low=0.7, high=0.8, published=paper), Scalar("n", 12))
    report.add(Table("Sizes", ["name", "n"], [("a [b]", 1), ("c", None)], "How big."))
    report.note("A [note].")
    text = shown(report)
    for words in (
        "A [bold]toy[/bold]",
        "Is it?",
        "0.700 to 0.800",
        "0.8 (A paper; differs: fewer epochs)",
        "a [b]",
        "How big.",
        "A [note].",
    ):
        assert words in text


def test_columns_that_no_scalar_fills_are_left_out() -> None:
    report = Report("toy")
    report.add(Scalar("n", 12))
    text = shown(report)
    assert "value" in text
    assert "published" not in text
    assert "interval" not in text


def test_a_partial_report_says_what_is_missing() -> None:
    report = Report("toy")
    report.provenance.missing = "2 of 3 pieces"
    assert "Partial report. Missing: 2 of 3 pieces" in shown(report)
    report.provenance.status = "complete"
    assert "Partial" not in shown(report)


def test_an_empty_table_shows_its_headings() -> None:
    report = Report("toy")
    report.add(Table("Sizes", ["name", "n"], []))
    assert "name" in shown(report)


def test_bars_are_as_long_as_their_values() -> None:
    console = Console(file=StringIO(), width=120)
    series = Series(
        "energy", ["a [b]", "c", "d", "e"], [4.0, 2.0, None, 0.0], axis="part", unit="µJ"
    )
    print_bars(Figure("Energy [x]", ["energy"], "bar", caption="How much."), [series], console)
    assert isinstance(console.file, StringIO)
    title, *bars, caption = console.file.getvalue().splitlines()
    assert title.strip() == "Energy [x]"
    assert caption.strip() == "How much."
    assert [line.count("█") for line in bars] == [40, 20, 0, 0]
    assert [line.split("█")[0].strip() for line in bars[:2]] == ["a [b]", "c"]
    assert "–" in bars[2]


def test_bars_of_several_series_have_their_names() -> None:
    console = Console(file=StringIO(), width=120)
    drawn = [Series(name, [1, 2], [0, 0], axis="part") for name in ("first", "second")]
    print_bars(Figure("Both", ["first", "second"], "bar"), drawn, console)
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "Both: first" in text
    assert "Both: second" in text


def test_the_answer_comes_first_and_sections_in_their_order() -> None:
    report = Report("toy", "A toy", "Is it?")
    report.add(Scalar("loose", 3.0))
    section = report.section("Findings")
    section.add(Table("Early", ["n"], [(1,)]), Scalar("a", 1.0), Scalar("b", 2.0))
    section.note("Between.")
    section.add(Table("Later", ["n"], [(2,)]))
    report.note("Last.")
    report.answer("It is.")
    report.chapter(Report("part", "A part"))
    text = shown(report)
    words = [
        "Is it?",
        "It is.",
        "loose",
        "Findings",
        "Early",
        "Between.",
        "Later",
        "Last.",
        "A part",
    ]
    order = [text.index(word) for word in words]
    assert order == sorted(order)
