"""Decades, presidents and first appearances against counts by the definition, on either engine."""

from collections import defaultdict
from datetime import date
from typing import cast

import pytest

from engram.policy import Document, segment
from engram.policy.embedded import EmbeddedEngine
from engram.policy.engine import Engine
from engram.policy.measure import compare, first_appearance, foremost, frequency, frequency_table
from engram.policy.measure.interval import rate_ratio
from engram.policy.presidents import BEFORE, president_on
from tests.policy.brute import BruteForce

QUERY = "tax NEAR/5 {cut, raise}"
DAYS = {
    "1789-04-29": BEFORE,
    "1789-04-30": "George Washington, 1789–1797",
    "1841-04-03": "William Henry Harrison, 1841",
    "1841-12-07": "John Tyler, 1841–1845",
    "1861-03-03": "James Buchanan, 1857–1861",
    "1861-03-05": "Abraham Lincoln, 1861–1865",
    "1888-12-03": "Grover Cleveland, 1885–1889",
    "1894-12-03": "Grover Cleveland, 1893–1897",
    "1937-01-19": "Franklin D. Roosevelt, 1933–1945",
    "1963-11-21": "John F. Kennedy, 1961–1963",
    "1963-11-27": "Lyndon B. Johnson, 1963–1969",
    "2017-01-19": "Barack Obama, 2009–2017",
    "2018-01-30": "Donald Trump, 2017–2021",
}


@pytest.fixture(scope="module")
def terms(tmp_path_factory):
    """A document on the days about which presidents changed."""
    folder = tmp_path_factory.mktemp("terms")
    documents = [
        Document(f"d:{day}", "speech", date.fromisoformat(day), "Address", "Cut the tax. " * n)
        for n, day in enumerate(DAYS, start=1)
    ]
    segment.write(folder / "one.sqlite", iter(documents))
    engine = EmbeddedEngine([folder / "one.sqlite"])
    yield engine
    engine.close()


def test_a_president_is_the_one_in_office_on_the_day(terms: Engine) -> None:
    counted = terms.tally("tax", "president")
    assert counted.groups == tuple(DAYS.values())
    assert counted.occurrences.tolist() == list(range(1, len(DAYS) + 1))
    for day, name in DAYS.items():
        one = president_on(date.fromisoformat(day))
        assert name.startswith(one.name if one else BEFORE)
    apart = terms.per_document("tax", "president")
    assert apart.groups == counted.groups
    assert apart.occurrences[apart.group.argsort(kind="stable")].tolist() == list(
        range(1, len(DAYS) + 1)
    )


@pytest.mark.parametrize("query", [QUERY, f"{QUERY} NOT type:vote", "tax OR party:Whig"])
def test_decades_are_sums_of_years(engine: Engine, brute: BruteForce, query: str) -> None:
    defined: dict[int, list[float]] = defaultdict(lambda: [0.0] * 5)
    for year, row in brute.tally(query, "year").items():
        assert isinstance(year, int)
        cell = defined[year // 10 * 10]
        cell[:] = [a + b for a, b in zip(cell, row, strict=True)]
    found = engine.tally(query, "decade")
    columns = (found.documents, found.occurrences, found.all_documents, found.all_tokens)
    seen = {
        label: [column[g] for column in columns] for g, label in enumerate(found.groups)
    }  # fmt: skip
    assert seen == {decade: row[:4] for decade, row in defined.items()}
    apart = engine.per_document(query, "decade")
    for g, label in enumerate(apart.groups):
        assert apart.occurrences[apart.group == g].sum() == defined[cast("int", label)][1]


def test_all_groupings_add_up_to_the_whole(engine: Engine) -> None:
    whole = engine.tally(QUERY, None)
    for by in ("decade", "president"):
        found = engine.tally(QUERY, by)
        for column in ("documents", "occurrences", "all_documents", "all_tokens"):
            assert getattr(found, column).sum() == getattr(whole, column).sum()
        assert found.dispersion.sum() == pytest.approx(whole.dispersion.sum())
        rows = frequency(engine, QUERY, by, method="bootstrap").rows
        assert sum(row.occurrences for row in rows) == whole.occurrences.sum()


def test_the_first_appearance_is_the_earliest_occurrence(engine: Engine, brute) -> None:
    for query in ("tax", QUERY, "tax date:1900.."):
        id_, start, end = brute.context(query)[0]
        found = first_appearance(engine, query)
        assert found is not None
        assert (found.id, found.start, found.end) == (id_, start, end)
    assert first_appearance(engine, "zebra") is None
    assert first_appearance(engine, "type:vote") is None


def test_ratios_by_group_are_those_of_its_documents(engine: Engine) -> None:
    found = {one.group: one for one in compare(engine, ["tax", "duty"], by="party")}
    (whole,) = compare(engine, ["tax", "duty"])
    assert whole.group == "all"
    for party, ratio in found.items():
        if party == "not stated":
            continue
        one, other = (
            engine.per_document(f'{word} party:"{party}"', None) for word in ("duty", "tax")
        )
        theirs = rate_ratio(one, other, paired=True)
        if theirs is None:
            assert ratio.value is None
        else:
            assert (ratio.value, ratio.low, ratio.high) == pytest.approx(theirs[:3])


def test_a_limit_keeps_the_groups_with_the_most_and_says_so(embedded: Engine) -> None:
    answer = frequency(embedded, ["tax", "duty"], "speaker")
    totals: dict[int | str, int] = defaultdict(int)
    for row in answer.rows:
        totals[row.group] += row.occurrences
    kept = foremost(answer, 2)
    most = sorted(totals.values(), reverse=True)[:2]
    assert sorted((totals[row.group] for row in kept.of("tax")), reverse=True) == most
    assert kept.notes[-1].startswith(f"2 of {len(totals)} groups")
    assert foremost(answer, None) is answer
    with pytest.raises(ValueError, match="at least 1"):
        foremost(answer, 0)


def test_the_head_of_a_column_says_what_stands_there(embedded: Engine) -> None:
    heads = {
        measure: frequency_table(frequency(embedded, "tax", "decade", measure)).columns[1]
        for measure in ("per-million", "per-document", "share", "count")
    }
    assert list(heads.values()) == ["per million", "per document", "% of documents", "occurrences"]
    counted = frequency_table(frequency(embedded, "tax", "decade", "count"))
    assert "count" not in counted.columns
    assert all(str(row[0]).endswith("0s") for row in counted.rows)
    plain = frequency_table(frequency(embedded, "tax", "year", method="none"))
    assert not {"low", "high"} & set(plain.columns)


def test_empty_periods_in_a_row_share_one(terms: Engine) -> None:
    answer = frequency(terms, "tax", "year")
    assert len(frequency_table(answer).rows) == 2018 - 1789 + 1
    rows = frequency_table(answer, every_gap=False).rows
    assert [row[0] for row in rows[:4]] == ["1789", "1790–1840", "1841", "1842–1860"]
    assert sum(cast("int", row[4]) for row in rows) == sum(row.occurrences for row in answer.rows)
