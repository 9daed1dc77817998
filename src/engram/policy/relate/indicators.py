"""The catalogue of indicators, and series from a table of the user's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from engram import data
from engram.series import Series

MONTHS = 12
"""Months that a yearly mean needs."""

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
        read: From the table to years and their values.
        about: What a reader must know of it.
    """

    label: str
    unit: str
    source: str
    read: Callable[[Table], ByYear]
    about: str


def read_indicators(names: Sequence[str] | None = None) -> tuple[list[Series], dict[str, str]]:
    """Read indicators of the catalogue.

    Args:
        names: Names of the catalogue; all six of the study when None.

    Returns:
        The series, one value a year, and the SHA-256 of each file read, by its name.

    Raises:
        ValueError: If a name is unknown, or a table is not here or not as it should be.
    """
    series, hashes = [], {}
    for name in SIX if names is None else names:
        indicator = _known(name)
        path = data.path(indicator.source)
        hashes[path.name] = data.sha256_of(path)
        try:
            by_year = indicator.read(_read(path))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is not the table of {name} ({error}); replace it with a complete copy"
            ) from error
        series.append(_series(indicator.label, by_year, indicator.unit))
    return series, hashes


def read_csv(path: str | Path, year: str = "", columns: Sequence[str] = ()) -> list[Series]:
    """Read indicators from a table of your own: a column of years or dates, and one for each.

    Several rows in a year, such as months, are averaged.

    Args:
        path: A csv file with a header.
        year: The column of years or ISO dates; the first column when empty.
        columns: The indicators; all other columns of numbers when empty.

    Returns:
        A series for each column, named after it.

    Raises:
        ValueError: If the file cannot be read, or a column is missing or holds no numbers.
    """
    table = _read(path)
    year = year or next(iter(table))
    missing = [name for name in (year, *columns) if name not in table]
    if missing:
        raise ValueError(f"{path} has no column {missing}; it has {list(table)}")
    years = _years(table[year], f"{path}: column {year!r}")
    numeric = [name for name in table if name != year and table[name].dtype.kind in "iuf"]
    chosen = list(columns) or numeric
    if not chosen:
        raise ValueError(f"{path} has no column of numbers beside {year!r}; add one")
    text = [name for name in chosen if name not in numeric]
    if text:
        raise ValueError(f"{path} holds text in {text}; mend it, or choose columns of numbers")
    return [_series(name, _yearly_mean(years, table[name]), "") for name in chosen]


def _known(name: str) -> Indicator:
    if name not in INDICATORS:
        near = get_close_matches(name, INDICATORS, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no indicator is called {name!r}: {guess}choose one of {', '.join(INDICATORS)}, or "
            "read a table of your own"
        )
    return INDICATORS[name]


def _read(path: str | Path) -> Table:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise ValueError(f"{path} is not a readable csv file ({error}); give another") from error
    return {str(name): table[name].to_numpy() for name in table.columns}


def _years(column: np.ndarray, what: str) -> np.ndarray:
    """Years of a column of years or ISO dates, which may lie beyond what timestamps hold."""
    try:
        return np.array([int(str(cell).strip().partition("-")[0]) for cell in column.tolist()])
    except ValueError as error:
        raise ValueError(f"{what} holds no years or ISO dates ({error}); name another") from error


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
    return lambda table: (table["Year"], scale * table[name])


def _growth(name: str) -> Callable[[Table], ByYear]:
    """Change over the year before, in percent; a year after a gap has none."""

    def read(table: Table) -> ByYear:
        years, values = table["Year"], table[name]
        change = 100 * (values[1:] / values[:-1] - 1)
        return years[1:], np.where(np.diff(years) == 1, change, np.nan)

    return read


def _top_rate(table: Table) -> ByYear:
    years = np.unique(table["year"])
    rates = table["incomeTaxRate"]
    return years, np.array([100 * np.nanmax(rates[table["year"] == year]) for year in years])


def _long_rate(table: Table) -> ByYear:
    rates = table["Long Interest Rate"]
    years = _years(table["Date"], "column 'Date'")
    return _yearly_mean(years, np.where(rates > 0, rates, np.nan), MONTHS)  # 0 is missing


INDICATORS: dict[str, Indicator] = {
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
        "federal debt",
        "% of GDP",
        "us-economy",
        _column("fedDebt_pGDP", 100.0),
        "Federal debt.",
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
"""The indicators by name."""

SIX = ("growth", "inflation", "unemployment", "debt", "receipts", "top-rate")
"""The six of the study."""
