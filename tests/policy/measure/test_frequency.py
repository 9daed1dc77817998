"""Frequencies, facets, coverage and ratios against counts by the definition, on either engine."""

from typing import get_args

import pytest

from engram.cli.policy import asking
from engram.policy.engine import Engine
from engram.policy.measure import (
    METHODS,
    PERIODS,
    UNITS,
    compare,
    coverage,
    facets,
    frequency,
    frequency_table,
)
from engram.policy.measure.measurement import Measure, Method
from engram.policy.query import parse
from engram.policy.tally import GROUPINGS
from engram.stats import wilson
from tests.policy.brute import BruteForce

QUERY = "tax NEAR/5 {cut, raise} NOT type:vote"


@pytest.mark.parametrize("by", ["year", "month", "congress", "type", "party", None])
def test_rows_are_what_the_definition_counts_and_gaps_are_no_zeros(
    engine: Engine, brute: BruteForce, by: str | None
) -> None:
    defined = brute.tally(QUERY, by)
    found = frequency(engine, QUERY, by)
    seen = {}
    for row in found.rows:
        if row.all_documents == 0:
            assert row.value is row.low is row.high is None
            continue
        seen[row.group] = [row.documents, row.occurrences, row.all_documents, row.all_tokens]
        if row.all_tokens:
            assert row.value == pytest.approx(1e6 * row.occurrences / row.all_tokens)
        else:
            assert row.value is None
    names = {None: "not stated"} if by else {None: "all"}
    assert seen == {names.get(label, label): row[:4] for label, row in defined.items()}


@pytest.mark.parametrize("by", PERIODS)
def test_periods_follow_each_other_without_a_hole(engine: Engine, by: str) -> None:
    rows = frequency(engine, "tax", by, method="none").rows

    def number(period: int | str) -> int:
        if isinstance(period, int):
            return period
        year, month = map(int, period.split("-"))
        return 12 * year + month

    places = [number(row.group) for row in rows]
    assert places == list(range(places[0], places[-1] + 1, 10 if by == "decade" else 1))
    assert by == "decade" or any(row.value is None for row in rows)


def test_a_note_says_whose_gaps_it_names(embedded: Engine) -> None:
    same = frequency(embedded, ["tax", "duty"], "congress", method="none")
    other = frequency(embedded, ["tax", "tax party:Whig"], "congress", method="none")
    (note,) = same.notes
    assert note.startswith("Gaps")
    assert [text.partition(": Gaps")[0] for text in other.notes] == ["tax", "tax party:Whig"]


def test_measures_are_what_they_are_called(engine: Engine) -> None:
    for measure in UNITS:
        for row in frequency(engine, "tax", "type", measure).rows:
            expected = {
                "per-million": 1e6 * row.occurrences / row.all_tokens,
                "per-document": row.occurrences / row.all_documents,
                "share": 100 * row.documents / row.all_documents,
                "count": row.occurrences,
            }
            assert row.value == pytest.approx(expected[measure])
            assert row.low is not None
            assert row.high is not None
            assert row.low <= row.value <= row.high
            if measure == "share":
                other = wilson(row.documents, row.all_documents)
                assert (row.low, row.high) == pytest.approx((100 * other.low, 100 * other.high))


def test_the_denominator_is_that_of_the_filters(engine: Engine, brute: BruteForce) -> None:
    (row,) = frequency(engine, "tax party:Whig type:{speech, bill}", None).rows
    admitted = [
        len(terms)
        for document, terms in zip(brute.documents, brute.words, strict=True)
        if document.party == "Whig" and document.doc_type in ("speech", "bill")
    ]
    assert (row.all_documents, row.all_tokens) == (len(admitted), sum(admitted))


@pytest.mark.parametrize("measure", ["per-million", "per-document", "count"])
def test_a_bootstrap_is_about_as_wide_and_knows_of_lengths(engine: Engine, measure: str) -> None:
    one, again = (frequency(engine, "tax", None, measure, "bootstrap", seed=1) for _ in "ab")
    assert one == again
    (quick,), (slow,) = frequency(engine, "tax", None, measure).rows, one.rows
    assert None not in (quick.low, quick.high, slow.low, slow.high)
    wider = (slow.high - slow.low) / (quick.high - quick.low)  # pyright: ignore
    if measure == "per-million":
        assert 0.5 < wider < 2
    else:
        assert wider > 3  # one document of this record is as long as many others


def test_facets_come_with_the_most_occurrences_first(engine: Engine, brute: BruteForce) -> None:
    found = facets(engine, "tax", ("type", "speaker"), limit=3)
    for field, answer in found.items():
        defined = sorted((row[1] for row in brute.tally("tax", field).values()), reverse=True)
        assert [row.occurrences for row in answer.rows] == defined[:3]
        assert "more groups" in answer.notes[-1]


def test_coverage_is_all_there_is_whatever_the_words(engine: Engine, brute: BruteForce) -> None:
    found = coverage(engine, "tax NOT type:vote", by="congress")
    assert "vote" not in found.types
    expected: dict[tuple[str, int], list[int]] = {}
    for document, terms in zip(brute.documents, brute.words, strict=True):
        if document.doc_type != "vote":
            assert document.congress
            cell = expected.setdefault((document.doc_type, document.congress), [0, 0])
            cell[0] += 1
            cell[1] += len(terms)
    seen = {(p.type, p.period): [p.documents, p.tokens] for p in found.parts if p.documents}
    assert seen == expected
    for period in found.periods:
        shares = [part.share_documents for part in found.parts if part.period == period]
        if period in found.gaps:
            assert set(shares) == {None}
        else:
            assert sum(share or 0 for share in shares) == pytest.approx(100)


def test_ratios_say_whether_the_documents_are_the_same(engine: Engine) -> None:
    one, other = compare(engine, ["tax", "duty", "tax party:Whig"])
    assert (one.query, one.base, one.paired) == ("duty", "tax", True)
    assert (other.query, other.paired) == ("tax party:Whig", False)
    rows = [frequency(engine, query, None).rows[0] for query in ("duty", "tax", "tax party:Whig")]
    rates = [row.occurrences / row.all_tokens for row in rows]
    assert one.value == pytest.approx(rates[0] / rates[1])
    assert other.value == pytest.approx(rates[2] / rates[1])


def test_series_and_tables_hold_the_same(embedded: Engine) -> None:
    named = {"up": "raise", "down": "cut"}
    found = frequency(embedded, named, "month")
    for series in found.series():
        rows = found.of(series.name)
        assert series.axis == "date"
        assert list(series.values) == [row.value for row in rows]
        assert list(series.low or ()) == [row.low for row in rows]
    assert frequency_table(found).columns == ("month", "up", "down")
    up, down = (found.of(name) for name in named)
    shown = [tuple(row[1:]) for row in frequency_table(found).rows]
    assert shown == [(a.value, b.value) for a, b in zip(up, down, strict=True)]


def test_no_document_passes(engine: Engine) -> None:
    found = frequency(engine, "tax date:1700", "year")
    assert found.rows == ()
    for measure in ("per-million", "per-document", "share"):
        rows = frequency(engine, "tax date:1700", None, measure).rows
        assert all(row.value is None for row in rows)
    assert coverage(engine, "date:1700").parts == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measure": "loudness"}, "per-million"),
        ({"method": "guess"}, "quasi-poisson"),
        ({"by": "week"}, "year"),
        ({"level": 95}, "0.95"),
        ({"replicates": 3}, "at least 100"),
    ],
)
def test_mistakes_name_the_remedy(embedded: Engine, change: dict[str, object], message) -> None:
    with pytest.raises(ValueError, match=message):
        frequency(embedded, "tax", **change)  # pyright: ignore
    with pytest.raises(ValueError, match="each only once"):
        frequency(embedded, ["tax", "tax"])
    with pytest.raises(ValueError, match="no query"):
        frequency(embedded, [])
    with pytest.raises(ValueError, match="two or more"):
        compare(embedded, ["tax"])
    with pytest.raises(ValueError, match="by period"):
        coverage(embedded, by="party")
    with pytest.raises(ValueError, match="at least 1"):
        facets(embedded, "tax", limit=0)


def test_the_flags_offer_what_there_is() -> None:
    assert get_args(asking.Field) == GROUPINGS
    assert get_args(asking.Period) == PERIODS
    assert get_args(Measure) == tuple(UNITS)
    assert get_args(Method) == METHODS
    assert parse("tax")
