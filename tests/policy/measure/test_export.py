"""What is exported is what is drawn."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from engram.policy.engine import Engine
from engram.policy.measure import coverage, draw, facets, frequency, records, write
from engram.policy.measure.drawing import caption_of, title_of
from engram.policy.measure.export import Answer


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float:
    return float(text) if text else np.nan


@pytest.mark.parametrize("by", ["year", "month", "congress"])
def test_a_drawing_goes_through_the_rows_of_the_csv(embedded, tmp_path: Path, by: str) -> None:
    answer = frequency(embedded, ["raise", "cut*"], by)
    rows = rows_of(write(answer, tmp_path / "f.csv"))
    axes = draw(answer)
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {"raise", "cut*"}
    for name, line in lines.items():
        mine = [row for row in rows if row["query"] == name]
        drawn = np.asarray(line.get_ydata(), dtype=float)
        np.testing.assert_array_equal(drawn, [number(row["value"]) for row in mine])
        if by != "month":
            assert np.asarray(line.get_xdata()).tolist() == [float(row["group"]) for row in mine]
    heights = {
        y for band in axes.collections for p in band.get_paths() for _, y in np.asarray(p.vertices)
    }
    assert {number(row["high"]) for row in rows if row["high"]} <= heights
    assert axes.get_ylabel() == "per million tokens"


def test_names_are_drawn_as_points_with_whiskers(embedded: Engine, tmp_path: Path) -> None:
    answer = facets(embedded, "tax", ("type",))["type"]
    rows = rows_of(write(answer, tmp_path / "f.csv"))
    axes = draw(answer)
    assert [label.get_text() for label in axes.get_yticklabels()] == [row["group"] for row in rows]
    points = axes.lines[0]
    assert np.asarray(points.get_xdata()).tolist() == [float(row["value"]) for row in rows]


def test_a_composition_is_drawn_from_its_rows(embedded: Engine, tmp_path: Path) -> None:
    answer = coverage(embedded, by="year")
    rows = rows_of(write(answer, tmp_path / "c.csv"))
    mine: list[float] = []
    for line in draw(answer).lines:
        mine = [number(row["share_tokens"]) for row in rows if row["type"] == line.get_label()]
        np.testing.assert_array_equal(np.asarray(line.get_ydata(), dtype=float), mine)
    assert np.isnan(mine).any()


def test_json_holds_the_rows_and_what_was_asked(embedded: Engine, tmp_path: Path) -> None:
    answers: list[Answer] = [
        frequency(embedded, {"up": "raise"}, "congress"),
        coverage(embedded),
        embedded.context("tax", limit=7),
    ]
    for answer in answers:
        stored = json.loads(write(answer, tmp_path / "a.json").read_text())
        assert stored["rows"] == records(answer)
        assert len(rows_of(write(answer, tmp_path / "a.csv"))) == len(stored["rows"])
    stored = json.loads(write(answers[0], tmp_path / "a.json").read_text())
    assert stored["queries"] == {"up": "raise"}
    assert stored["unit"] == "per million tokens"


def test_a_png_is_a_picture_and_the_same_each_time(embedded: Engine, tmp_path: Path) -> None:
    for answer in (frequency(embedded, "tax"), facets(embedded, "tax", ("speaker",))["speaker"]):
        one, other = (write(answer, tmp_path / name).read_bytes() for name in ("1.png", "2.png"))
        assert one == other
        pixels = matplotlib.image.imread(tmp_path / "1.png")
        assert pixels.shape[1] == 1200
        assert np.ptp(pixels[..., :3]) == 1


def test_mistakes_name_the_remedy(embedded: Engine, tmp_path: Path) -> None:
    answer = frequency(embedded, "tax date:1700")
    with pytest.raises(ValueError, match="nothing to plot"):
        write(answer, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"\.csv, \.json, \.png"):
        write(answer, tmp_path / "a.xlsx")
    with pytest.raises(ValueError, match=r"one of \.csv, \.json$"):
        write(embedded.context("tax"), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_drawing_says_what_it_shows(embedded: Engine) -> None:
    answer = frequency(embedded, {"up": "raise"}, "year")
    what, counted = title_of(answer, "store record")
    (whole,) = frequency(embedded, "raise", None).rows
    assert what == "up: raise, by year"
    assert counted.startswith(
        f"store record: {whole.all_documents:,} documents of {whole.all_tokens:,} tokens, "
    )
    caption = caption_of(answer)
    assert caption.startswith("Bands: 95% intervals: quasi-Poisson")
    single = sum(row.all_documents == 1 for row in answer.rows)
    gaps = sum(row.all_documents == 0 for row in answer.rows)
    assert f"{single} of {len(answer.rows) - gaps} values come from the only document" in caption
    assert f"interrupted at {gaps} years without documents" in caption
    parties = frequency(embedded, "raise", "party")
    assert caption_of(parties).startswith("Whiskers: 95%")
    assert "tokens of each period" in caption_of(coverage(embedded))


def test_a_cell_of_csv_stands_on_one_line(embedded: Engine, tmp_path: Path) -> None:
    found = embedded.context("tax", limit=50)
    broken = replace(
        found, passages=tuple(replace(one, left=f"a\r\nb\t{one.left}") for one in found.passages)
    )
    path = write(broken, tmp_path / "c.csv")
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(found.passages) + 1
    assert all(row["left"].startswith("a b ") for row in rows_of(path))
