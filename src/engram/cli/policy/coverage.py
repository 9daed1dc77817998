"""`engram policy coverage`."""

from dataclasses import dataclass

from tyro.conf import Positional

from engram.cli.output import print_json
from engram.cli.policy.asking import Asking, Period, name_queries
from engram.cli.policy.reading import print_answer, print_reading, read_notes
from engram.policy.measure import coverage, coverage_tables, to_dict


@dataclass(frozen=True)
class ShowCoverage(Asking):
    """Count documents by type and period, and list periods without documents.

    Args:
        query: Filters that select the documents; all by default.
        by: Period to count by.
    """

    query: Positional[str] = ""
    by: Period = "year"

    def __call__(self) -> int:
        """Print the tables."""
        asked = tuple(name_queries((self.query,)).values()) if self.query else ()
        with self.opened() as engine:
            found = coverage(engine, *asked, by=self.by)
            notes = read_notes(asked, engine)
        if self.json:
            print_json(to_dict(found) | {"notes": [*notes, *found.notes]})
        else:
            print_reading(notes, {})
            print_answer(
                self.query or self.store, coverage_tables(found, every_gap=False), found.notes
            )
        return 0
