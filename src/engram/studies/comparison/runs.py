"""Contenders trained from several seeds, each training a piece of work of the journal."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engram.journal import Journal

Outcomes = Mapping[str, Sequence[dict[str, Any]]]
"""For each contender, what was found of each of its trainings."""


def compare(
    journal: Journal,
    contenders: Mapping[str, str],
    seeds: Sequence[int],
    train: Callable[[str, int], dict[str, Any]],
    report: Callable[[Outcomes], None],
) -> None:
    """Train each contender once per seed, and report what is done, also on an interrupt.

    Args:
        journal: Keeps each finished training; one that it has already is not repeated.
        contenders: Names, and what to call each in the journal.
        seeds: One for each training of a contender.
        train: Trains a contender from a seed, and returns what JSON can hold.
        report: Told the outcomes: all of them, or those that there are when a run is stopped.
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
