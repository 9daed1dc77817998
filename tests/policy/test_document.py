import itertools
from datetime import date, timedelta

import pytest

from engram.policy.document import DOC_TYPES, Document, Rejection, check_day, congress_of


def document(**fields):
    return Document(
        **{
            "id": "a:1",
            "doc_type": "speech",
            "date": date(1890, 5, 1),
            "title": "Tariff",
            "text": "Mr. President,",
        }
        | fields
    )


@pytest.mark.parametrize(
    ("day", "number"),
    # The first days of Congresses in the Biographical Directory, and days about them.
    [
        (date(1789, 3, 4), 1),
        (date(1791, 3, 3), 1),
        (date(1791, 3, 4), 2),
        (date(1865, 3, 4), 39),
        (date(1933, 3, 3), 72),
        (date(1933, 3, 4), 73),
        (date(1935, 1, 2), 73),
        (date(1935, 1, 3), 74),
        (date(1997, 1, 28), 105),
        (date(2005, 7, 20), 109),
        (date(2024, 3, 7), 118),
    ],
)
def test_congress_of_the_directorys_days(day, number):
    assert congress_of(day) == number


def test_congresses_follow_one_another_without_a_gap():
    days = (date(1789, 3, 4) + timedelta(days=step) for step in range(0, 86_000))
    steps = [congress_of(day) for day in days]
    assert {after - before for before, after in itertools.pairwise(steps)} == {0, 1}


def test_congress_is_derived_only_where_the_source_does_not_say():
    assert document().congress == 51
    assert document(congress=50).congress == 50
    assert document(congress=None, date=date(1688, 2, 13)).congress is None


def test_a_day_that_has_not_come_is_refused():
    check_day(date.today() + timedelta(days=20))
    for day in (date(2999, 1, 1), date(9999, 12, 31), date.today() + timedelta(days=60)):
        with pytest.raises(Rejection, match=str(day)):
            check_day(day)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": ""}, "missing-field"),
        ({"text": "", "title": ""}, "missing-field"),
        ({"doc_type": "poem"}, "unknown-value"),
        ({"chamber": "lords"}, "unknown-value"),
        ({"date": date(1776, 7, 4)}, "bad-date"),
    ],
)
def test_what_is_no_document_says_why(fields, reason):
    with pytest.raises(Rejection) as caught:
        document(**fields)
    assert caught.value.reason == reason


def test_every_type_is_accepted():
    assert [document(doc_type=doc_type).doc_type for doc_type in DOC_TYPES] == list(DOC_TYPES)
