"""`engram policy relate`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, UseAppendAction

from engram import data
from engram.cli.output import print_json, print_line
from engram.cli.policy.asking import Asking, Name, Names, check_writable, name_queries
from engram.cli.policy.reading import read_notes
from engram.cli.words import Several
from engram.errors import EngramError
from engram.policy.measure import frequency
from engram.policy.relate import (
    INDICATORS,
    SIX,
    check_settings,
    read_indicators,
    read_table,
    relate,
    report_findings,
)
from engram.policy.store import Store
from engram.progress import working
from engram.report import Provenance, Report, print_report, save_report
from engram.report.provenance import hardware, versions
from engram.series import Series


@dataclass(frozen=True)
class Relate(Asking):
    """Relate yearly rates to indicators, and state what may and may not be concluded.

    Args:
        queries: One or more queries.
        indicators: Names of the catalogue; give the option once per indicator, or separate them by
            commas. Part of Engram: bea-growth, bls-inflation, bls-unemployment, treasury-debt,
            omb-receipts, statute-top-rate, which are the default, omb-outlays, treasury-surplus.
            In a data folder: growth, inflation, unemployment, debt, receipts, top-rate, long-rate.
        table: A csv file of your own instead of the catalogue.
        year: For your own table, the column of years, quarters, months or days; default: the first.
        columns: For your own table, the columns to relate, each with its own --columns; default:
            all numeric columns.
        names: Names for the queries, in their order, instead of their text; give the option once
            per query.
        lags: Largest lag in years, before and after.
        seed: Seed of all resampling.
        out: Folder for the report.
    """

    queries: Positional[tuple[str, ...]]
    indicators: Annotated[tuple[Name, ...], UseAppendAction, Several(INDICATORS.__contains__)] = ()
    table: Path | None = None
    year: str = ""
    columns: Names = ()
    names: Names = ()
    lags: int = 5
    seed: int = 0
    out: Path = Path("runs/relate")

    def __call__(self) -> int:
        """Save and print the report, and the path of its page last."""
        named = name_queries(self.queries, self.names)
        check_settings(self.lags, self.seed)
        check_writable(self.out)
        report = self.report(named)
        page = save_report(report, self.out)
        if self.json:
            print_json(report.to_dict())
        else:
            print_report(report, Console())
            print_line(page)
        return 0

    def report(self, named: dict[str, str]) -> Report:
        """Relate the queries."""
        indicators, hashes, read = self.read()
        with self.opened() as engine:
            rates = frequency(engine, named, "year", method="none")
        with working("relating"):
            found = relate(rates.series(), indicators, seed=self.seed, lags=self.lags)
        settings = {
            "queries": named,
            "indicators": [series.name for series in indicators],
            "lags": self.lags,
            "store": self.store if self.engine == "embedded" else self.solr_url,
        }
        source = Provenance(settings, self.seed, hashes, versions(), hardware(), status="complete")
        report = Report("relate", ", ".join(named), "Which indicators are related to it?", source)
        report_findings(report, found)
        for note in (*read_notes(named.values()), *rates.notes, *read):
            report.note(note)
        return report

    def read(self) -> tuple[list[Series], dict[str, str], list[str]]:
        """The indicators, the hashes of all files read, and notes."""
        if self.table is None:
            if self.year or self.columns:
                raise EngramError("--year and --columns are for a table of your own: add --table")
            names = self.indicators or SIX
            indicators, hashes = read_indicators(names)
            notes = [f"{INDICATORS[name].label}: {INDICATORS[name].about}" for name in names]
        else:
            indicators, notes = read_table(self.table, self.year, self.chosen)
            hashes = {self.table.name: data.sha256_of(self.table)}
        if self.engine == "embedded":
            hashes["record"] = _digest(self.store)
        return indicators, hashes, notes

    @property
    def chosen(self) -> tuple[str, ...]:
        """The columns of the user's own table, by either option."""
        return (*self.columns, *self.indicators)


def _digest(store: str) -> str:
    """SHA-256 of the hashes of a store's segments, to identify what was counted."""
    names = sorted(entry.sha256 for entry in Store(store).manifest.segments)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
