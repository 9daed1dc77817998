"""Commands that write files: export and relate."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from engram.cli.output import print_json, print_path, working
from engram.cli.policy.asking import Asking, Counting, Name, name_queries

if TYPE_CHECKING:
    from engram.report import Report
    from engram.series import Series


@dataclass(frozen=True)
class Export(Counting):
    """Write what an answer shows: CSV and JSON hold the rows, PNG draws exactly these.

    Args:
        queries: One query or more; of a context or coverage, one.
        out: Files to write, each ending in .csv, .json or .png.
        what: Which answer.
        limit: Of a context, how many passages.
    """

    queries: Positional[tuple[str, ...]]
    out: tuple[Annotated[Path, arg(metavar="FILE")], ...] = (Path("frequency.csv"),)
    what: Literal["frequency", "coverage", "context"] = "frequency"
    limit: int = 1000

    def __call__(self) -> int:
        """Write the files and print their paths."""
        from engram.policy.measure import coverage, write  # noqa: PLC0415  not for --help

        named = name_queries(self.queries, self.names)
        if self.what != "frequency" and len(named) > 1:
            raise ValueError(f"{len(named)} queries for one {self.what}; give one query")
        with self.opened() as engine:
            match self.what:
                case "frequency":
                    answer = self.count(engine, named, self.grouping)
                case "coverage":
                    answer = coverage(engine, *named.values(), by=self.by)
                case "context":
                    answer = engine.context(*named.values(), limit=self.limit)
        written = [write(answer, path) for path in self.out]
        if self.json:
            print_json({"written": [str(path) for path in written]})
        else:
            for path in written:
                print_path(path)
        return 0


@dataclass(frozen=True)
class Relate(Asking):
    """Relate rates by year to indicators, and say what may and may not be concluded.

    Args:
        queries: One query or more.
        indicators: Some of growth, inflation, unemployment, debt, receipts, top-rate, which are
            the default, and long-rate; of a table of your own, its columns.
        table: A csv file of your own, years in its first column, instead of the catalogue.
        names: Names for the queries, in their order, instead of their text.
        lags: Largest lag in years, before and after.
        seed: Seed of all resampling.
        out: Folder for the report.
    """

    queries: Positional[tuple[str, ...]]
    indicators: tuple[Name, ...] = ()
    table: Path | None = None
    names: tuple[Name, ...] = ()
    lags: int = 5
    seed: int = 0
    out: Path = Path("runs/relate")

    def __call__(self) -> int:
        """Save and print the report, and the path of its page last."""
        report = self.report(name_queries(self.queries, self.names))
        from engram.report import print_report, save_report  # noqa: PLC0415  not for --help

        page = save_report(report, self.out)
        if self.json:
            print_json(report.to_dict())
        else:
            print_report(report, Console())
            print_path(page)
        return 0

    def report(self, named: dict[str, str]) -> "Report":
        """Relate the queries."""
        from engram.policy.measure import frequency  # noqa: PLC0415  not for --help
        from engram.policy.relate import relate, report_findings  # noqa: PLC0415
        from engram.report import Provenance, Report  # noqa: PLC0415
        from engram.report.provenance import hardware, versions  # noqa: PLC0415

        indicators, hashes = self.read()
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
        report = Report("relate", ", ".join(named), "What goes together with it?", source)
        report_findings(report, found)
        for note in rates.notes:
            report.note(note)
        return report

    def read(self) -> tuple[list["Series"], dict[str, str]]:
        """The indicators, and the hashes of what they and the rates are read from."""
        from engram import data  # noqa: PLC0415  not for --help
        from engram.policy.relate import read_csv, read_indicators  # noqa: PLC0415

        if self.table is None:
            indicators, hashes = read_indicators(self.indicators or None)
        else:
            indicators = read_csv(self.table, columns=self.indicators)
            hashes = {self.table.name: data.sha256_of(self.table)}
        if self.engine == "embedded":
            hashes["record"] = _digest(self.store)
        return indicators, hashes


def _digest(store: str) -> str:
    """SHA-256 over those of the segments of a store: what was counted."""
    from engram.policy import Store  # noqa: PLC0415  not for --help

    names = sorted(entry.sha256 for entry in Store(store).manifest.segments)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
