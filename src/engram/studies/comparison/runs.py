"""Train contenders from several seeds; each training is a piece of work of the journal."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engram.journal import Journal

Outcomes = Mapping[str, Sequence[dict[str, Any]]]
"""For each contender, the results of its trainings."""


def compare(
    journal: Journal,
    contenders: Mapping[str, str],
    seeds: Sequence[int],
    train: Callable[[str, int], dict[str, Any]],
    report: Callable[[Outcomes], None],
) -> None:
    """Train each contender once per seed, and report the results, also on an interrupt.

    Args:
        journal: Saves each finished training; one that it already has is not repeated.
        contenders: Names, with the label of each in the journal.
        seeds: One for each training of a contender.
        train: Trains a contender from a seed, and returns JSON-compatible data.
        report: Called with the outcomes: all of them, or those available when a run is stopped.
    """
    outcomes: dict[str, list[dict[str, Any]]] = {}
    try:
        for name, label in contenders.items():
            outcomes[name] = [
                journal.once(f"{label}, seed {seed}", partial(train, name, seed)) for seed in seeds
            ]
    finally:
        if outcomes:
            report(outcomes)
