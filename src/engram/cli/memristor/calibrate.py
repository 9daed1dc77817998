"""`engram memristor calibrate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from engram.cli.output import print_json, print_line
from engram.report import print_report
from engram.studies.device_ramps import DeviceRamps
from engram.study import execute, run_folder


@dataclass(frozen=True)
class CalibrateDevice:
    """Fit models of a device to ramps of pulses, and choose one by ramps that were held out.

    Args:
        paths: Tables with a header and a ramp in each column, or a row for each pulse.
        quantity: What the numbers are: conductance or current.
        prefix: Prefix of the unit, S or A: m, u or n; empty for none.
        read_voltage_v: Voltage at which currents were read, in volts.
        value: Column of values of a long table, which has a row for each pulse.
        pulse: Column of pulse numbers of a long table.
        ramp: Column of ramp numbers of a long table; default: a ramp starts wherever the pulse
            number does not rise.
        held_out: Share of the ramps by which the model is chosen.
        seed: Seed of the choice of those ramps.
        out: Folder for the journal and the report.
        fresh: Discard the results of an earlier run in the folder.
        json: Print JSON.
    """

    paths: Positional[tuple[str, ...]]
    quantity: Literal["conductance", "current"] = "conductance"
    prefix: Literal["", "m", "u", "n"] = ""
    read_voltage_v: float | None = None
    value: str | None = None
    pulse: str = "pulse"
    ramp: str | None = None
    held_out: float = 0.25
    seed: int = 0
    out: Annotated[
        Path | None,
        arg(metavar="DIR", help_behavior_hint="(default: runs/memristor-calibrate-DIGEST)"),
    ] = None
    fresh: bool = False
    json: bool = False

    def __call__(self) -> int:
        """Run the study, print its report, and the path of its page last."""
        study = DeviceRamps(
            self.paths,
            self.quantity,
            self.prefix,
            self.read_voltage_v,
            self.value,
            self.pulse,
            self.ramp,
            self.held_out,
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
