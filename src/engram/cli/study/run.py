"""`engram study run NAME`: every field of a study's settings is a flag."""

from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import arg

from engram.cli.output import print_json, print_line
from engram.report import Report, print_report
from engram.study import Study, execute, run_folder


@dataclass(frozen=True, kw_only=True)
class RunStudy:
    """Run a study.

    `settings`, a field generated for each study by `runner`, holds the values of its flags.
    """

    out: Path | None = None
    fresh: Annotated[bool, arg(help="Discard the results of an earlier run in the folder.")] = False

    def __call__(self) -> int:
        """Run the study, print the report, and the path of its page last."""
        folder = self.out or run_folder(self.study)
        report = execute(self.study, folder, fresh=self.fresh)
        self.show(report, folder)
        return 0

    @property
    def study(self) -> Study:
        """The study with the settings that were asked for."""
        return getattr(self, "settings")  # noqa: B009  each study makes its own field

    def show(self, report: Report, folder: Path) -> None:
        """Print the report, and the path of its page."""
        show_report(report, folder, self.draw)

    def draw(self, report: Report) -> None:
        """Draw nothing: the page has the figures."""


@dataclass(frozen=True, kw_only=True)
class RunForJson(RunStudy):
    """Run a study that has a command of its own, whose report can be printed as JSON."""

    json: Annotated[bool, arg(help="Print JSON.")] = False

    def show(self, report: Report, folder: Path) -> None:
        """Print the report and the path of its page, or JSON alone."""
        if self.json:
            print_json(report.to_dict())
        else:
            super().show(report, folder)


def show_report(report: Report, folder: Path, draw: Callable[[Report], None] | None = None) -> None:
    """Print a report, and the path of its page last.

    Args:
        report: The report.
        folder: Folder of its page.
        draw: Draws what the terminal shows besides.
    """
    print_report(report, Console())
    if draw is not None:
        draw(report)
    print_line(folder / "report.html")


def runner(study: type[Study], command: type[RunStudy] = RunStudy) -> type[RunStudy]:
    """Make the command of a study.

    Args:
        study: The study.
        command: What runs it.
    """
    settings = ("settings", Annotated[study, arg(name="")], field(kw_only=True))
    folder = arg(
        metavar="DIR",
        help="Folder for the journal and the report.",
        help_behavior_hint=f"(default: runs/{study.name}-DIGEST)",
    )
    out = ("out", Annotated[Path | None, folder], field(default=None, kw_only=True))
    about = {"__doc__": command.__doc__}
    return make_dataclass(
        command.__name__, [settings, out], bases=(command,), namespace=about, frozen=True
    )
