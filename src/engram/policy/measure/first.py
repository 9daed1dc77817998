"""First occurrence: the earliest document in which a query occurs."""

from engram.policy.engine import Engine, Passage
from engram.policy.query import AnyQuery

WIDTH = 60
"""Characters of text to the left and to the right."""


def first_appearance(engine: Engine, query: AnyQuery) -> Passage | None:
    """The first occurrence of a query: by date, then by id, then by place in the text.

    Args:
        engine: The engine that counts.
        query: The query.

    Returns:
        The passage; None if nothing occurs, as for a query of filters only.

    Raises:
        ValueError: If the query does not parse.
    """
    return next(iter(engine.context(query, limit=1, width=WIDTH).passages), None)
