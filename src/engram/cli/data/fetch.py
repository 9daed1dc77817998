"""`engram data fetch NAME`."""

from dataclasses import dataclass

from tyro.conf import Positional

from engram import data
from engram.cli.output import print_line
from engram.progress import bars


@dataclass(frozen=True)
class FetchData:
    """Download a dataset into the cache, unless it is already there.

    Args:
        name: Name of the dataset.
    """

    name: Positional[str]

    def __call__(self) -> int:
        """Fetch the dataset and print where it is."""
        with bars() as progress:
            path = data.fetch(self.name, progress=progress)
        print_line(path)
        return 0
