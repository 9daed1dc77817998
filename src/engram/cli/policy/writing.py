"""Commands that write files: export and relate."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from engram.cli.output import print_json, print_path
from engram.cli.policy.asking import Asking, Counting, Name, check_width, name_queries
from engram.cli.policy.reading import print_reading, read_notes
from engram.errors import EngramError
from engram.progress import working

if TYPE_CHECKING:
    from engram.policy.engine import Context, Engine
    from engram.policy.measure.export import Answer
    from engram.report import Report
    from engram.series import Series


@dataclass(frozen=True)
class Export(Counting):
    """Write an answer to files: its rows as CSV or JSON, or their plot as PNG.

    Args:
        queries: One or more queries; exactly one for a context or coverage.
        out: Files to write, each ending in .csv, .json or .png; give the option once per file, or
            separate them by commas; default: frequency.csv, coverage.csv or context.csv.
        what: Which answer.
        limit: For a context, the maximum number of passages; all by default.
        width: For a context, characters to the left and to the right of each match.
        force: Replace files that already exist.
    """

    queries: Positional[tuple[str, ...]]
    out: tuple[Annotated[Path, arg(metavar="FILE")], ...] = ()
    what: Literal["frequency", "coverage", "context"] = "frequency"
    limit: int | None = None
    width: int = 80
    force: bool = False

    def __call__(self) -> int:
        """Write the files and print their paths."""
        from engram.policy.measure import coverage, write  # noqa: PLC0415  not for --help

        named = name_queries(self.queries, self.names)
        check_width(self.width)
        if self.limit is not None and self.limit < 0:
            raise EngramError(f"limit is {self.limit}; give 0 passages or more")
        if self.what != "frequency" and len(named) > 1:
            raise EngramError(f"{len(named)} queries for one {self.what}; give one query")
        paths = self.out or (Path(f"{self.what}.csv"),)
        self.check(paths)
        with self.opened() as engine:
            match self.what:
                case "frequency":
                    answer = self.count(engine, named, self.grouping)
                case "coverage":
                    answer = coverage(engine, *named.values(), by=self.by)
                case "context":
                    answer = self.passages(engine, *named.values())
            notes = read_notes(named.values(), engine)
        # plots come last: if one fails, the rows are on disk
        for path in sorted(paths, key=lambda path: path.suffix.lower() == ".png"):
            write(answer, path, self.corpus())
        left_out = self.left_out(answer)
        if self.json:
            more = {"left_out": left_out} if left_out else {}
            more |= {"notes": notes} if notes else {}
            print_json({"written": [str(path) for path in paths]} | more)
            return 0
        print_reading(notes, {})
        for path in paths:
            print_path(path)
        if left_out:
            Console(stderr=True).print(left_out, highlight=False)
        return 0

    def check(self, paths: Sequence[Path]) -> None:
        """Refuse files that cannot or should not be written, before anything is counted."""
        from engram.policy.measure import check_suffix  # noqa: PLC0415  not for --help

        for path in paths:
            check_suffix(path, drawn=self.what != "context")
            check_writable(path.parent)
            if path.is_dir():
                raise EngramError(f"{path} is a folder; name a file in it")
            if path.exists() and not self.force:
                raise EngramError(f"{path} already exists; use --force to replace it")

    def passages(self, engine: "Engine", query: str) -> "Context":
        """The requested passages; all if no limit is given."""
        limit = self.limit
        if limit is None:
            limit = int(engine.tally(query, None).occurrences.sum())
        return engine.context(query, limit, width=self.width)

    def left_out(self, answer: "Answer") -> str:
        """Note on what a limit left out."""
        from engram.policy.engine import Context  # noqa: PLC0415  not for --help

        if not isinstance(answer, Context) or len(answer.passages) == answer.total:
            return ""
        return (
            f"{len(answer.passages)} of {answer.total} passages written, the earliest; leave out "
            "--limit to write all"
        )

    def corpus(self) -> str:
        """The origin of the counts, for the title of a plot."""
        return f"Solr, {self.solr_url}" if self.engine == "solr" else f"store {self.store}"


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
    indicators: tuple[Name, ...] = ()
    table: Path | None = None
    year: str = ""
    columns: tuple[Name, ...] = ()
    names: tuple[Name, ...] = ()
    lags: int = 5
    seed: int = 0
    out: Path = Path("runs/relate")

    def __call__(self) -> int:
        """Save and print the report, and the path of its page last."""
        from engram.policy.relate import check_settings  # noqa: PLC0415  not for --help
        from engram.report import print_report, save_report  # noqa: PLC0415

        named = name_queries(self.queries, self.names)
        check_settings(self.lags, self.seed)
        check_writable(self.out)
        report = self.report(named)
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

    def read(self) -> tuple[list["Series"], dict[str, str], list[str]]:
        """The indicators, the hashes of all files read, and notes."""
        from engram import data  # noqa: PLC0415  not for --help
        from engram.policy.relate import (  # noqa: PLC0415
            INDICATORS,
            SIX,
            read_indicators,
            read_table,
        )

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


def check_writable(folder: Path) -> None:
    """Create a folder and check that it is writable, before anything is computed.

    Args:
        folder: The folder.

    Raises:
        OSError: If it cannot be created or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def _digest(store: str) -> str:
    """SHA-256 of the hashes of a store's segments, to identify what was counted."""
    from engram.policy import Store  # noqa: PLC0415  not for --help

    names = sorted(entry.sha256 for entry in Store(store).manifest.segments)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
