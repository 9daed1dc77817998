import re
from html.parser import HTMLParser

import pytest
from matplotlib import rc_context

from engram.report import Figure, Provenance, Report, Scalar, Table
from engram.report.html import render
from engram.report.svg import VARIABLES
from engram.series import Series

VOID = {"meta", "link"}


class Page(HTMLParser):
    """Collects the elements of a page, and checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, *names: str) -> list[str]:
        return [a[name] or "" for _, a in self.elements for name in names if name in a]


@pytest.fixture
def report() -> Report:
    source = Provenance({"seed": 1}, 1, {"digits": "00ff"}, started="2026-01-02T03:04:05+00:00")
    report = Report("toy", "<b>Title</b>", "Is 1 < 2 & 'so'?", source)
    report.add(Scalar("<script>", 0.5, low=0.4, high=0.6))
    for name in ("a", "b"):
        report.add(Series(name, [1, 2, 3], [1, 2, 3], low=[0, 1, 2], high=[2, 3, 4]))
    for kind in ("line", "bar", "interval"):
        report.add(Figure(f"{kind} & more", ["a", "b"], kind=kind))
    report.add(Table("Sizes", ["name", "n"], [("x<y", 1), ("z", 22)]))
    report.note("<img src=x onerror=alert(1)>")
    return report


def test_the_page_asks_for_nothing_from_elsewhere(report: Report) -> None:
    page = Page(render(report))
    assert not page.all("script")
    assert not page.all("img")
    assert all(link.startswith(("#", "data:")) for link in page.values("href", "src", "xlink:href"))
    assert not re.search(r"@import|url\((?!#)", render(report))


def test_the_answer_comes_first_and_sections_in_their_order(report: Report) -> None:
    report.answer("It is <so>.")
    section = report.section("First & foremost")
    section.add(Table("Early", ["n"], [(1,)]))
    section.note("Between.")
    section.add(Figure("Later", ["a"]))
    report.chapter(Report("part", "A part", "And this?"))
    report.chapters[0].answer("That too.")
    report.chapters[0].add(Scalar("x", 1.0))
    page = Page(render(report))
    texts = [text for text in page.texts if text]
    order = [texts.index(text) for text in ("It is <so>.", "Results", "First & foremost")]
    order += [texts.index(text) for text in ("2. Early", "Between.", "4. Later", "Notes")]
    order += [texts.index(text) for text in ("A part", "And this?", "That too.")]
    assert order == sorted(order)
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_what_the_study_wrote_is_escaped(report: Report) -> None:
    page = Page(render(report))
    for text in ("<b>Title</b>", "<script>", "x<y", "<img src=x onerror=alert(1)>"):
        assert text in page.texts


def test_ids_are_unique_and_references_lead_to_them(report: Report) -> None:
    page = Page(render(report))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [link[1:] for link in page.values("href") if link.startswith("#")]
    links += re.findall(r"url\(#([^)]*)\)", render(report))
    links += " ".join(page.values("aria-labelledby")).split()
    assert links
    assert set(links) <= set(ids)


def test_drawings_take_their_colours_from_the_page(report: Report) -> None:
    text = render(report)
    assert not any(sentinel in text for sentinel in VARIABLES)
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawings)) == set()
    for variable in re.findall(r"var\((--[a-z0-9-]+)\)", text):
        assert len(re.findall(rf"{variable}:", text)) >= 2


def test_drawings_are_described(report: Report) -> None:
    page = Page(render(report))
    assert len(page.all("svg")) == 3
    assert all(svg["role"] == "img" for svg in page.all("svg"))
    assert "line & more" in page.texts
    assert any("a: 3 values from 1 to 3" in text for text in page.texts)


def test_the_page_fits_a_phone_and_both_themes(report: Report) -> None:
    text = render(report)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in Page(text).all(
        "meta"
    )
    assert "prefers-color-scheme: dark" in text


def test_numbers_are_set_apart_from_text(report: Report) -> None:
    text = render(report)
    assert re.search(r'<th scope="row">x&lt;y</th>\s*<td class="number">1</td>', text)


def test_the_same_report_gives_the_same_page_in_any_style(report: Report) -> None:
    page = render(report)
    with rc_context({"font.size": 20, "svg.fonttype": "path", "axes.grid": True}):
        assert render(report) == page


def test_a_partial_report_says_so_and_an_empty_one_is_a_page(report: Report) -> None:
    report.provenance.missing = "2 of 3 pieces of work"
    assert "Missing: 2 of 3 pieces of work." in render(report)
    empty = render(Report("empty"))
    assert "Missing: the remaining work of the run." in empty
    assert not Page(empty).all("table")
    report.provenance.status = "complete"
    assert "Partial report" not in render(report)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "0.5 s"), (42.3, "42 s"), (1800, "30 min"), (9000, "2 h 30 min")]
)
def test_a_duration_is_told_in_its_own_unit(report: Report, seconds: float, text: str) -> None:
    report.provenance.duration_s = seconds
    assert f"<li>{text} of work</li>" in render(report)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_lines_stand_out_from_the_paper(report: Report, theme: int) -> None:
    block = re.findall(r":root \{(.*?)\}", render(report), re.DOTALL)[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    assert len([name for name in colours if name.startswith("series-")]) == 6

    def contrast(name: str, paper: str = "paper") -> float:
        bright, dim = sorted(map(luminance, (colours[name], colours[paper])), reverse=True)
        return (bright + 0.05) / (dim + 0.05)

    for name in ("ink", "soft", "accent"):
        assert contrast(name) >= 4.5, name
    assert contrast("warn", "warn-paper") >= 4.5
    for number in range(1, 7):
        assert contrast(f"series-{number}") >= 3, number
