"""Outcome: what became of the files of an input."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engram.policy.ingestion.partition import Plan, kind_of_name
from engram.policy.store import SourceEntry


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """What became of the files of one input.

    Args:
        location: Its path or URL, as given.
        status: "read" if anything is new, "already there" if all that is read is in the store,
            "nothing readable" if no loader reads any of its files, "empty" if it has none.
        files: How many files and members the loaders read, superseded ones included.
        beside: How many are read together with others, as tables of speakers are.
        superseded: How many have a better form beside them, which is read instead.
        unread: How many are not read, by reason.
        kinds: How many are not read, by the ending of their names.
    """

    location: str
    status: str
    files: int
    beside: int
    superseded: int
    unread: dict[str, int]
    kinds: dict[str, int]


def gone_through(location: str, plan: Plan, status: str) -> SourceOutcome:
    """What became of the files of an input that has been gone through.

    Args:
        location: The input's path or URL.
        plan: What its files were divided by.
        status: "read" or "already there", should it have files that can be read.
    """
    reasons = Counter(one.reason for one in plan.left_out)
    kinds = Counter(kind_of_name(one.name) for one in plan.left_out)
    if not plan.files:
        status = "nothing readable" if plan.left_out else "empty"
    counts = (plan.files, plan.beside_others, plan.superseded)
    return SourceOutcome(location, status, *counts, dict(reasons), dict(kinds))


def recorded(
    location: str, entry: SourceEntry, unread: Iterable[Mapping[str, str]]
) -> SourceOutcome:
    """What the store says of an input that it holds as a whole.

    Args:
        location: The input's path or URL.
        entry: The store's entry.
        unread: Its files that are not read: the name and the reason of each.
    """
    reasons: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for one in unread:
        reasons[one["reason"]] += 1
        kinds[kind_of_name(one["name"])] += 1
    status = "already there" if entry.files else "nothing readable" if kinds else "empty"
    return SourceOutcome(location, status, entry.files, 0, 0, {**reasons}, {**kinds})
