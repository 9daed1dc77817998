"""Tables of one's own: what is read is what the rule says, what is refused is named by its cell."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from engram.policy.relate import read_table

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read(tmp_path, text, **options):
    path = tmp_path / "own.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, **options)


@pytest.mark.parametrize(
    "shape",
    [
        "{year}-{month:02}", "{year}M{month:02}", "{year}-{month:02}-01", "{year}{month:02}",
        "{month}/1/{year}", "{month:02}/{year}", "{name} {year}", "{year} {name}",
        "1.{month}.{year}", "{year}/{month:02}/28", "{name} 15, {year}", "15-{name}-{year}",
        "{year}-{month:02}-15T00:00",
    ],
)  # fmt: skip
def test_months_are_averaged_over_whole_years(tmp_path, shape):
    rng = np.random.default_rng(0)
    days = pd.date_range("1950-01-01", "1953-09-01", freq="MS")
    values = rng.standard_normal(len(days)).round(3)
    rows = [
        f'"{shape.format(year=day.year, month=day.month, name=MONTHS[day.month - 1])}",{value}'
        for day, value in zip(days, values, strict=True)
    ]
    found = read(tmp_path, "\n".join(["when,u", *rows]))
    theirs: Any = pd.Series(values, days).groupby(days.year).mean()
    (series,) = found.series
    assert series.index == (1950, 1951, 1952)
    assert series.values == pytest.approx(theirs[:3].to_numpy())
    assert any("1953 (9 of 12)" in note for note in found.notes)


@pytest.mark.parametrize(
    "shape", ["{year}Q{quarter}", "{year}-Q{quarter}", "Q{quarter} {year}", "{year}-{month:02}-01",
              "{year}-{month:02}"]
)  # fmt: skip
def test_quarters_are_averaged_over_whole_years(tmp_path, shape):
    rows = [
        f"{shape.format(year=year, quarter=quarter, month=3 * quarter - 2)},{year + quarter}"
        for year in (1950, 1951)
        for quarter in range(1, 5)
        if (year, quarter) != (1951, 3)
    ]
    found = read(tmp_path, "\n".join(["when,u", *rows]))
    assert found.series[0].index == (1950,)
    assert found.series[0].values == (1952.5,)
    assert any("1951 (3 of 4)" in note for note in found.notes)


def test_days_are_averaged_by_month_first(tmp_path):
    days = pd.date_range("1950-01-01", "1950-12-31")
    values = np.arange(len(days), dtype=float)
    rows = [f"{day.date()},{value}" for day, value in zip(days, values, strict=True)]
    (series,) = read(tmp_path, "\n".join(["day,u", *rows])).series
    monthly: Any = pd.Series(values, days).groupby(days.month).mean()
    theirs = monthly.mean()
    assert series.values == pytest.approx([theirs])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("y,u\n1950.0,1\n1951.0,2\n", (1, 2)),
        ("y;u\n1950;4,5\n1951;1.005,5\n", (4.5, 1005.5)),
        ("y;u\n1950;1.234\n1951;2.5\n", (1.234, 2.5)),
        ("y\tu\n1950\t1,234.5\n1951\t2\n", (1234.5, 2)),
        ('y,u\n1950,"1,150"\n1951,"1,234,567"\n', (1150, 1234567)),
        ("y,u\n1950,1 150\n1951,2\u202f300\n", (1150, 2300)),
        ("y,u\n1950,5%\n1951,6.5 %\n", (5, 6.5)),
        ('y,u\n1950,"$1,234"\n1951,$2\n', (1234, 2)),
        ("y,u\n1950,−1.5\n1951,+2e1\n", (-1.5, 20)),
        (",y,u\n0,1950,1\n1,1951,2\n", (1, 2)),
        ("# source: made\ny,u\n1950,1\n1951,2\n", (1, 2)),
        ("y,u\n1950,1\n1951,2\n\nSource: BLS, table 1, 2024\n* revised, 3\n", (1, 2)),
        ("y,u,\n1950,1,\n1951,2,\n", (1, 2)),
        ("y,u\r1950,1\r1951,2\r", (1, 2)),
        ("y,u\n1951,2\n1950,1\n", (2, 1)),
        (b"\xef\xbb\xbfy,u\r\n1950,1\r\n1951,2\r\n", (1, 2)),
        ("y,u\n1950,1\n1951,2\n".encode("utf-16"), (1, 2)),
    ],
)
def test_what_people_write_is_read(tmp_path, text, values):
    (series,) = read(tmp_path, text).series
    assert sorted(series.index) == [1950, 1951]
    by_year = dict(zip(series.index, series.values, strict=True))
    order = (1951, 1950) if values == (2, 1) else (1950, 1951)
    assert tuple(by_year[year] for year in order) == values


@pytest.mark.parametrize("mark", ["-", ".", "..", "NA", "n/a", "nan", "–", "", "null", "#N/A"])
def test_marks_for_no_value_are_gaps_and_are_told(tmp_path, mark):
    found = read(tmp_path, f"y,u\n1950,1\n1951,{mark}\n1952,3\n")
    assert found.series[0].index == (1950, 1952)
    assert bool(mark) == any(f"{mark!r} in 1 cell" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y,u\n1950,1\n1951,2\n1950,3\n", "line 4, column 'y' holds '1950', which line 2 holds"),
        ("y,c,u\n1950,US,1\n1950,UK,2\n", "line 3, column 'y'.*of a panel, keep the rows of one"),
        ("d,u\n1950-01,1\n1950-02,2\n1950-01,3\n", "line 4, column 'd' holds '1950-01'"),
        ("d,u\n1950-01-01,1\n1/1/1950,2\n", "line 3.*holds '1/1/1950'"),
        ("d,u\n1/2/1950,1\n2/3/1950,2\n", "line 2.*'1/2/1950', which may have the day or the"),
        ("d,u\n13/2/1950,1\n2/13/1951,2\n", "'13/2/1950', and line 3 holds '2/13/1951'"),
        ("y,u\n1950,1\n1951-02,2\n", "line 3.*'1951-02', a month, and line 2 holds '1950', a year"),
        ("y,u\n1950,1\nTotal,2\n", "line 3, column 'y' holds 'Total'.*next to '2'"),
        ("y,u\n1950,1\nnote,\n1951,2\n", "line 3, column 'y' holds 'note', which is not a period"),
        ("y,u\n50,1\n51,2\n", "line 2, column 'y' holds '50', which is not a period"),
        ("y,u\n1871.01,1\n1871.02,2\n", "'1871.01', which is not a period"),
        ("y,u\n1950Q5,1\n1951Q1,2\n", "'1950Q5', which is not a period"),
        ("y,u\n1950-13,1\n1951-01,2\n", "'1950-13', which is not a period"),
        ("c,y,u\nUS,1950,1\n", "line 2, column 'c' holds 'US'.*name another column"),
        ("y,u\n1950,1\n1951,six\n1952,3\n", "column 'u' holds 'six', which is not a number"),
        ("y,u\n1950,1\n1951,2*\n1952,3\n", r"line 3, column 'u' holds '2\*'"),
        ("y,u\n1950,5%\n1951,6\n", "line 3, column 'u' holds '6', but line 2 holds '5%'"),
        ("y,u\n1950,inf\n1951,2\n", "line 2, column 'u' holds 'inf'; give a finite number"),
        ('y,u\n1950,"4,5"\n1951,2\n', "line 2, column 'u' holds '4,5': a decimal comma"),
        ("y;u\n1950;1,234\n1951;2,345\n", "'1,234', which may have a thousands separator"),
        ("y;u\n1950;4,5\n1951;4.55\n", "'4,5': a decimal comma, but line 3"),
        ("y,u\n1950,1,234\n1951,2\n", "line 2 has 3 cells for 2 columns"),
        ("y,u,u\n1950,1,2\n", "line 1: 'u' is the header of two columns"),
        ("y,u\n1950,a\n1951,b\n", "no numeric column besides 'y': line 2, column 'u' holds 'a'"),
        ("y,u\n", "has a header and no rows"),
        ("", "is empty"),
        ("Unemployment\n\ny,u\n1950,1\n", "its first line is 'Unemployment'"),
        ("year,café\n1950,1\n".encode("latin-1"), "line 1, byte 8 is b'\\\\xe9'.*as UTF-8"),
        (b"y,u\n1950,\x001\n", "line 2 holds a NUL"),
        ("m,u\n1950-01,1\n1950-02,2\n", "no year with all 12 months"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_by_its_cell(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_columns_are_chosen_by_name(tmp_path):
    text = "c,when,a,b\nUS,1950,1,5\nUS,1951,2,6\n"
    found = read(tmp_path, text, year="when", columns=("b",))
    assert [one.name for one in found.series] == ["b"]
    both = read(tmp_path, text, year="when")
    assert [one.name for one in both.series] == ["a", "b"]
    assert any(
        note.endswith("c left out, because the column holds no numbers.") for note in both.notes
    )
    with pytest.raises(ValueError, match=r"no column \['z'\]; it has \['c', 'when'"):
        read(tmp_path, text, year="when", columns=("z",))
    with pytest.raises(ValueError, match="line 2, column 'c' holds 'US', which is not a number"):
        read(tmp_path, text, year="when", columns=("c",))
