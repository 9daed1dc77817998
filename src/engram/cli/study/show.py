"""`engram study show RUN`."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from tyro.conf import Positional

from engram.cli.output import print_line
from engram.report import load_report, print_report, save_page


@dataclass(frozen=True)
class ShowStudy:
    """Print a saved report and regenerate its page.

    Args:
        run: Folder of a run, or its report.json.
    """

    run: Positional[Path]

    def __call__(self) -> int:
        """Print the report, and the path of its page last."""
        report = load_report(self.run)
        print_report(report, Console())
        print_line(save_page(report, self.run if self.run.is_dir() else self.run.parent))
        return 0
