"""`engram study run NAME`: every field of a study's settings is a flag."""

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import arg

from engram.cli.output import print_line
from engram.report import Report, print_report
from engram.study import Study, execute, run_folder


@dataclass(frozen=True, kw_only=True)
class RunStudy:
    """Run a study.

    `settings`, a field generated for each study by `runner`, holds the values of its flags.
    """

    out: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help="Folder for the journal and the report.",
            help_behavior_hint="(default: runs/NAME-DIGEST)",
        ),
    ] = None
    fresh: Annotated[bool, arg(help="Discard the results of an earlier run in the folder.")] = False

    def __call__(self) -> int:
        """Run the study, print the report, and the path of its page last."""
        study: Study = getattr(self, "settings")  # noqa: B009  each study makes its own field
        folder = self.out or run_folder(study)
        report = execute(study, folder, fresh=self.fresh)
        print_report(report, Console())
        self.draw(report)
        print_line(folder / "report.html")
        return 0

    def draw(self, report: Report) -> None:
        """Draw nothing: the page has the figures."""


def runner(study: type[Study], command: type[RunStudy] = RunStudy) -> type[RunStudy]:
    """Make the command of a study.

    Args:
        study: The study.
        command: What runs it.
    """
    settings = ("settings", Annotated[study, arg(name="")], field(kw_only=True))
    return make_dataclass(command.__name__, [settings], bases=(command,), frozen=True)
