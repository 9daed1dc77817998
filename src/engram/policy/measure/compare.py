"""Compare: whether one query occurs more often than another, with documents as clusters."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from engram.errors import EngramError
from engram.policy.engine import Answer, Engine, Question
from engram.policy.measure.frequency import Queries, group_name, name_queries
from engram.policy.measure.interval import rate_ratio
from engram.policy.query import Query, universe
from engram.policy.tally import DocumentCounts, Label


class Ratio(NamedTuple):
    """The ratio of the rates per token of two queries, over the record or one group of it.

    Args:
        query: The query, by name.
        base: The query that it is compared with.
        value: The ratio of their rates; None if one of the two does not occur.
        low: Lower end of the interval.
        high: Upper end.
        paired: Whether both have the same filters and so count the same documents; if not, the two
            sets of documents are treated as independent.
        group: The group whose documents count; "all" for the whole record.
    """

    query: str
    base: str
    value: float | None
    low: float | None
    high: float | None
    paired: bool
    group: int | str = "all"


def compare(
    engine: Engine, queries: Queries, level: float = 0.95, by: str | None = None
) -> list[Ratio]:
    """Compare each query with the first one.

    Args:
        engine: The engine that counts.
        queries: Two or more queries, or several by name.
        level: Confidence level, in (0, 1).
        by: One of `GROUPINGS`, for a ratio in each group; None for one ratio over everything.

    Returns:
        For each query but the first, its ratios by group in the order of the groups.

    Raises:
        ValueError: If there are fewer than two, one does not parse, or the grouping is unknown.
    """
    named, question = name_queries(queries), Question(each=(by,))
    check_several(named)
    answers = {name: engine.answer(query, question) for name, query in named.items()}
    return ratios_of(named, answers, level, by)


def check_several(queries: Mapping[str, Query]) -> None:
    """Raise if there is nothing to compare.

    Args:
        queries: The queries by name.

    Raises:
        ValueError: If there are fewer than two.
    """
    if len(queries) < 2:
        raise EngramError(f"{len(queries)} query cannot be compared; give two or more queries")


def ratios_of(
    queries: Mapping[str, Query], answers: Mapping[str, Answer], level: float, by: str | None
) -> list[Ratio]:
    """The ratios from answers with the counts of every document.

    Args:
        queries: The queries by name.
        answers: Their answers by name.
        level: Confidence level, in (0, 1).
        by: One of the groupings of the counts.
    """
    counts = {name: answer.counts[by] for name, answer in answers.items()}
    filters = {name: universe(query.tree) for name, query in queries.items()}
    base, *others = queries
    found = []
    for name in others:
        paired = filters[name] == filters[base]
        labels = dict.fromkeys((*counts[base].groups, *counts[name].groups))
        for label in labels if by else (None,):
            one, other = (_of(counts[query], label) for query in (name, base))
            some = len(one.tokens) and len(other.tokens)
            ratio = rate_ratio(one, other, paired, level) if some else None
            value, low, high = (None, None, None) if ratio is None else ratio[:3]
            found.append(Ratio(name, base, value, low, high, paired, group_name(label, by)))
    return found


def _of(counts: DocumentCounts, label: Label) -> DocumentCounts:
    """The documents of one group."""
    if label not in counts.groups:
        chosen = np.zeros(len(counts.tokens), dtype=bool)
    else:
        chosen = counts.group == counts.groups.index(label)
    return DocumentCounts(
        counts.by,
        (label,),
        np.zeros(int(chosen.sum()), dtype=np.int64),
        counts.matched[chosen],
        counts.occurrences[chosen],
        counts.tokens[chosen],
    )
