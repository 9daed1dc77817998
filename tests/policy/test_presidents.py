from datetime import date, timedelta
from itertools import pairwise

import pytest

from engram.policy.presidents import (
    PRESIDENTS,
    fold_name,
    given_first,
    president_named,
    president_on,
    presidents,
)


def test_the_office_is_never_vacant_and_never_held_twice():
    stays = presidents()
    assert len(PRESIDENTS) == 45
    assert len(stays) == 47
    assert stays[0][0].start == date(1789, 4, 30)
    for (before, _), (after, _) in pairwise(stays):
        assert before.end == after.start
    assert stays[-1][0].end is None


@pytest.mark.parametrize(
    ("day", "name"),
    [
        # Dates as the Constitution sets them, and the days on which presidents died or resigned.
        (date(1789, 4, 29), None),
        (date(1801, 3, 3), "John Adams"),
        (date(1801, 3, 4), "Thomas Jefferson"),
        (date(1841, 4, 3), "William Henry Harrison"),
        (date(1863, 11, 19), "Abraham Lincoln"),
        (date(1886, 1, 1), "Grover Cleveland"),
        (date(1890, 1, 1), "Benjamin Harrison"),
        (date(1896, 1, 1), "Grover Cleveland"),
        (date(1937, 1, 19), "Franklin D. Roosevelt"),
        (date(1963, 11, 21), "John F. Kennedy"),
        (date(1963, 11, 23), "Lyndon B. Johnson"),
        (date(1974, 8, 8), "Richard Nixon"),
        (date(1974, 8, 9), "Gerald Ford"),
        (date(2001, 1, 19), "Bill Clinton"),
        (date(2001, 1, 20), "George W. Bush"),
        (date(2020, 1, 1), "Donald Trump"),
        (date(2024, 1, 1), "Joe Biden"),
        (date(2025, 3, 4), "Donald Trump"),
    ],
)
def test_who_is_in_office(day, name):
    found = president_on(day)
    assert (found.name if found else None) == name


def test_inaugurations_are_in_march_until_1933_and_in_january_since_1937():
    for term, _ in presidents():
        if term.start.year < 1934 and term.start.month == 3:
            assert term.start.day == 4
        if term.start.month == 1:
            assert term.start.day == 20
            assert term.start.year >= 1937


@pytest.mark.parametrize(
    ("spelling", "day", "name"),
    [
        ("William J. Clinton", date(1995, 1, 24), "Bill Clinton"),
        ("George Bush", date(1990, 1, 31), "George H. W. Bush"),
        ("George Bush", date(2003, 1, 28), "George W. Bush"),
        ("John Adams", date(1826, 12, 5), "John Quincy Adams"),
        ("John Adams", date(1797, 11, 22), "John Adams"),
        ("Martin van Buren", date(1838, 12, 3), "Martin Van Buren"),
        ("Joseph R., Jr. Biden", date(2022, 3, 1), "Joe Biden"),
        ("Biden, Joseph R., Jr.", date(2022, 3, 1), "Joe Biden"),
        ("OBAMA, BARACK", date(2010, 1, 27), "Barack Obama"),
        ("William McKinley", date(1900, 7, 12), "William McKinley"),
        ("Andrew Jackson", date(1837, 3, 4), "Andrew Jackson"),
        ("Richard M. Nixon", date(1952, 9, 23), "Richard Nixon"),
        ("Jane Addams", date(1826, 12, 5), None),
    ],
)
def test_a_president_is_known_by_every_spelling(spelling, day, name):
    found = president_named(spelling, day, executive=True)
    assert (found.name if found else None) == name


def test_a_member_of_the_same_name_is_not_the_president():
    assert president_named("John Kennedy", date(2019, 3, 5)) is None
    assert president_named("James Monroe", date(1875, 3, 5)) is None


def test_each_spelling_is_one_presidents():
    spellings = [fold_name(name) for one in PRESIDENTS for name in one.names]
    assert len(spellings) == len(set(spellings)), "two presidents share a spelling"
    for one in PRESIDENTS:
        for term in one.terms:
            for name in one.names:
                assert president_named(name, term.start + timedelta(1), executive=True) == one


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Sessions, Jeff", "Jeff Sessions"),
        ("Duncan, John J., Jr.", "John J. Duncan, Jr."),
        ("Jeff Sessions", "Jeff Sessions"),
        ("Walter B. Jones, Jr.", "Walter B. Jones, Jr."),
        ("Mr. SESSIONS", "Mr. SESSIONS"),
    ],
)
def test_the_given_name_comes_first(name, shown):
    assert given_first(name) == shown
