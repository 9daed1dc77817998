"""`engram data path NAME`."""

from dataclasses import dataclass

from tyro.conf import Positional

from engram import data
from engram.cli.output import print_line


@dataclass(frozen=True)
class LocateData:
    """Print where a dataset is.

    Args:
        name: Name of the dataset.
    """

    name: Positional[str]

    def __call__(self) -> int:
        """Print the path."""
        print_line(data.path(self.name))
        return 0
