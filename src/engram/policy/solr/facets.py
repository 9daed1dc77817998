"""Groups of documents as facets of a request to Solr, and the tallies of its answer."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np

from engram.policy.presidents import presidencies
from engram.policy.tally import Label, Tally, ordered

_FIELD = {"type": "doc_type", "decade": "year", "president": "date"}

Groups = Mapping[Label, Mapping[str, float]]
"""Statistics of groups: "count", the number of documents, and others by name."""


def group_field(by: str) -> str:
    """The field that decides the group of a document.

    Args:
        by: One of `GROUPINGS`.
    """
    return _FIELD.get(by, by)


def group_label(value: Any, by: str) -> Label:
    """The group of a document.

    Args:
        value: Its value in the field of the grouping.
        by: One of `GROUPINGS`.
    """
    if by == "decade":
        return value // 10 * 10
    if by == "president":
        day = date.fromisoformat(value[:10])
        return presidencies()[bisect_right(presidencies(), day, key=lambda one: one[0]) - 1][1]
    return value


def group_facets(groupings: Iterable[str | None], stats: Mapping[str, str]) -> dict[str, Any]:
    """The facets that compute statistics of all documents, and of each group.

    Args:
        groupings: Some of `GROUPINGS`; None is left out.
        stats: Aggregations by name.
    """
    return dict(stats) | {by: _facet(by, dict(stats)) for by in groupings if by is not None}


def _facet(by: str, stats: dict[str, str]) -> dict[str, Any]:
    facet: dict[str, Any] = {"field": group_field(by), "facet": stats}
    if by != "president":
        return facet | {"type": "terms", "limit": -1, "missing": True}
    days = ["*", *(f"{day}T00:00:00Z" for day, _ in presidencies()[1:]), "*"]
    ranges = [{"range": f"[{first},{behind})"} for first, behind in pairwise(days)]
    return facet | {"type": "range", "ranges": ranges}


def read_groups(facets: Mapping[str, Any], by: str | None) -> Groups:
    """The statistics of each group that has documents.

    Args:
        facets: The answer to `group_facets`.
        by: One of its groupings, or None for all documents together.
    """
    if by is None:
        return {None: facets}
    if not facets["count"]:
        return {}
    buckets = facets[by]["buckets"]
    if by == "president":
        labels: list[Label] = [name for _, name in presidencies()]
    else:
        labels = [group_label(bucket["val"], by) for bucket in buckets]
        buckets, labels = [*buckets, facets[by]["missing"]], [*labels, None]
    groups: dict[Label, Counter[str]] = {}
    for label, bucket in zip(labels, buckets, strict=True):
        if bucket["count"]:
            found = {name: value for name, value in bucket.items() if name != "val"}
            groups.setdefault(label, Counter()).update(found)
    return groups


def tally_of(by: str | None, admitted: Groups, matching: Groups) -> Tally:
    """The tally of a query.

    Args:
        by: The grouping.
        admitted: "tokens" of the documents that pass the filters.
        matching: "occurrences" and "dispersion" of the documents that match.
    """
    groups = ordered(set(admitted), by)

    def column(found: Groups, name: str) -> list[float]:
        return [found.get(label, {}).get(name, 0) for label in groups]

    documents, occurrences, all_documents, all_tokens = (
        np.array(values).round().astype(np.int64)
        for values in (
            column(matching, "count"),
            column(matching, "occurrences"),
            column(admitted, "count"),
            column(admitted, "tokens"),
        )
    )
    dispersion = np.array(column(matching, "dispersion"), dtype=np.float64)
    return Tally(by, groups, documents, occurrences, all_documents, all_tokens, dispersion)
