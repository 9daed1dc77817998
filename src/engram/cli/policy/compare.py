"""`engram policy compare`."""

from dataclasses import dataclass

from tyro.conf import Positional

from engram.cli.output import print_json
from engram.cli.policy.asking import Counting, name_queries
from engram.cli.policy.reading import forms_to_dict, print_answer, print_reading, without
from engram.policy.measure import comparison, interval_table, ratio_table, to_dict


@dataclass(frozen=True)
class Compare(Counting):
    """Compare queries side by side, with the ratio of each rate to that of the first.

    Args:
        queries: Two queries or more.
        forms: List the word forms that were counted.
        limit: Maximum number of groups, those with the most occurrences; all by default.
    """

    queries: Positional[tuple[str, ...]]
    forms: bool = True
    limit: int | None = None

    def __call__(self) -> int:
        """Print ratios and frequencies."""
        named = name_queries(self.queries, self.names)
        with self.opened() as engine:
            found = comparison(
                engine, named, self.grouping, self.how, forms=self.forms, limit=self.limit
            )
        answer = without(found.groups, found.notes)
        if self.json:
            print_json(
                to_dict(answer)
                | {"notes": [*found.notes, *answer.notes], "forms": forms_to_dict(found.forms)}
                | {"ratios": [ratio._asdict() for ratio in found.ratios]}
                | {"ratios_by_group": [ratio._asdict() for ratio in found.by_group]}
            )
            return 0
        print_reading(found.notes, found.forms)
        tables = [interval_table(answer), ratio_table(found.ratios)]
        if any(ratio.value is not None for ratio in found.by_group):
            tables.append(ratio_table(found.by_group, self.by))
        print_answer(" · ".join(named), tables, answer.notes)
        return 0
