"""The settings of the study, its pieces of work, and notes for the reader."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, final

from engram.errors import EngramError
from engram.journal import Journal
from engram.policy.engine import Engine
from engram.policy.measure import Part, coverage
from engram.policy.relate import INDICATORS, SIX, check_settings, relate, report_findings
from engram.report import Report
from engram.studies.tax_language.control import control, report_control
from engram.studies.tax_language.findings import (
    report_plantings,
    report_rates,
    report_record,
    report_trap,
)
from engram.studies.tax_language.language import TERMS, Counts, count, rates
from engram.studies.tax_language.record import EMBEDDED, Record, open_record

DocType = Literal["message", "speech", "bill", "record", "statute"]


@final
@dataclass(frozen=True)
class TaxLanguage:
    """Relate the frequency of talk about tax increases and decreases to six indicators.

    Args:
        store: A store made by `engram policy ingest`, as a path or URL; None uses the corpora.
        corpora: Sources of the catalogue to ingest, once, into the user's cache; by default the
            annual messages included in Engram.
        indicators: Names of the indicators; by default the federal series included in Engram.
        doc_type: The type of documents that is counted; rates over several types would reflect
            their mix.
        generated: Use the generated record, with known relations.
        control: Also apply the test to a generated record, as a positive control.
        lags: Largest lag in years, before and after.
        draws: Number of sign patterns of the deciding test.
        replicates: Number of resamples of the bootstrap intervals.
        nonsense: Number of generated nonsense series for the negative control.
        seed: Seed of all random numbers.
        workers: Number of processes for ingestion.
    """

    name: ClassVar[str] = "tax-language"
    title: ClassVar[str] = "The language of taxes and the economy"
    question: ClassVar[str] = (
        "Does talk of raising or lowering taxes go with the economy, or do both only drift?"
    )

    store: str | None = None
    corpora: tuple[str, ...] = (EMBEDDED,)
    indicators: tuple[str, ...] = SIX
    doc_type: DocType = "message"
    generated: bool = False
    control: bool = True
    lags: int = 5
    draws: int = 1999
    replicates: int = 999
    nonsense: int = 200
    seed: int = 0
    workers: int = 2

    def __post_init__(self) -> None:
        check_settings(self.lags, self.seed)
        for field, least in (
            ("draws", 99), ("replicates", 99), ("nonsense", 1), ("workers", 1)
        ):  # fmt: skip
            value = getattr(self, field)
            if value < least:
                raise EngramError(f"{field} is {value}; give at least {least}")
        unknown = [name for name in self.indicators if name not in INDICATORS]
        if unknown or not self.indicators:
            raise EngramError(
                f"indicators are {list(self.indicators)}; choose some of {', '.join(INDICATORS)}"
            )
        if self.generated and self.store:
            raise EngramError(f"generated with store {self.store}: choose one of them")

    def run(self, report: Report, journal: Journal) -> None:
        """Count both terms, describe the record, and relate the rates to the indicators.

        Raises:
            ValueError: If the record or an indicator cannot be read, or too few years are left.
        """
        controlled = self.control and not self.generated
        journal.expect(1 + len(TERMS) + controlled)
        with open_record(
            self.store, self.corpora, self.indicators, self.generated, self.seed, self.workers
        ) as record:
            report.provenance.data.update(record.sha256)
            for note in (*record.notes, *describe(self, record)):
                report.note(note)
            found = journal.once("coverage", partial(_composition, record.engine))
            parts = {name: [Part(*part) for part in some] for name, some in found.items()}
            if self.doc_type not in parts:
                raise EngramError(
                    f"the record has no {self.doc_type}: set doc_type to one of "
                    f"{', '.join(parts)}, or add such documents"
                )
            counted = {
                term: Counts.load(
                    journal.once(term, partial(count, record.engine, term, self.doc_type))
                )
                for term in TERMS
            }
        report_record(report, parts, self.doc_type)
        report_rates(report, counted)
        terms = [rates(term, counts.year, "year") for term, counts in counted.items()]
        findings = relate(
            terms,
            record.indicators,
            seed=self.seed,
            lags=self.lags,
            draws=self.draws,
            replicates=self.replicates,
            nonsense=self.nonsense,
        )
        report_trap(report, findings)
        report_findings(report, findings)
        if record.plantings:
            report_plantings(report, findings, record.plantings)
        if controlled:
            planted = journal.once("positive control", partial(control, self.seed, self.draws))
            report_control(report, planted["rows"])


def describe(study: TaxLanguage, record: Record) -> list[str]:
    """Notes for the reader on the methods."""
    notes = [
        f"{term} counts {query} in documents of type {study.doc_type}; words are compared by "
        "their stems, and each minimal passage counts once."
        for term, query in TERMS.items()
    ]
    if not record.plantings:
        notes += [
            f"{INDICATORS[name].label}: {INDICATORS[name].about}" for name in study.indicators
        ]
    return notes


def _composition(engine: Engine) -> dict[str, list[Part]]:
    """The years of each type that have documents."""
    found = coverage(engine)
    return {
        name: [part for part in found.of(name) if part.documents] for name in sorted(found.types)
    }
