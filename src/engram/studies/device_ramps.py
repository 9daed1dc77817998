"""Which model describes the pulses of a device? Fits to its ramps, compared on other ramps."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, final

import numpy as np
from tyro.conf import Positional

from engram import data
from engram.journal import Journal
from engram.memristor.device import (
    Calibration,
    Direction,
    Quantity,
    Reading,
    calibrate,
    read_ramps,
    response,
)
from engram.report import Figure, Report, Table
from engram.series import Series

NAMES = {True: "set", False: "reset"}


@final
@dataclass(frozen=True)
class DeviceRamps:
    """Fit models of the steps of a device to ramps of pulses.

    Args:
        paths: Tables with a header and a ramp in each column, or a row for each pulse.
        quantity: What the numbers are: conductance or current.
        prefix: Prefix of the unit, S or A: m, u or n; empty for none.
        read_voltage_v: Voltage at which currents were read, in volts.
        value: Column of values of a long table, which has a row for each pulse.
        pulse: Column of pulse numbers of a long table.
        ramp: Column of ramp numbers of a long table; None starts a ramp wherever the pulse number
            does not rise.
        held_out: Share of the ramps by which the model is chosen.
        seed: Seed of the choice of those ramps.
    """

    name: ClassVar[str] = "memristor-calibrate"
    title: ClassVar[str] = "The steps of a device"
    question: ClassVar[str] = "Which model describes the pulses of the device?"

    paths: Positional[tuple[str, ...]]
    quantity: Quantity = "conductance"
    prefix: Literal["", "m", "u", "n"] = ""
    read_voltage_v: float | None = None
    value: str | None = None
    pulse: str = "pulse"
    ramp: str | None = None
    held_out: float = 0.25
    seed: int = 0

    def run(self, report: Report, journal: Journal) -> None:
        """Read the ramps, fit the models, and choose.

        Raises:
            ValueError: If the ramps cannot be read, or are too few.
        """
        journal.expect(1)
        paths = [Path(path) for path in self.paths]
        reading = Reading(
            self.quantity, self.prefix, self.read_voltage_v, self.value, self.pulse, self.ramp
        )
        ramps = read_ramps(paths, reading)
        report.title = ", ".join(path.name for path in paths)
        report.provenance.data.update({path.name: data.sha256_of(path) for path in paths})
        found = calibrate(ramps, held_out=self.held_out, seed=self.seed)
        self._answer(report, found)
        for direction in found.directions:
            self._compare(report, found, direction)
        self._note(report, found)

    def _answer(self, report: Report, found: Calibration) -> None:
        said = [
            f"{NAMES[one.rising]} pulses by {one.chosen.fit.model}, "
            f"{1e6 * one.chosen.held_out_s:.3g} µS from the ramps that were held out"
            for one in found.directions
        ]
        report.answer(f"The nearest models describe {'; '.join(said)}.")

    def _compare(self, report: Report, found: Calibration, direction: Direction) -> None:
        name, width = NAMES[direction.rising], 1e6 * (found.bounds.high_s - found.bounds.low_s)
        rows = [
            [
                one.fit.model,
                1e6 * one.held_out_s,
                1e6 * one.fitted_s,
                width * one.fit.cycle,
                100 * one.fit.between,
                ", ".join(f"{value:.4g}" for value in one.fit.parameters),
            ]
            for one in direction.candidates
        ]
        report.section(f"{name.capitalize()} pulses")
        report.add(
            Table(
                f"Models of {name} pulses",
                [
                    "model",
                    "distance held out (µS)",
                    "distance fitted (µS)",
                    "cycle to cycle (µS)",
                    "ramp to ramp (%)",
                    "parameters",
                ],
                rows,
                f"{len(direction.fitted)} ramps were fitted, {len(direction.held_out)} held out. "
                "Distance: root mean square of whole ramps from the course without noise. Cycle "
                "to cycle: standard deviation of single steps about the mean step. Ramp to ramp: "
                "of the mean step, relative to it. Parameters are shares of the range.",
            )
        )
        shown = sorted(direction.held_out, key=lambda ramp: ramp.name)[0]
        start = np.clip(found.bounds.way(shown.conductance_s[:1], direction.rising), 0.0, 1.0)
        pulses = list(range(len(shown.conductance_s)))
        names = [f"{name}: measured"]
        fits = {one.fit.model: one.fit for one in direction.candidates}
        report.add(Series(names[0], pulses, 1e6 * shown.conductance_s, axis="pulse", unit="µS"))
        for model in dict.fromkeys([direction.chosen.fit.model, "soft-bounds", "linear"]):
            ways = response(model, fits[model].parameters, start, len(pulses) - 1)[:, 0]
            course = 1e6 * found.bounds.conductance_s(ways, direction.rising)
            names.append(f"{name}: {model}")
            report.add(Series(names[-1], pulses, course, axis="pulse", unit="µS"))
        report.add(
            Figure(
                f"A {name} ramp that was held out",
                names,
                y_label="conductance (µS)",
                caption=f"{shown.name}, with the chosen model, soft bounds and equal steps.",
            )
        )

    def _note(self, report: Report, found: Calibration) -> None:
        report.note(
            f"Range: {1e6 * found.bounds.low_s:.4g} to {1e6 * found.bounds.high_s:.4g} µS, the "
            "lowest and the highest conductance of the ramps that were fitted."
        )
        report.note(
            "Models are fitted to one part of the ramps and chosen by the others, so the distance "
            "of the chosen model is slightly optimistic. Ramps of one cell say nothing of the "
            "variation between devices."
        )
