"""The catalogue of indicators."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from engram import data
from engram.errors import EngramError
from engram.series import Series

MONTHS = 12
"""Number of months required for a yearly mean."""

FEDERAL = "federal-series"
"""The table that is part of Engram."""
FIRST_TREASURY_YEARS = 1791
"""The year in that table whose receipts and outlays are the totals of 1789-1791."""

Table = Mapping[str, np.ndarray]
"""Columns by name."""
ByYear = tuple[np.ndarray, np.ndarray]
"""Years in order, and the value of each; NaN where there is none."""


@dataclass(frozen=True)
class Indicator:
    """An indicator of the catalogue.

    Args:
        label: Its name in a report.
        unit: Unit of its values.
        source: Name of its table among the sources of `engram.data`.
        read: Reads years and values from the table.
        about: What a reader must know about it.
    """

    label: str
    unit: str
    source: str
    read: Callable[[Table], ByYear]
    about: str


def read_indicators(names: Sequence[str] | None = None) -> tuple[list[Series], dict[str, str]]:
    """Read indicators of the catalogue.

    Args:
        names: Names of the catalogue; the six of the study, which come with Engram, when None.

    Returns:
        The series, one value per year, and the SHA-256 of each file read, by file name.

    Raises:
        ValueError: If a name is unknown, or a table is not here or not as it should be.
    """
    series, hashes = [], {}
    for name in SIX if names is None else names:
        indicator = _known(name)
        path = _path(name, indicator)
        hashes[path.name] = data.sha256_of(path)
        try:
            by_year = indicator.read(_read(path))
        except (KeyError, ValueError, TypeError) as error:
            raise EngramError(
                f"{path} is not the table of {name} ({error}); replace it with a complete copy"
            ) from error
        taken = {one.name for one in series}
        label = f"{indicator.label} ({name})" if indicator.label in taken else indicator.label
        series.append(_series(label, by_year, indicator.unit))
    return series, hashes


def _known(name: str) -> Indicator:
    if name not in INDICATORS:
        near = get_close_matches(name, INDICATORS, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise EngramError(
            f"no indicator is called {name!r}: {guess}choose one of {', '.join(INDICATORS)}, or "
            "read a table of your own"
        )
    return INDICATORS[name]


def _path(name: str, indicator: Indicator) -> Path:
    try:
        return data.path(indicator.source)
    except data.DataError as error:
        alike = [
            other for other, one in INDICATORS.items()
            if one.source == FEDERAL and (one.label == indicator.label or name in other)
        ]  # fmt: skip
        hint = f"; or take {alike[0]}, which comes with Engram" if alike else ""
        raise EngramError(f"{error}{hint}") from error


def _read(path: str | Path) -> Table:
    try:
        table = pd.read_csv(path, comment="#")
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise EngramError(f"{path} is not a readable csv file ({error}); give another") from error
    return {str(name): table[name].to_numpy() for name in table.columns}


def _years(column: np.ndarray, what: str) -> np.ndarray:
    """Years from a column of years or ISO dates, also outside the range of timestamps."""
    try:
        return np.array([int(str(cell).strip().partition("-")[0]) for cell in column.tolist()])
    except ValueError as error:
        raise EngramError(f"{what} holds no years or ISO dates ({error}); name another") from error


def _yearly_mean(years: np.ndarray, values: np.ndarray, least: int = 1) -> ByYear:
    """Mean of the values of each year; NaN for years of fewer than `least`."""
    unique, position = np.unique(years, return_inverse=True)
    known = np.isfinite(values)
    count = np.bincount(position[known], minlength=len(unique))
    total = np.bincount(position[known], weights=values[known], minlength=len(unique))
    return unique, np.where(count >= least, total / np.maximum(count, 1), np.nan)


def _series(name: str, by_year: ByYear, unit: str) -> Series:
    years, values = by_year
    known = np.isfinite(values)
    return Series(name, years[known].tolist(), values[known], axis="year", unit=unit)


def _column(name: str, scale: float = 1.0) -> Callable[[Table], ByYear]:
    return lambda table: (_years_of(table), scale * table[name])


def _growth(name: str) -> Callable[[Table], ByYear]:
    """Change from the previous year in percent; NaN for a year after a gap."""

    def read(table: Table) -> ByYear:
        years, values = _years_of(table), table[name]
        change = 100 * (values[1:] / values[:-1] - 1)
        return years[1:], np.where(np.diff(years) == 1, change, np.nan)

    return read


def _years_of(table: Table) -> np.ndarray:
    return table["year"] if "year" in table else table["Year"]


def _share_of_output(name: str) -> Callable[[Table], ByYear]:
    """A share of GDP in percent; the amount is in millions of dollars, GDP in billions."""
    return lambda table: (table["year"], table[name] / table["gdp_billion_usd"] / 10)


def _surplus(table: Table) -> ByYear:
    """Receipts minus outlays in percent of outlays; the first entry covers three years."""
    spent = table["outlays_million_usd"]
    surplus = 100 * (table["receipts_million_usd"] - spent) / spent
    return table["year"], np.where(table["year"] == FIRST_TREASURY_YEARS, np.nan, surplus)


def _top_rate(table: Table) -> ByYear:
    years = np.unique(table["year"])
    rates = table["incomeTaxRate"]
    return years, np.array([100 * np.nanmax(rates[table["year"] == year]) for year in years])


def _long_rate(table: Table) -> ByYear:
    rates = table["Long Interest Rate"]
    years = _years(table["Date"], "column 'Date'")
    return _yearly_mean(years, np.where(rates > 0, rates, np.nan), MONTHS)  # 0 is missing


INDICATORS: dict[str, Indicator] = {
    "bea-growth": Indicator(
        "real GDP",
        "% a year",
        FEDERAL,
        _growth("real_gdp_billion_2017_usd"),
        "Growth of real GDP, 1930-2023, calendar years; BEA, NIPA table 1.1.6.",
    ),
    "bls-inflation": Indicator(
        "consumer prices",
        "% a year",
        FEDERAL,
        _growth("cpi_u"),
        "Growth of the consumer price index, 1914-2024, means of calendar years; BLS, CPI-U.",
    ),
    "bls-unemployment": Indicator(
        "unemployment",
        "% of labour force",
        FEDERAL,
        _column("unemployment_percent"),
        "Unemployment, 1929-2024, means of calendar years; BLS; of 14 and older to 1946, of 16 "
        "and older since.",
    ),
    "treasury-debt": Indicator(
        "federal debt",
        "% of GDP",
        FEDERAL,
        _share_of_output("debt_million_usd"),
        "Public debt outstanding at the end of the fiscal year (Treasury), of the GDP of the "
        "calendar year (BEA), 1929-2023.",
    ),
    "omb-receipts": Indicator(
        "federal receipts",
        "% of GDP",
        FEDERAL,
        _share_of_output("receipts_million_usd"),
        "Receipts of the fiscal year (OMB, table 1.1), of the GDP of the calendar year (BEA), "
        "1929-2023.",
    ),
    "statute-top-rate": Indicator(
        "top income tax rate",
        "%",
        FEDERAL,
        _column("top_rate_percent"),
        "Highest marginal rate of the federal income tax, 1913-2026, by statute.",
    ),
    "omb-outlays": Indicator(
        "federal outlays",
        "% of GDP",
        FEDERAL,
        _share_of_output("outlays_million_usd"),
        "Outlays of the fiscal year (OMB, table 1.1), of the GDP of the calendar year (BEA), "
        "1929-2023.",
    ),
    "treasury-surplus": Indicator(
        "federal surplus",
        "% of outlays",
        FEDERAL,
        _surplus,
        "Receipts less outlays, of outlays, 1792-2024, fiscal years; Treasury to 1900, OMB since. "
        "1843 has six months.",
    ),
    "growth": Indicator(
        "real GDP per head",
        "% a year",
        "us-economy",
        _growth("realGDPperCapita"),
        "Growth of real GDP per head. Before 1929 it is a reconstruction.",
    ),
    "inflation": Indicator(
        "consumer prices",
        "% a year",
        "us-economy",
        _growth("CPI"),
        "Growth of the consumer price index. Before 1913 it is a reconstruction, kept to a "
        "hundredth of the index.",
    ),
    "unemployment": Indicator(
        "unemployment",
        "% of labour force",
        "us-economy",
        _column("unemployment"),
        "Unemployment. Before 1948 by several authors, whose methods differ.",
    ),
    "debt": Indicator(
        "federal debt", "% of GDP", "us-economy", _column("fedDebt_pGDP", 100.0), "Federal debt."
    ),
    "receipts": Indicator(
        "federal receipts",
        "% of GDP",
        "us-economy",
        _column("fedReceipts_pGDP", 100.0),
        "Federal receipts.",
    ),
    "top-rate": Indicator(
        "top income tax rate",
        "%",
        "us-income-tax",
        _top_rate,
        "The highest marginal rate of the federal income tax; 0 while there was no such tax.",
    ),
    "long-rate": Indicator(
        "long interest rate",
        "% a year",
        "shiller",
        _long_rate,
        "Mean of the months of the long government bond's yield.",
    ),
}
"""The catalogued indicators by name."""

SIX = (
    "bea-growth", "bls-inflation", "bls-unemployment", "treasury-debt", "omb-receipts",
    "statute-top-rate",
)  # fmt: skip
"""The six indicators of the study, all from federal publications and part of Engram."""
