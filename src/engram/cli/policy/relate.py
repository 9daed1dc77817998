"""`engram policy relate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from engram.cli.output import print_json
from engram.cli.policy.asking import Asking, Name, Names, name_queries, offer_a_record
from engram.cli.study.run import show_report
from engram.cli.words import Several
from engram.policy.relate import INDICATORS, SIX
from engram.studies.relate import RelateIndicators
from engram.study import execute, run_folder


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
        out: Folder for the journal and the report.
        fresh: Discard the results of an earlier run in the folder.
    """

    queries: Positional[tuple[str, ...]]
    indicators: Annotated[tuple[Name, ...], UseAppendAction, Several(INDICATORS.__contains__)] = ()
    table: Path | None = None
    year: str = ""
    columns: Names = ()
    names: Names = ()
    lags: int = 5
    seed: int = 0
    out: Annotated[
        Path | None, arg(metavar="DIR", help_behavior_hint="(default: runs/relate-DIGEST)")
    ] = None
    fresh: bool = False

    def __call__(self) -> int:
        """Run the study, print its report, and the path of its page last."""
        own = self.table is not None
        study = RelateIndicators(
            {name: one.text for name, one in name_queries(self.queries, self.names).items()},
            self.store,
            self.engine,
            self.solr_url,
            () if own else self.indicators or SIX,
            self.table,
            self.year,
            (*self.columns, *self.indicators) if own else self.columns,
            self.lags,
            self.seed,
        )
        folder = self.out or run_folder(study)
        with offer_a_record(self.store):
            report = execute(study, folder, fresh=self.fresh)
        if self.json:
            print_json(report.to_dict())
        else:
            show_report(report, folder)
        return 0
