"""A generated record and indicators, with planted relations and unrelated nonsense series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from engram.policy.document import Document
from engram.series import Series

FIRST, LAST = 1791, 2024
"""The years of the generated record."""
MESSAGE_WORDS = 8_000
"""Words per message, about as many as an annual message has."""
VOTE_WORDS = 300
LAST_VOTES = 1950
"""Last year with votes in the record: its mix of types changes, as in real records."""
BASE_RATE = 1_500.0
"""Occurrences per million words in the first year."""

TAXES = ("tax", "taxes", "taxation", "duty", "duties", "tariff", "excise")
FILLER = (
    "the of and to in a that our which be by for is on as have with it this was at from all "
    "congress states government nation people country public treaty commerce army navy harbor "
    "river territory citizens peace war law justice office department report year session union "
    "foreign relations interest attention subject present great system service land minister "
    "condition power right character opinion measure respect principle history school"
)
"""The words of the remaining text, by decreasing frequency."""


@dataclass(frozen=True)
class Planting:
    """A planted relation in the generated data.

    Args:
        term: The term.
        indicator: The indicator.
        lag: Years by which the indicator follows the term.
    """

    term: str
    indicator: str
    lag: int


PLANTED = (
    Planting("DECREASE", "planted shortfall", -1),
    Planting("INCREASE", "planted yield", 2),
)
"""Talk of lower taxes follows a shortfall by a year; a yield follows talk of higher taxes."""
NONSENSE = ("nonsense walk 1", "nonsense walk 2", "nonsense walk 3", "nonsense walk 4")


@dataclass(frozen=True, eq=False)
class PlantedRecord:
    """A generated record.

    Args:
        documents: Messages of every year, and votes until 1950.
        indicators: Two indicators that are related to the language of the record, and four that
            are not.
        plantings: The planted relations.
    """

    documents: tuple[Document, ...]
    indicators: tuple[Series, ...]
    plantings: tuple[Planting, ...] = PLANTED


def planted_record(
    phrases: dict[str, Sequence[str]], rng: np.random.Generator, strength: float = 0.7
) -> PlantedRecord:
    """Generate a record whose language moves with two of six indicators.

    The logarithm of each term's rate and every indicator are random walks that drift upwards, so
    that all of them correlate in levels. Their steps are independent except for the planted pairs,
    whose steps correlate by `strength` at the planted lag.

    Args:
        phrases: Wordings of each term, "DECREASE" and "INCREASE"; {} stands for a tax.
        rng: Random generator for the record.
        strength: Correlation of the planted steps, in [0, 1].
    """
    years = np.arange(FIRST, LAST + 1)
    steps = {term: rng.standard_normal(len(years)) for term in phrases}
    rates = {
        term: BASE_RATE * 1e-6 * np.exp(0.3 * _walk(moves, drift=0.04))
        for term, moves in steps.items()
    }
    indicators = [
        _series(planting.indicator, years, _echo(steps[planting.term], planting.lag, strength, rng))
        for planting in PLANTED
    ]
    indicators += [_series(name, years, rng.standard_normal(len(years))) for name in NONSENSE]
    return PlantedRecord(tuple(_documents(years, rates, phrases, rng)), tuple(indicators))


def _walk(steps: NDArray[np.float64], drift: float) -> NDArray[np.float64]:
    """A drifting, slightly mean-reverting walk, so that rates stay within what texts can hold."""
    level, walk = 0.0, np.empty(len(steps))
    for t, step in enumerate(steps):
        level = 0.9 * level + step
        walk[t] = level + drift * t / 2
    return walk


def _echo(
    steps: NDArray[np.float64], lag: int, strength: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Steps that correlate with those of `lag` years before."""
    own = rng.standard_normal(len(steps))
    return strength * np.roll(steps, lag) + np.sqrt(1 - strength**2) * own


def _series(name: str, years: NDArray[np.int64], steps: NDArray[np.float64]) -> Series:
    return Series(name, years.tolist(), np.cumsum(steps + 0.2), axis="year", unit="points")


def _documents(
    years: NDArray[np.int64],
    rates: dict[str, NDArray[np.float64]],
    phrases: dict[str, Sequence[str]],
    rng: np.random.Generator,
) -> Iterator[Document]:
    for position, year in enumerate(years.tolist()):
        wordings = [
            str(rng.choice(phrases[term])).format(rng.choice(TAXES))
            for term, rate in rates.items()
            for _ in range(rng.poisson(rate[position] * MESSAGE_WORDS))
        ]
        yield Document(
            id=f"generated:message-{year}",
            doc_type="message",
            date=date(year, 12, 1),
            title=f"Generated message, {year}",
            text=_text(wordings, MESSAGE_WORDS, rng),
            chamber="executive",
            source="generated",
        )
        if year <= LAST_VOTES:
            yield Document(
                id=f"generated:vote-{year}",
                doc_type="vote",
                date=date(year, 6, 1),
                title=f"Generated vote, {year}",
                text=_text([], VOTE_WORDS, rng),
                chamber="house",
                source="generated",
            )


def _text(wordings: Sequence[str], words: int, rng: np.random.Generator) -> str:
    """Sentences of frequent and rare words; wordings are in the middle of a sentence."""
    filler = FILLER.split()
    frequency = 1 / np.arange(2, len(filler) + 2)
    drawn = rng.choice(filler, (max(words // 12, len(wordings)), 12), p=frequency / frequency.sum())
    sentences = [row.tolist() for row in drawn]
    for place, wording in zip(rng.permutation(len(sentences)), wordings, strict=False):
        sentences[place].insert(6, wording)
    return " ".join(f"{' '.join(sentence).capitalize()}." for sentence in sentences)
