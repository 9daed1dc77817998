"""Frequency: how often queries occur by period or field, with denominators and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from engram.errors import EngramError
from engram.policy.engine import Answer, Engine
from engram.policy.measure.filters import filter_notes
from engram.policy.measure.grouping import ALONG, PERIODS
from engram.policy.measure.interval import Floats, dispersion, quasi_poisson, resampled
from engram.policy.measure.measurement import UNITS, Measurement
from engram.policy.query import Query, read
from engram.policy.tally import DocumentCounts, Label, Tally
from engram.series import Series
from engram.stats import wilson

Queries: TypeAlias = str | Query | Sequence[str | Query] | Mapping[str, str | Query]
"""One query, several, or several by name."""

_NAMED = 8
"""Maximum number of gaps named in a note."""

NOT_STATED = "not stated"
"""The label of documents without a value."""


class Row(NamedTuple):
    """One period or group of one query: what is shown, exported and plotted.

    Args:
        query: The query, or the name it was given.
        group: The year, month ("1913-04"), number of the Congress, or name.
        value: What was measured; None where there are no documents, or no terms to divide by.
        low: Lower end of its interval; None if the documents do not suffice for one.
        high: Upper end.
        occurrences: How often the query occurs.
        documents: In how many documents.
        all_documents: Documents that the query's filters admit.
        all_tokens: Their terms.
    """

    query: str
    group: int | str
    value: float | None
    low: float | None
    high: float | None
    occurrences: int
    documents: int
    all_documents: int
    all_tokens: int


@dataclass(frozen=True)
class Frequency:
    """How often queries occur.

    Args:
        by: One of `GROUPINGS`; None for everything together.
        measure: A key of `UNITS`.
        level: Confidence level of the intervals.
        queries: The queries by name, in order.
        rows: Query after query, each in the order of its groups.
        notes: What a reader must know: gaps, and how the intervals were computed.
    """

    by: str | None
    measure: str
    level: float
    queries: dict[str, str]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return UNITS[self.measure]

    def of(self, name: str) -> list[Row]:
        """The rows of a query.

        Args:
            name: Its name.
        """
        return [row for row in self.rows if row.query == name]

    def series(self) -> list[Series]:
        """One series per query, with None at gaps, and with an interval if every value has one."""
        return [self._series(name) for name in self.queries]

    def _series(self, name: str) -> Series:
        rows = self.of(name)
        index = [f"{row.group}-01" if self.by == "month" else row.group for row in rows]
        known = any(row.low is not None for row in rows)
        return Series(
            name,
            index,
            [row.value for row in rows],
            axis={"month": "date", "congress": "Congress"}.get(self.by or "", self.by or ""),
            unit=self.unit,
            low=[row.low for row in rows] if known else None,
            high=[row.high for row in rows] if known else None,
        )


def frequency(
    engine: Engine,
    queries: Queries,
    by: str | None = "year",
    measure: str = "per-million",
    method: str = "quasi-poisson",
    *,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Frequency:
    """Measure how often queries occur.

    The denominators follow the query's own filters: `tax party:Whig` is counted per words of
    Whigs. A period without documents is a gap, never a zero.

    Args:
        engine: The engine that counts.
        queries: One query, several, or several by name.
        by: One of `GROUPINGS`; None for everything together.
        measure: A key of `UNITS`.
        method: One of `METHODS`: φ from all documents, which is fast and takes their lengths as
            given; documents resampled, with their lengths; or none. A share of documents gets
            Wilson's interval.
        level: Confidence level, in (0, 1).
        replicates: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        The rows.

    Raises:
        ValueError: If a setting is unknown, a query does not parse, or two have the same name.
    """
    how = Measurement(measure, method, level, replicates, seed)
    named, question = name_queries(queries), how.question(by)
    answers = {name: engine.answer(query, question) for name, query in named.items()}
    return frequency_of(engine, named, answers, by, how)


def frequency_of(
    engine: Engine,
    queries: Mapping[str, Query],
    answers: Mapping[str, Answer],
    by: str | None,
    how: Measurement,
) -> Frequency:
    """The frequency from the answers to the `question` of the measurement.

    Args:
        engine: The engine that counted.
        queries: The queries by name.
        answers: Their answers by name.
        by: One of the groupings that were asked for.
        how: What is measured.
    """
    rows: list[Row] = []
    notes: list[str] = []
    gaps: dict[str, list[str]] = {}
    streams = np.random.default_rng(how.seed).spawn(len(queries))
    for (name, query), rng in zip(queries.items(), streams, strict=True):
        counted = answers[name].tallies[by]
        low, high, note = _interval(name, answers[name], by, how, rng)
        found = _rows(name, counted, how.measure, low, high)
        filled = _filled(found, by)
        rows += filled
        empty = [] if counted.all_documents.sum() else filter_notes(engine, query, 0)
        said = (note, _outside(found, filled, by), *empty)
        notes += [text for text in said if text and text not in notes]
        gaps.setdefault(_gaps(filled, by), []).append(name)
    notes += engine.notes
    notes += [
        text if len(gaps) == 1 else f"{', '.join(names)}: {text}"
        for text, names in gaps.items()
        if text
    ]
    texts = {name: query.text for name, query in queries.items()}
    return Frequency(by, how.measure, how.level, texts, tuple(rows), tuple(notes))


def name_queries(queries: Queries) -> dict[str, Query]:
    """Return the parsed queries by name; the name of an unnamed one is its text.

    Args:
        queries: One query, several, or several by name.

    Raises:
        ValueError: If there is none, one does not parse, or two have the same name.
    """
    if isinstance(queries, Mapping):
        named = {name: read(query) for name, query in queries.items()}
    else:
        several = (queries,) if isinstance(queries, str | Query) else queries
        some = [read(query) for query in several]
        named = {query.text: query for query in some}
        if len(named) < len(some):
            raise EngramError(f"queries are {[one.text for one in some]}; ask each only once")
    if not named:
        raise EngramError("no query was given; give one or more")
    return named


def period_range(labels: Sequence[Label], by: str) -> list[int | str]:
    """All periods from the first to the last, including those without documents.

    Args:
        labels: Periods of a tally; None is left out.
        by: One of `PERIODS`.
    """
    known = [label for label in labels if label is not None]
    if not known:
        return []
    if by == "month":
        first, last = (np.datetime64(str(pick), "M") for pick in (known[0], known[-1]))
        return [str(month) for month in np.arange(first, last + 1)]
    return list(range(int(known[0]), int(known[-1]) + 1, 10 if by == "decade" else 1))


def _denominator(counted: Tally, measure: str) -> Floats:
    """Denominator of the occurrences, or of the documents of a share, (g)."""
    match measure:
        case "per-million":
            return counted.all_tokens / 1e6
        case "per-document":
            return counted.all_documents.astype(np.float64)
        case "share":
            return counted.all_documents / 100
        case _:
            return (counted.all_documents > 0).astype(np.float64)


def _interval(
    name: str, answer: Answer, by: str | None, how: Measurement, rng: np.random.Generator
) -> tuple[Floats, Floats, str]:
    """Ends of the intervals in the unit of the measure, NaN where there is none, and a note."""
    counted = answer.tallies[by]
    none = np.full(len(counted.groups), np.nan)
    kind = f"{100 * how.level:g}% intervals"
    if how.method == "none" or not counted.all_documents.sum():
        return none, none, ""
    if how.measure == "share":
        pairs = zip(counted.documents.tolist(), counted.all_documents.tolist(), strict=True)
        ends = [wilson(some, of, how.level)[1:3] if of else (np.nan, np.nan) for some, of in pairs]
        low, high = 100 * np.array(ends).reshape(-1, 2).T
        return low, high, f"{kind}: Wilson's, documents taken as independent."
    if how.method == "bootstrap":
        low, high = _bootstrap(counted, answer.counts[by], how, rng)
        return low, high, f"{kind}: documents resampled {how.replicates} times within their group."
    spread = dispersion(counted, along=by in ALONG)
    if spread is None:
        return none, none, "No intervals: too few documents to estimate how much they differ."
    denominator = _denominator(counted, how.measure)
    ends = quasi_poisson(counted.occurrences.astype(np.float64), spread, how.level)
    low, high = (
        np.divide(end, denominator, out=none.copy(), where=denominator > 0) for end in ends
    )
    seen = "within groups" if spread.within else "between neighbouring periods"
    factor = f"variance over mean is {spread.common:.2g} for {name}"
    given = "" if how.measure == "per-million" else " The documents' lengths are taken as given."
    return low, high, f"{kind}: quasi-Poisson; {factor}, as seen {seen}.{given}"


def _bootstrap(
    counted: Tally, counts: DocumentCounts, how: Measurement, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    assert counts.groups == counted.groups
    above = counts.occurrences.astype(np.float64)
    below = counts.tokens / 1e6 if how.measure == "per-million" else np.ones(len(above))
    low, high = resampled(counts, above, below, rng, how.replicates, how.level)
    scale = counted.all_documents if how.measure == "count" else 1
    return low * scale, high * scale


def _rows(name: str, counted: Tally, measure: str, low: Floats, high: Floats) -> list[Row]:
    denominator = _denominator(counted, measure)
    numerator = counted.documents if measure == "share" else counted.occurrences
    rows = []
    for g, label in enumerate(counted.groups):
        value = numerator[g] / denominator[g] if denominator[g] else None
        ends = (low[g], high[g])
        known = value is not None and bool(np.isfinite(ends).all())
        rows.append(
            Row(
                name,
                group_name(label, counted.by),
                None if value is None else float(value),
                # A percentile of resamples may exclude the estimate by rounding.
                float(min(low[g], value)) if known and value is not None else None,
                float(max(high[g], value)) if known and value is not None else None,
                int(counted.occurrences[g]),
                int(counted.documents[g]),
                int(counted.all_documents[g]),
                int(counted.all_tokens[g]),
            )
        )
    return rows


def group_name(label: Label, by: str | None) -> int | str:
    """The label of a group as shown to a reader.

    Args:
        label: Its label in a tally.
        by: The grouping; None for everything together.
    """
    if label is not None:
        return label
    return "all" if by is None else NOT_STATED


def _filled(rows: list[Row], by: str | None) -> list[Row]:
    """The rows, with one added for each period without documents."""
    if by not in PERIODS or not rows:
        return rows
    rows = [row for row in rows if row.group != NOT_STATED]
    if not rows:
        return []
    known = {row.group: row for row in rows}
    empty = Row(rows[0].query, "", None, None, None, 0, 0, 0, 0)
    every = period_range([row.group for row in rows], by)
    return [known.get(period, empty._replace(group=period)) for period in every]


def _outside(rows: list[Row], placed: list[Row], by: str | None) -> str:
    """Note on the documents whose period is not stated, such as those of no Congress."""
    apart = sum(row.all_documents for row in rows) - sum(row.all_documents for row in placed)
    return f"Left out: {apart:,} documents of no {(by or '').capitalize()}." if apart else ""


def _gaps(rows: Sequence[Row], by: str | None) -> str:
    missing = [row.group for row in rows if not row.all_documents]
    if by not in PERIODS or not missing:
        return ""
    runs = _runs(missing, period_range([row.group for row in rows], by))
    some = ", ".join(runs[:_NAMED]) + (f" and {len(runs) - _NAMED} more" if runs[_NAMED:] else "")
    return f"Gaps, where there are no documents: {some}."


def _runs(missing: Sequence[int | str], every: Sequence[int | str]) -> list[str]:
    """Periods in words, consecutive ones as one span."""
    place = {period: i for i, period in enumerate(every)}
    places = np.array([place[period] for period in missing])
    cuts = np.flatnonzero(np.diff(places) > 1) + 1
    spans = [(every[run[0]], every[run[-1]]) for run in np.split(places, cuts)]
    return [f"{first}" if first == last else f"{first}–{last}" for first, last in spans]
