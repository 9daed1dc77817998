"""`engram study compare RUN RUN`."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from tyro.conf import Positional

from engram.errors import EngramError
from engram.report import compare, load_report, print_report


@dataclass(frozen=True)
class CompareStudies:
    """Print two saved reports side by side: what differs in their settings and numbers.

    Args:
        one: Folder of a run, or its report.json.
        other: Folder of another run, or its report.json.
    """

    one: Positional[Path]
    other: Positional[Path]

    def __call__(self) -> int:
        """Print the comparison."""
        if self.one.resolve() == self.other.resolve():
            raise EngramError(f"{self.one} and {self.other} are the same run: name two")
        names = (str(self.one), str(self.other))
        print_report(compare(load_report(self.one), load_report(self.other), names), Console())
        return 0
