"""`engram study list`."""

from dataclasses import dataclass

from engram import studies
from engram.cli.output import print_rows


@dataclass(frozen=True)
class ListStudies:
    """List the studies and the questions they answer."""

    def __call__(self) -> int:
        """Print one line per study."""
        print_rows((name, entry.summary) for name, entry in studies.STUDIES.items())
        return 0
