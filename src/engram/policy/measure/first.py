"""First occurrence: the earliest document in which a query occurs."""

from datetime import date

from engram.policy.engine import Engine, Passage
from engram.policy.measure.grouping import within

WIDTH = 60
"""Characters of text to the left and to the right."""


def first_appearance(engine: Engine, query: str) -> Passage | None:
    """The first occurrence of a query: by date, then by id, then by place in the text.

    Args:
        engine: The engine that counts.
        query: The query.

    Returns:
        The passage; None if nothing occurs, as for a query of filters only.

    Raises:
        ValueError: If the query does not parse.
    """
    tally = engine.tally(query, "year")
    found = [
        int(year)
        for year, count in zip(tally.groups, tally.occurrences.tolist(), strict=True)
        if count and year is not None
    ]
    if not found:
        return None
    year = min(found)
    part = within(query, date(year, 1, 1), date(year, 12, 31))
    return engine.context(part, limit=1, width=WIDTH).passages[0]
