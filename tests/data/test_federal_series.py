"""The table of federal series, against published figures, statutes, and the files behind it."""

import csv
import os
from itertools import pairwise
from pathlib import Path

import pytest

from engram import data
from engram.data.federal_series import COLUMNS, HEADER, TOP_RATES, build


def table() -> dict[int, dict[str, float]]:
    text = data.path("federal-series").read_text(encoding="utf-8")
    assert text.startswith(HEADER)
    rows = csv.DictReader(text.removeprefix(HEADER).splitlines())
    return {
        int(row.pop("year")): {name: float(cell) for name, cell in row.items() if cell}
        for row in rows
    }


# Treasury, statement of receipts 1789-1832, and Historical Debt Outstanding; OMB Historical
# Tables, table 1.1; BLS, averages of CPI-U and unemployment; BEA, NIPA tables 1.1.5 and 1.1.6;
# IRS, SOI Bulletin
PUBLISHED = {
    (1901, "receipts_million_usd"): 588,
    (1901, "outlays_million_usd"): 525,
    (1945, "receipts_million_usd"): 45_159,
    (1945, "outlays_million_usd"): 92_712,
    (1980, "receipts_million_usd"): 517_112,
    (1980, "outlays_million_usd"): 590_941,
    (2000, "receipts_million_usd"): 2_025_191,
    (2000, "outlays_million_usd"): 1_788_950,
    (2009, "outlays_million_usd"): 3_517_677,
    (1791, "debt_million_usd"): 75.463,
    (1835, "debt_million_usd"): 0.034,
    (1866, "debt_million_usd"): 2_773.236,
    (1946, "debt_million_usd"): 269_422.099,
    (2000, "debt_million_usd"): 5_674_178.210,
    (2024, "debt_million_usd"): 35_464_673.929,
    (1913, "cpi_u"): 9.9,
    (1933, "cpi_u"): 13.0,
    (1980, "cpi_u"): 82.4,
    (2000, "cpi_u"): 172.2,
    (2020, "cpi_u"): 258.811,
    (1793, "receipts_million_usd"): 4.653,
    (1806, "receipts_million_usd"): 15.560,
    (1929, "unemployment_percent"): 3.2,
    (1931, "unemployment_percent"): 15.9,
    (1933, "unemployment_percent"): 24.9,
    (1936, "unemployment_percent"): 16.9,
    (1944, "unemployment_percent"): 1.2,
    (1982, "unemployment_percent"): 9.7,
    (2010, "unemployment_percent"): 9.6,
    (1929, "gdp_billion_usd"): 104.6,
    (2020, "gdp_billion_usd"): 21_354.1,
    (1929, "real_gdp_billion_2017_usd"): 1_191.1,
    (1918, "top_rate_percent"): 77,
    (1925, "top_rate_percent"): 25,
    (1944, "top_rate_percent"): 94,
    (1963, "top_rate_percent"): 91,
    (1981, "top_rate_percent"): 70,
    (1988, "top_rate_percent"): 28,
    (2012, "top_rate_percent"): 35,
    (2025, "top_rate_percent"): 37,
}


@pytest.mark.parametrize(("cell", "figure"), PUBLISHED.items(), ids=str)
def test_a_figure_is_the_published_one(cell: tuple[int, str], figure: float) -> None:
    year, column = cell
    # the BLS averages months of more digits than it publishes, and rounds the mean to one
    within = 0.07 if column == "cpi_u" and year < 2007 else 5e-4
    assert table()[year][column] == pytest.approx(figure, abs=within, rel=0)


def test_every_column_is_without_holes_and_its_header_names_its_source() -> None:
    found = table()
    for column in COLUMNS:
        years = [year for year, row in found.items() if column in row]
        assert years == list(range(years[0], years[-1] + 1))
        assert column in HEADER
    for agency in ("Treasury", "OMB", "BLS", "BEA", "Bureau of the Census", "IRS"):
        assert agency in HEADER


def test_nominal_over_real_output_moves_with_prices() -> None:
    """Two agencies measure prices: the deflator of the BEA and the index of the BLS."""
    found = table()
    for year in range(1948, 2024):
        deflators = [
            found[y]["gdp_billion_usd"] / found[y]["real_gdp_billion_2017_usd"]
            for y in (year - 1, year)
        ]
        prices = found[year]["cpi_u"] / found[year - 1]["cpi_u"]
        assert deflators[1] / deflators[0] == pytest.approx(prices, abs=0.05)


def test_statutes_follow_each_other() -> None:
    years = [year for year, *_ in TOP_RATES]
    assert years == sorted(set(years))
    rates = [rate for _, rate, _ in TOP_RATES]
    assert all(before != after for before, after in pairwise(rates))


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
def test_the_table_is_what_its_command_builds() -> None:
    folder = Path(os.environ["ENGRAM_DATA"]) / "policy"
    assert build(folder) == data.path("federal-series").read_text(encoding="utf-8")


@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
def test_the_top_rates_are_those_that_others_tabulate() -> None:
    with data.path("us-income-tax").open(newline="") as file:
        theirs: dict[int, float] = {}
        for row in csv.DictReader(file):
            year, rate = int(row["year"]), 100 * float(row["incomeTaxRate"] or 0)
            theirs[year] = max(rate, theirs.get(year, 0))
    found = table()
    differ = {
        year for year, rate in theirs.items()
        if year >= 1913 and rate != pytest.approx(found[year]["top_rate_percent"])
    }  # fmt: skip
    assert differ == {1929}  # they leave out the joint resolution of December 1929
