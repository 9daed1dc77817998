"""Compare: whether one query is said more often than another, with documents as clusters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engram.policy.engine import Engine
from engram.policy.measure.frequency import name_queries
from engram.policy.measure.interval import rate_ratio
from engram.policy.query import parse, universe


class Ratio(NamedTuple):
    """The rate of one query over that of another, per token, over the whole record.

    Args:
        query: The query, by name.
        base: What it is compared with.
        value: The ratio of their rates; None if one of them does not occur.
        low: Lower end of its interval.
        high: Upper end.
        paired: Whether both have the same filters, and so count the same documents; if not,
            these are taken as independent.
    """

    query: str
    base: str
    value: float | None
    low: float | None
    high: float | None
    paired: bool


def compare(
    engine: Engine, queries: Sequence[str] | Mapping[str, str], level: float = 0.95
) -> list[Ratio]:
    """Compare each query with the first one.

    Args:
        engine: What counts.
        queries: Two or more queries, or several by name.
        level: Confidence level, in (0, 1).

    Raises:
        ValueError: If there are fewer than two, or one does not parse.
    """
    named = name_queries(queries)
    if len(named) < 2:
        raise ValueError(f"{len(named)} query has nothing to be compared with; give two or more")
    counts = {name: engine.per_document(query, None) for name, query in named.items()}
    filters = {name: universe(parse(query)) for name, query in named.items()}
    base, *others = named
    found = []
    for name in others:
        paired = filters[name] == filters[base]
        ratio = rate_ratio(counts[name], counts[base], paired, level)
        value, low, high = (None, None, None) if ratio is None else ratio[:3]
        found.append(Ratio(name, base, value, low, high, paired))
    return found
