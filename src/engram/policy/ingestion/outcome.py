"""Outcome: how the files of an input were handled."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engram.policy.ingestion.partition import Plan, kind_of_name
from engram.policy.store import SourceEntry


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """How the files of one input were handled.

    Args:
        location: Its path or URL, as given.
        status: "read" if anything is new, "already there" if all that is read is in the store,
            "nothing readable" if no loader reads any of its files, "empty" if it has none.
        files: Number of files and members that the loaders read, including superseded ones.
        beside: Number of companions, which are read together with others, such as tables of
            speakers.
        superseded: Number of files of which a better form is read instead.
        unread: Number of files not read, by reason.
        kinds: Number of files not read, by suffix.
    """

    location: str
    status: str
    files: int
    beside: int
    superseded: int
    unread: dict[str, int]
    kinds: dict[str, int]


def gone_through(location: str, plan: Plan, status: str) -> SourceOutcome:
    """The outcome for an input that has been processed.

    Args:
        location: The input's path or URL.
        plan: How its files were divided.
        status: "read" or "already there", for an input with readable files.
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
    """The outcome for an input that the store already holds as a whole.

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
