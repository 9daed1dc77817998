"""The included table of yearly federal series, and how it is built.

`python -m engram.data.federal_series FOLDER` prints the table again from four files of a data
folder, and from what is stated here: the top rates, which are facts of statutes, unemployment of
1929-1940, and two corrections.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HEADER = """\
# Yearly federal series of the United States, from federal publications only (public domain).
# receipts_million_usd, outlays_million_usd: fiscal years. 1791-1900 Treasury, Annual Report of
#   the Secretary, as in Bureau of the Census, Historical Statistics of the United States
#   (1975), series Y 335-336; from 1901 OMB, Historical Tables, table 1.1. 1791 covers
#   1789-1791; 1843 six months, January to June. Years end on 31 December to 1842, 30 June
#   1843-1976, 30 September from 1977; the quarter July to September 1976 is in no year.
# debt_million_usd: total public debt outstanding; Treasury, Historical Debt Outstanding. On 1
#   January 1790-1842, 1 July 1843, then 30 June to 1976 and 30 September from 1977.
# cpi_u: consumer price index of all urban consumers, 1982-84 = 100, not seasonally adjusted,
#   mean of the 12 months of a calendar year; BLS, series CUUR0000SA0. 2025 lacks October.
# unemployment_percent: of the civilian labour force, mean of the calendar year; BLS. 1929-1939
#   are estimates (Labor Force, Employment, and Unemployment, 1929-39: Estimating Methods,
#   Monthly Labor Review, July 1948); from 1940 Current Population Survey, table 1. Persons of
#   14 and older to 1946, of 16 and older from 1947.
# gdp_billion_usd, real_gdp_billion_2017_usd: calendar years; BEA, National Income and Product
#   Accounts, tables 1.1.5 and 1.1.6.
# top_rate_percent: highest marginal rate of the schedule of the federal individual income tax,
#   normal tax and surtax together, by statute (named in federal_series.py; tabulated in IRS,
#   SOI, Historical Table 23). Credits and surcharges on the tax as a whole (1923, 1940,
#   1946-1950, 1968-1970) are left out.
"""
"""Header comments of the table, which describe its columns."""

COLUMNS = ("receipts_million_usd", "outlays_million_usd", "debt_million_usd", "cpi_u",
           "unemployment_percent", "gdp_billion_usd", "real_gdp_billion_2017_usd",
           "top_rate_percent")  # fmt: skip

TOP_RATES: tuple[tuple[int, float, str], ...] = (
    (1913, 7, "Revenue Act of 1913"),
    (1916, 15, "Revenue Act of 1916"),
    (1917, 67, "War Revenue Act of 1917"),
    (1918, 77, "Revenue Act of 1918"),
    (1919, 73, "Revenue Act of 1918"),
    (1922, 58, "Revenue Act of 1921"),
    (1924, 46, "Revenue Act of 1924"),
    (1925, 25, "Revenue Act of 1926"),
    (1929, 24, "Joint Resolution of 16 December 1929"),
    (1930, 25, "Revenue Act of 1928"),
    (1932, 63, "Revenue Act of 1932"),
    (1936, 79, "Revenue Act of 1935"),
    (1941, 81, "Revenue Act of 1941"),
    (1942, 88, "Revenue Act of 1942"),
    (1944, 94, "Individual Income Tax Act of 1944"),
    (1946, 91, "Revenue Act of 1945"),
    (1952, 92, "Revenue Act of 1951"),
    (1954, 91, "Internal Revenue Code of 1954"),
    (1964, 77, "Revenue Act of 1964"),
    (1965, 70, "Revenue Act of 1964"),
    (1982, 50, "Economic Recovery Tax Act of 1981"),
    (1987, 38.5, "Tax Reform Act of 1986"),
    (1988, 28, "Tax Reform Act of 1986"),
    (1991, 31, "Omnibus Budget Reconciliation Act of 1990"),
    (1993, 39.6, "Omnibus Budget Reconciliation Act of 1993"),
    (2001, 39.1, "Economic Growth and Tax Relief Reconciliation Act of 2001"),
    (2002, 38.6, "Economic Growth and Tax Relief Reconciliation Act of 2001"),
    (2003, 35, "Jobs and Growth Tax Relief Reconciliation Act of 2003"),
    (2013, 39.6, "American Taxpayer Relief Act of 2012"),
    (2018, 37, "Public Law 115-97, kept by Public Law 119-21"),
)
"""First year of each top rate, the rate in percent, and the statute."""
LAST_TOP_RATE = 2026

EARLY_UNEMPLOYMENT = {
    1929: 3.2, 1930: 8.7, 1931: 15.9, 1932: 23.6, 1933: 24.9, 1934: 21.7, 1935: 20.1, 1936: 16.9,
    1937: 14.3, 1938: 19.0, 1939: 17.2, 1940: 14.6,
}  # fmt: skip
"""Bureau of Labor Statistics, which made the estimates for 1929-1939 in 1948."""

CORRECTIONS = {(1793, "fedReceipts"): 4.653, (1920, "fedReceipts"): 6648.898}
"""Corrected misprints of the input, in million dollars.

With these, receipts minus outlays equal the Treasury's surplus; its statement of receipts from
1789 to 1832 gives 4,652,923.14 dollars for 1793.
"""

ECONOMY, PRICES, WORK, OUTPUT = (
    "us-economy-1774-2024.csv",
    "us-cpi-monthly-1913-2026.csv",
    "us-employment-1941-2024.csv",
    "us-gdp-annual-1929-2023.csv",
)
"""The input files of the table; only their federal columns are read."""


def build(folder: Path) -> str:
    """Build the table.

    Args:
        folder: Folder with the four files.

    Returns:
        The text of federal_series.csv.
    """
    table: dict[int, dict[str, str]] = defaultdict(dict)
    for year, column, text in _figures(folder):
        table[year][column] = text
    rows = [("year", *COLUMNS)]
    rows += [
        (str(year), *(table[year].get(column, "") for column in COLUMNS))
        for year in range(min(table), max(table) + 1)
    ]
    return HEADER + "".join(f"{','.join(row)}\n" for row in rows)


def _figures(folder: Path) -> Iterator[tuple[int, str, str]]:
    for row in _rows(folder / ECONOMY):
        year = int(row["Year"])
        for name, column in (("fedReceipts", COLUMNS[0]), ("fedOutlays", COLUMNS[1])):
            figure = CORRECTIONS.get((year, name), row[name])
            if figure:
                yield year, column, f"{float(figure):g}" if year < 1901 else f"{float(figure):.0f}"
        if row["fedDebt"]:
            yield year, "debt_million_usd", f"{float(row['fedDebt']) / 1e6:.3f}"
    months: dict[int, list[float]] = defaultdict(list)
    for row in _rows(folder / PRICES):
        months[int(row["Date"][:4])].append(float(row["Index"]))
    for year, indices in months.items():
        if len(indices) == 12:
            yield year, "cpi_u", f"{sum(indices) / 12:.3f}"
    for year, rate in EARLY_UNEMPLOYMENT.items():
        yield year, "unemployment_percent", str(rate)
    for row in _rows(folder / WORK):  # 1947 occurs twice; the later row is for ages 16 and older
        yield int(row["year"]), "unemployment_percent", row["unemployed_percent"]
    for row in _rows(folder / OUTPUT):
        yield int(row["date"]), "gdp_billion_usd", row["level-current"]
        yield int(row["date"]), "real_gdp_billion_2017_usd", row["level-chained"]
    ends = [start for start, *_ in TOP_RATES[1:]] + [LAST_TOP_RATE + 1]
    for (start, rate, _), end in zip(TOP_RATES, ends, strict=True):
        for year in range(start, end):
            yield year, "top_rate_percent", f"{rate:g}"


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    sys.stdout.write(build(Path(sys.argv[1])))
