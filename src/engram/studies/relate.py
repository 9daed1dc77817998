"""Which indicators are the yearly rates of a nation's words related to?"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from engram import data
from engram.errors import EngramError
from engram.journal import Journal
from engram.policy.measure import frequency
from engram.policy.opening import EngineName, open_engine
from engram.policy.query import read
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
from engram.report import Report
from engram.series import Series


@final
@dataclass(frozen=True)
class RelateIndicators:
    """Relate the yearly rates of queries to indicators.

    Args:
        queries: The queries by name.
        store: Folder or s3:// URL of the record.
        engine: The store itself, or Solr.
        solr_url: Address of the Solr collection; None uses ENGRAM_SOLR_URL.
        indicators: Names of the catalogue; not used if there is a table.
        table: A csv file of your own.
        year: The column of its periods; the first one if empty.
        columns: The columns to relate; all numeric ones if empty.
        lags: Largest lag in years, before and after.
        seed: Seed of all resampling.
    """

    name: ClassVar[str] = "relate"
    title: ClassVar[str] = "Rates and indicators"
    question: ClassVar[str] = "Which indicators are related to it?"

    queries: dict[str, str]
    store: str
    engine: EngineName = "embedded"
    solr_url: str | None = None
    indicators: tuple[str, ...] = SIX
    table: Path | None = None
    year: str = ""
    columns: tuple[str, ...] = ()
    lags: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self.lags, self.seed)
        if self.table is None and (self.year or self.columns):
            raise EngramError(
                "year and columns are for a table of your own; name it as table (--table)"
            )

    def run(self, report: Report, journal: Journal) -> None:
        """Count the queries by year, and relate their rates.

        Raises:
            ValueError: If the record, a query or an indicator cannot be read, or too few years
                are left.
        """
        journal.expect(1)
        report.title = ", ".join(self.queries)
        indicators, hashes, notes = self._read()
        report.provenance.data.update(hashes)
        # another state of the record is another piece of work
        of = hashes.get("record", "Solr")[:12]
        rates = journal.once(f"rates of {report.title} in {of}", self._count)
        terms = [Series.from_dict(one) for one in rates["series"]]
        report_findings(report, relate(terms, indicators, seed=self.seed, lags=self.lags))
        doubts = dict.fromkeys(
            note for query in self.queries.values() for note in read(query).notes
        )
        for note in (*doubts, *rates["notes"], *notes):
            report.note(note)

    def _count(self) -> dict[str, Any]:
        with open_engine(self.store, self.engine, self.solr_url) as engine:
            rates = frequency(engine, self.queries, "year", method="none")
        return {"series": [one.to_dict() for one in rates.series()], "notes": rates.notes}

    def _read(self) -> tuple[list[Series], dict[str, str], list[str]]:
        """The indicators, the hashes of all that is read, and notes."""
        if self.table is None:
            indicators, hashes = read_indicators(self.indicators)
            notes = [
                f"{INDICATORS[name].label}: {INDICATORS[name].about}" for name in self.indicators
            ]
        else:
            indicators, notes = read_table(self.table, self.year, self.columns)
            hashes = {self.table.name: data.sha256_of(self.table)}
        if self.engine == "embedded":
            segments = sorted(entry.sha256 for entry in Store(self.store).manifest.segments)
            hashes["record"] = hashlib.sha256("\n".join(segments).encode()).hexdigest()
        return indicators, hashes, notes
