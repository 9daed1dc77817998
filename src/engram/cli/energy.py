"""`engram energy`: operations, spike-driven verdict and energy of a model."""

from dataclasses import dataclass

from rich.console import Console

from engram.cli.study.run import RunStudy, runner
from engram.report import Report, print_bars
from engram.studies.model_energy import ModelEnergy


@dataclass(frozen=True)
class Measured(RunStudy):
    """Measures a model like a study, and also draws its bars in the terminal."""

    def draw(self, report: Report) -> None:
        """Print the bars of each figure."""
        for figure in report.figures:
            print_bars(figure, report.drawn_by(figure), Console())


MeasureEnergy = runner(ModelEnergy, Measured)
