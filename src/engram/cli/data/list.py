"""`engram data list`."""

from dataclasses import dataclass

from engram import data
from engram.cli.output import print_rows


@dataclass(frozen=True)
class ListData:
    """List the datasets and other files of the catalogue, with their licences."""

    def __call__(self) -> int:
        """Print one line per dataset."""
        print_rows(
            (name, entry.description, entry.licence) for name, entry in data.CATALOGUE.items()
        )
        return 0
