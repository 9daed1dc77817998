"""Settings of the study, its pieces of work, its findings, and notes for the reader."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, final, get_args

import numpy as np
import torch

from engram.data import Split, sha256_of
from engram.device import threads
from engram.errors import EngramError
from engram.journal import Journal
from engram.memristor.device import read_device, taox_ramps
from engram.memristor.functional import Derivative
from engram.report import Figure, Report, Table
from engram.series import Series
from engram.stats import t_interval
from engram.studies.binary_stochastic_learning.contenders import (
    LABELS,
    Contender,
    Parts,
    Settings,
    floating,
    stochastic,
)
from engram.studies.binary_stochastic_learning.energy import energy_table
from engram.studies.comparison.accuracy import INTERVALS, Accuracy, signed
from engram.studies.comparison.runs import Outcomes, compare
from engram.study import check_at_least, check_chosen
from engram.train import Examples
from engram.train.pictures import load_images


@final
@dataclass(frozen=True)
class BinaryStochasticLearning:
    """Compare learning by bits, signs and pulses with floating point, on images.

    Args:
        data: A dataset of images: a name of the catalogue, imagefolder:DIR or parquet:DIR.
        size: Side in pixels to which your own images are scaled and cropped.
        limit: Maximum number of training images, with classes in proportion; None uses all.
        validation: Share of the training images held out to select the epoch.
        contenders: What is compared.
        hidden: Units in the hidden layer.
        epochs: Number of passes over the training images.
        batch: Images per step.
        gain: k of the comparators.
        derivative: The derivative bit: shared with the forward bit, of fresh samples, or none.
        dead_zone: Magnitude of Wδ up to which an error is 0, in the unit of a weight.
        read_noise: Standard deviation of a read of one weight, in the unit of a weight; above 0,
            comparators are Gaussian.
        step: Size of a pulse at the start, and at the end.
        carry: C, the count after which a pulse follows, at the start and at the end.
        ramp_carry: The same on ramp devices, whose pulses keep their size.
        tables: Two files of measured changes, of set and of reset pulses, for the contender of
            table devices.
        table_carry: C on those devices, whose pulses may be abrupt.
        passes: N, the stochastic passes whose votes are summed in the comparison.
        votes: Numbers of passes of the curve of accuracy.
        seeds: Number of networks trained for each contender.
        seed: Seed of all random numbers.
        threads: Number of CPU threads of torch; rounding errors of the float networks may depend
            on it.
    """

    name: ClassVar[str] = "binary-stochastic-learning"
    title: ClassVar[str] = "Learning with bits, signs and pulses"
    question: ClassVar[str] = (
        "Does learning with stochastic bits, signed errors and whole pulses reach floating point?"
    )

    data: str = "digits"
    size: int | None = None
    limit: int | None = None
    validation: float = 0.2
    contenders: tuple[Contender, ...] = (
        *("stochastic", "ramps", "float", "regularised", "straight-through", "sign"),
    )
    hidden: int = 300
    epochs: int = 60
    batch: int = 50
    gain: float = 4.0
    derivative: Derivative = "shared"
    dead_zone: float = 0.0
    read_noise: float = 0.0
    step: tuple[float, float] = (0.01, 0.0005)
    carry: tuple[int, int] = (1, 1)
    ramp_carry: tuple[int, int] = (2, 60)
    tables: tuple[str, str] | None = None
    table_carry: tuple[int, int] = (60, 600)
    passes: int = 30
    votes: tuple[int, ...] = (1, 3, 10, 100)
    seeds: int = 5
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        counts = ("hidden", "epochs", "batch", "passes", "seeds", "threads", "limit")
        check_at_least(1, **{name: getattr(self, name) for name in counts})
        check_at_least(1, carry=min(self.carry), ramp_carry=min(self.ramp_carry))
        check_at_least(1, table_carry=min(self.table_carry))
        if "tables" in self.contenders and self.tables is None:
            raise EngramError("the contender tables needs two files: give them as tables")
        check_chosen("contenders", self.contenders, get_args(Contender))
        if not all(0 < n < 1 << 16 for n in (*self.votes, self.passes)):
            raise EngramError(f"votes={self.votes}, passes={self.passes}: give 1 to 65535 passes")
        if not (0 <= self.dead_zone < math.inf and 0 <= self.read_noise < math.inf):
            raise EngramError(
                f"dead_zone={self.dead_zone}, read_noise={self.read_noise}: give 0 or more"
            )
        if not (self.gain > 0 and min(self.step) > 0):
            raise EngramError(f"gain={self.gain}, step={self.step}: give positive numbers")

    def run(self, report: Report, journal: Journal) -> None:
        """Train each contender's networks, and report.

        Raises:
            ValueError: If the data are not images or cannot be read.
        """
        source, splits = load_images(
            self.data,
            size=self.size,
            limit=self.limit,
            validation=self.validation,
            seed=self.seed,
        )
        report.provenance.data.update(source.sha256)
        for path in self.tables or ():
            report.provenance.data[Path(path).name] = sha256_of(Path(path))
        largest = max(float(np.max(image)) for image in splits[0].inputs)
        train, validation, test = (_rows(split, largest) for split in splits)
        parts = Parts(train, validation, test, len(source.classes))
        self._note(report, source, parts)
        journal.expect(len(self.contenders) * self.seeds)
        with threads(self.threads):
            compare(
                journal,
                {name: LABELS[name] for name in self.contenders},
                range(self.seed, self.seed + self.seeds),
                partial(self._train, parts),
                partial(self._report, report, len(parts.test.labels)),
            )

    def _train(self, parts: Parts, name: str, seed: int) -> dict[str, Any]:
        settings = Settings(
            self.hidden,
            self.epochs,
            self.batch,
            self.gain,
            self.step,
            {
                "derivative": self.derivative,
                "dead_zone": self.dead_zone,
                "noise": "gaussian" if self.read_noise else "logistic",
                "read_noise": self.read_noise,
            },
            self.votes,
            self.passes,
        )
        if name == "stochastic":
            return stochastic(parts, settings, seed, self.carry)
        if name == "ramps":
            return stochastic(parts, settings, seed, self.ramp_carry, taox_ramps())
        if name == "tables" and self.tables is not None:
            paths = [Path(path) for path in self.tables]
            device = read_device(paths[0].name, *paths)
            return stochastic(parts, settings, seed, self.table_carry, device)
        return floating(name, parts, settings, seed)  # pyright: ignore[reportArgumentType]

    def _report(self, report: Report, examples: int, outcomes: Outcomes) -> None:
        accuracy = Accuracy(outcomes, examples, self.seed, LABELS, "contender")
        report.add(
            accuracy.table(
                "Accuracy", {}, {}, "Mean over the runs. The 95% interval resamples both runs and "
                "test images. Validation: in the selected epoch; of binary stochastic learning, in "
                "the last.",
            ),
            accuracy.series("test accuracy", "%", accuracy.intervals),
            Figure("Test accuracy", ["test accuracy"], "interval", caption=INTERVALS),
        )  # fmt: skip
        reference = "regularised" if "regularised" in outcomes else next(iter(outcomes))
        gains = accuracy.differences(reference)
        if gains:
            title = f"Paired difference from {LABELS[reference]}"
            report.add(accuracy.difference_table(title, gains, accuracy.conclude(reference, gains)))
        if "stochastic" in outcomes:
            self._curve(report, outcomes["stochastic"])
            report.add(energy_table(outcomes["stochastic"]))
            self._answer(report, accuracy, reference)

    def _answer(self, report: Report, accuracy: Accuracy, reference: str) -> None:
        reached = accuracy.intervals["stochastic"]
        said = (
            f"Binary stochastic learning reaches {reached.estimate:.1f} % of test accuracy with "
            f"{self.passes} passes (95% interval {reached.low:.1f} to {reached.high:.1f})"
        )
        gains = accuracy.differences(reference)
        if "stochastic" in gains:
            gain = gains["stochastic"]
            said += (
                f", {signed(gain.estimate)} points from {LABELS[reference]} "
                f"({signed(gain.low)} to {signed(gain.high)})"
            )
        report.answer(f"{said}.")

    def _curve(self, report: Report, runs: Any) -> None:
        points = sorted(int(n) for n in runs[0]["curve"])
        seen = [[run["curve"][str(n)] for run in runs] for n in points]
        spread = [t_interval(values) if len(values) > 1 else None for values in seen]
        known = all(spread)
        report.add(
            Series(
                "accuracy by passes",
                points,
                [fmean(values) for values in seen],
                axis="N",
                unit="%",
                low=[one.low for one in spread if one] if known else None,
                high=[one.high for one in spread if one] if known else None,
            ),
            Figure(
                "Accuracy against the number of passes",
                ["accuracy by passes"],
                x_label="stochastic passes N",
                x_log=True,
                caption="Votes of N passes of the same networks; bands are 95% t intervals over "
                "the runs." if known else "Votes of N passes of one network.",
            ),
            Table(
                "Pulses",
                ["pulses per weight"],
                [[fmean(run["pulses"] for run in runs)]],
                "Sum over the training, mean over the weights and runs.",
            ),
        )  # fmt: skip

    def _note(self, report: Report, source: Any, parts: Parts) -> None:
        sizes = [len(part.labels) for part in (parts.train, parts.validation, parts.test)]
        report.note(f"Data: {source.name}. Licence: {source.licence}.")
        for note in source.notes:
            report.note(f"Data: {note}.")
        report.note(
            f"{sizes[0]} images were used for training, {sizes[1]} to select the epoch of the "
            f"float networks, and {sizes[2]} for the test, once. Binary stochastic learning is "
            "tested after its last epoch; its settings, and the rates of the float networks, were "
            "chosen on validation images of the digits."
        )
        report.note(
            f"All networks are {parts.train.inputs.shape[1]} → {self.hidden} → {parts.classes} on "
            "pixels between 0 and 1. Float networks: AdamW, a rate that falls to 0; regularised "
            "ones have dropout of 0.2 and 0.5, label smoothing of 0.1 and weight decay. "
            "Straight-through: hidden units of 0 and 1. Sign backpropagation: ReLU, hidden errors "
            "replaced by their signs (after Zhang et al., Neural Networks 108, 2018)."
        )
        report.note(
            "The rule is a reconstruction: of the paper (Li et al., arXiv 2304.12866) the layer "
            "sizes, constants and accuracies are not known to us. Devices are ideal, or "
            "pairs of tantalum oxide cells as published ramps show them, with noise from cycle to "
            "cycle. A pulse moves such a weight by about 0.011 at any time, so C rises over the "
            "training."
        )


def _rows(split: Split, largest: float) -> Examples:
    pixels = np.stack([np.asarray(image, np.float32).ravel() for image in split.inputs])
    inputs = torch.from_numpy(pixels / np.float32(largest or 1.0))
    return Examples(inputs, torch.from_numpy(np.asarray(split.labels, np.int64)))
