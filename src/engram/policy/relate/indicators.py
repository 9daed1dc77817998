"""The catalogue of indicators, and series from a table of the user's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from engram import data
from engram.series import Series

MONTHS = 12
"""Months that a yearly mean needs."""


@dataclass(frozen=True)
class Indicator:
    """An indicator of the catalogue.

    Args:
        label: Its name in a report.
        unit: Unit of its values.
        source: Name of its table among the sources of `engram.data`.
        read: From the table to values by year.
        about: What a reader must know of it.
    """

    label: str
    unit: str
    source: str
    read: Callable[[pd.DataFrame], pd.Series]
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
            values = indicator.read(pd.read_csv(path))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is not the table of {name} ({error}); replace it with a complete copy"
            ) from error
        series.append(_series(indicator.label, values, indicator.unit))
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
    try:
        table = pd.read_csv(path)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is not a readable csv file ({error}); give another") from error
    year = year or str(table.columns[0])
    missing = [name for name in (year, *columns) if name not in table]
    if missing:
        raise ValueError(f"{path} has no column {missing}; it has {list(map(str, table.columns))}")
    years = _years(table[year], path)
    rest = table.drop(columns=year)
    chosen = list(columns) or list(map(str, rest.select_dtypes("number").columns))
    if not chosen:
        raise ValueError(f"{path} has no column of numbers beside {year!r}; add one")
    try:
        numbers = rest[chosen].astype(float)
    except ValueError as error:
        raise ValueError(f"{path} holds text among its numbers ({error}); mend it") from error
    by_year = numbers.groupby(years).mean()
    return [_series(name, by_year[name], "") for name in chosen]


def _known(name: str) -> Indicator:
    if name not in INDICATORS:
        near = get_close_matches(name, INDICATORS, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no indicator is called {name!r}: {guess}choose one of {', '.join(INDICATORS)}, or "
            "read a table of your own"
        )
    return INDICATORS[name]


def _years(column: pd.Series, path: str | Path) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(int)
    try:
        # not as timestamps: those begin in 1677 and end in 2262
        return column.astype(str).str.strip().str.extract(r"^(\d{4})(?:-|$)")[0].astype(int)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path}: column {column.name!r} holds no years or ISO dates ({error}); name another"
        ) from error


def _series(name: str, values: pd.Series, unit: str) -> Series:
    known = values.replace([np.inf, -np.inf], np.nan).dropna().sort_index()
    years = [int(year) for year in known.index]
    return Series(name, years, known.to_numpy(dtype=float), axis="year", unit=unit)


def _column(name: str, scale: float = 1.0) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda table: table.set_index("Year")[name] * scale


def _growth(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Change over the year before, in percent; a year after a gap has none."""

    def read(table: pd.DataFrame) -> pd.Series:
        values = table.set_index("Year")[name].dropna()
        change = 100 * (values / values.shift() - 1)
        consecutive = np.diff(values.index, prepend=values.index[0]) == 1
        return change[consecutive]

    return read


def _top_rate(table: pd.DataFrame) -> pd.Series:
    return 100 * table.groupby("year")["incomeTaxRate"].max()


def _long_rate(table: pd.DataFrame) -> pd.Series:
    rates = table["Long Interest Rate"].where(table["Long Interest Rate"] > 0)  # 0 is missing
    months = rates.groupby(table["Date"].str[:4].astype(int))
    return months.mean()[months.count() == MONTHS]


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
