"""`engram critical measure`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from engram.cli.output import print_json, print_line
from engram.report import print_report
from engram.studies.recording import RecordingCriticality
from engram.study import execute, run_folder


@dataclass(frozen=True)
class MeasureRecording:
    """Measure irregularity and criticality of a recording of spikes.

    Args:
        path: NWB, HDF5 of trains, csv, tsv, npy, or a folder of Phy or Kilosort.
        time_unit: Unit of the times of a table: s, ms, us or samples.
        rate_hz: Samples per second, where times are numbers of samples.
        dt_s: Width of a bin of a raster, in seconds.
        time_axis: Axis of a raster along which time runs; default: the longer one.
        duration_s: Duration of the recording, in seconds; default: as the file says.
        groups: Groups of sorted clusters to read from a folder of Phy or Kilosort.
        bin_s: Width of a bin of the avalanches, in seconds; default: the mean interval between
            spikes of all units, or the bins of a raster.
        quantile: An avalanche is a run of bins above this quantile of the activity.
        surrogates: Number of recordings with shifted trains, 19 or more.
        draws: Number of samples of each bootstrap.
        seed: Seed of the surrogates and the bootstraps.
        out: Folder for the journal and the report.
        fresh: Discard the results of an earlier run in the folder.
        json: Print JSON.
    """

    path: Positional[str]
    time_unit: Literal["s", "ms", "us", "samples"] | None = None
    rate_hz: float | None = None
    dt_s: float | None = None
    time_axis: Literal[0, 1] | None = None
    duration_s: float | None = None
    groups: tuple[str, ...] = ("good",)
    bin_s: float | None = None
    quantile: float = 0.0
    surrogates: int = 19
    draws: int = 200
    seed: int = 0
    out: Annotated[
        Path | None,
        arg(metavar="DIR", help_behavior_hint="(default: runs/critical-measure-DIGEST)"),
    ] = None
    fresh: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Run the study, print its report, and the path of its page last."""
        study = RecordingCriticality(
            self.path,
            self.time_unit,
            self.rate_hz,
            self.dt_s,
            self.time_axis,
            self.duration_s,
            self.groups,
            self.bin_s,
            self.quantile,
            self.surrogates,
            self.draws,
            self.seed,
        )
        folder = self.out or run_folder(study)
        report = execute(study, folder, fresh=self.fresh)
        if self.json:
            print_json(report.to_dict())
        else:
            print_report(report, Console())
            print_line(folder / "report.html")
        return 0
