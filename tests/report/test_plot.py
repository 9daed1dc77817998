from datetime import date
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.dates import date2num, num2date
from matplotlib.figure import Figure as Canvas

from engram.report import Figure
from engram.report.plot import draw
from engram.series import Series

A = Series("a", [1, 10, 100], [1.0, None, 3.0], "T", "Hz", "steps", [0.5, None, 2], [1.5, None, 5])
B = Series("b", [1, 10, 100], [4.0, 5.0, 6.0], "T", "Hz", "steps")
C = Series("c", ["LIF", "PSN"], [2.0, 4.0], "neuron", "Hz", low=[1.0, 3.5], high=[2.5, 6.0])
D = Series("d", ["PSN", "IF"], [1.0, 2.0], "neuron", "Hz")


def test_a_line_goes_through_its_values_and_breaks_at_gaps() -> None:
    axes = draw(Figure("f", ["a", "b"], x_log=True), [A, B])
    first, second = axes.lines
    np.testing.assert_array_equal(np.asarray(first.get_ydata()), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(np.asarray(second.get_ydata()), [4.0, 5.0, 6.0])
    np.testing.assert_array_equal(np.asarray(first.get_xdata()), [1, 10, 100])
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("T (steps)", "Hz")
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_an_interval_of_a_line_is_a_band() -> None:
    whole = Series("w", [1, 10], [1.0, 3.0], "T", low=[0.5, 2], high=[1.5, 5])
    axes = draw(Figure("f", ["w"]), [whole])
    (band,) = axes.collections
    assert isinstance(band, FillBetweenPolyCollection)
    corners = {tuple(corner) for path in band.get_paths() for corner in np.asarray(path.vertices)}
    assert {(1, 0.5), (1, 1.5), (10, 2), (10, 5)} <= corners


def test_a_value_between_gaps_is_a_mark_with_a_whisker() -> None:
    values = [1.0, 2.0, None, 4.0, None, *[5.0] * 40]
    ends = [value and value - 0.5 for value in values], [value and value + 1 for value in values]
    series = Series("s", range(len(values)), values, "T", low=ends[0], high=ends[1])
    axes = draw(Figure("f", ["s"]), [series])
    marks = axes.lines[0].get_markevery()
    assert isinstance(marks, list)
    assert 3 in marks
    assert 1 not in marks
    (whiskers,) = [c for c in axes.collections if isinstance(c, LineCollection)]
    assert [np.asarray(seg).tolist() for seg in whiskers.get_segments()] == [[[3, 3.5], [3, 5]]]


def test_bars_stand_side_by_side_at_their_category() -> None:
    axes = draw(Figure("f", ["c", "d"], kind="bar"), [C, D])
    patches: list[Any] = list(axes.patches)
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in patches]
    np.testing.assert_allclose(bars, [(-0.2, 2), (0.8, 4), (1.2, 1), (2.2, 2)])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["LIF", "PSN", "IF"]
    (whiskers,) = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    assert [seg[:, 1].tolist() for seg in whiskers[2][0].get_segments()] == [[1, 2.5], [3.5, 6]]


def test_intervals_lie_in_rows_from_the_top() -> None:
    axes = draw(Figure("f", ["c"], kind="interval", y_log=True), [C])
    (points,) = axes.containers
    assert isinstance(points, ErrorbarContainer)
    assert points[0].get_xdata().tolist() == [2, 4]
    assert points[0].get_ydata().tolist() == [0, 1]
    assert [seg[:, 0].tolist() for seg in points[2][0].get_segments()] == [[1, 2.5], [3.5, 6]]
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "c (Hz)", "neuron")


def test_dates_are_placed_by_the_calendar() -> None:
    axes = draw(Figure("f", ["x"]), [Series("x", ["2024-02-28", "2024-03-01"], [1, 2], "date")])
    first, last = np.asarray(axes.lines[0].get_xdata())
    assert last - first == date(2024, 3, 1) - date(2024, 2, 28)
    assert num2date(axes.get_xlim()[0]).year == 2024


@pytest.mark.parametrize("kind", ["line", "bar", "interval"])
def test_it_draws_on_the_axes_it_is_given(kind) -> None:
    axes = Canvas().subplots()
    figure = Figure("f", ["c"], kind=kind, x_label="kind of neuron", y_label="rate")
    assert draw(figure, [C], axes) is axes
    assert {axes.get_xlabel(), axes.get_ylabel()} == {"kind of neuron", "rate"}


def test_dollar_signs_are_no_mathematics() -> None:
    price = Series("from $1 to $2", ["$a$"], [1.0], "a $ or $ b")
    for kind in ("line", "bar", "interval"):
        axes = draw(Figure("f", [price.name], kind=kind), [price])
        axes.figure.canvas.draw()
        assert r"a \$ or \$ b" in (axes.get_xlabel(), axes.get_ylabel())


def test_long_names_under_bars_are_turned() -> None:
    names = [f"a rather long name {i}" for i in range(4)]
    axes = draw(Figure("f", ["x"], kind="bar"), [Series("x", names, [1, 2, 3, 4], "neuron")])
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {30}


def test_a_legend_leaves_out_what_all_names_end_in() -> None:
    drawn = [Series(f"{name}, over T", [1, 2], [1.0, 2.0], "T") for name in ("IF", "LIF", "PSN")]
    legend = draw(Figure("f", [series.name for series in drawn]), drawn).get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["IF", "LIF", "PSN"]


def bands(values: list[float], low: list[float], high: list[float], **names: Any) -> Series:
    return Series("s", range(len(values)), values, "year", low=low, high=high, **names)


@pytest.mark.parametrize("kind", ["line", "interval"])
def test_one_wide_interval_does_not_set_the_scale(kind) -> None:
    values, low, high = [100.0] * 40, [60.0] * 40, [150.0] * 40
    values[3], low[3], high[3] = 1000.0, 0.0, 5300.0  # a short document that says it once
    values[5], low[5], high[5] = 0.0, 0.0, 4000.0
    series = bands(values, low, high)
    axes = draw(Figure("f", ["s"], kind=kind, clip=True), [series])
    edge = axes.get_ylim()[1] if kind == "line" else axes.get_xlim()[1]
    assert 150 <= edge < 200
    (text,) = [text.get_text() for text in axes.texts]
    assert text.startswith("2 of 40 intervals cut, up to 5,300; ")
    assert text.endswith("1 beyond, up to 1,000")
    (marks,) = [c for c in axes.collections if isinstance(c, PathCollection)]
    ((x, y),) = np.asarray(marks.get_offsets()).tolist()
    assert (x, y)[kind == "interval"] == 3
    wide = draw(Figure("f", ["s"], kind=kind), [series])
    assert (wide.get_ylim() if kind == "line" else wide.get_xlim())[1] > 5000


def test_what_is_known_well_is_shown_however_high() -> None:
    values, low, high = [100.0] * 40, [60.0] * 40, [150.0] * 40
    values[3], low[3], high[3] = 1500.0, 900.0, 2400.0
    axes = draw(Figure("f", ["s"], clip=True), [bands(values, low, high)])
    assert axes.get_ylim()[1] > 1500
    calm = draw(Figure("f", ["s"], clip=True), [bands([1.0, 2, 3], [0.5, 1, 2], [2.0, 3, 4])])
    assert not calm.texts


def test_long_lines_have_no_marks_that_look_like_findings() -> None:
    long = Series("s", range(200), [1.0] * 200, "year")
    assert draw(Figure("f", ["s"]), [long]).lines[0].get_markevery() == []
    with pytest.raises(ValueError, match="clips bar"):
        Figure("f", ["s"], "bar", clip=True)


def test_points_are_marks_at_every_value_in_any_order() -> None:
    series = Series("s", [3.0, 1.0, 1.0], [0, 2, 2], "time")
    (line,) = draw(Figure("f", ["s"], "points"), [series]).lines
    assert line.get_linestyle() == "None"
    assert np.asarray(line.get_xydata()).tolist() == [[3, 0], [1, 2], [1, 2]]
    with pytest.raises(ValueError, match="clips points"):
        Figure("f", ["s"], "points", clip=True)


def test_the_last_day_of_all_can_be_drawn() -> None:
    series = Series("s", ["0001-01-01", "9999-12-31"], [1.0, 2.0], "date")
    axes = draw(Figure("f", ["s"]), [series])
    axes.figure.canvas.draw()
    assert axes.get_xlim()[1] <= date2num(date.max)
