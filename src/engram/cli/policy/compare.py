"""`engram policy compare`."""

from dataclasses import dataclass

from tyro.conf import Positional

from engram.cli.output import print_json
from engram.cli.policy.asking import Counting, name_queries
from engram.cli.policy.reading import (
    forms_to_dict,
    print_answer,
    print_reading,
    read_forms,
    read_notes,
    without,
)
from engram.policy.measure import compare, foremost, interval_table, ratio_table, to_dict


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
            ratios = compare(engine, named)
            answer = foremost(self.count(engine, named, self.grouping), self.limit)
            groups = {row.group for row in answer.rows}
            grouped = compare(engine, named, by=self.grouping) if self.grouping else []
            forms = read_forms(engine, named.values()) if self.forms else {}
            notes = read_notes(named.values(), engine)
        answer = without(answer, notes)
        grouped = [ratio for ratio in grouped if ratio.group in groups]
        if self.json:
            print_json(
                to_dict(answer)
                | {"notes": [*notes, *answer.notes], "forms": forms_to_dict(forms)}
                | {"ratios": [ratio._asdict() for ratio in ratios]}
                | {"ratios_by_group": [ratio._asdict() for ratio in grouped]}
            )
            return 0
        print_reading(notes, forms)
        tables = [interval_table(answer), ratio_table(ratios)]
        if any(ratio.value is not None for ratio in grouped):
            tables.append(ratio_table(grouped, self.by))
        print_answer(" · ".join(named), tables, answer.notes)
        return 0
