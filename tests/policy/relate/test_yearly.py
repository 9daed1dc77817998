import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.policy.relate.yearly import Yearly, overlap, yearly
from engram.series import Series


def series(years, values, axis="year") -> Series:
    return Series("x", years, values, axis=axis)


@given(st.sets(st.integers(1800, 1900), min_size=60, max_size=101))
def test_gaps_of_two_years_are_filled_on_a_line_and_longer_ones_end_the_span(years):
    line = {year: 3.0 * year - 5 for year in years}
    try:
        found = yearly(series(sorted(years), [line[year] for year in sorted(years)]))
    except ValueError as error:
        assert "consecutive years" in str(error)  # noqa: PT017  either outcome is right
        return
    every = np.arange(found.first, found.last + 1)
    assert found.values == pytest.approx(3.0 * every - 5)
    assert set(every[found.observed].tolist()) == years & set(every.tolist())
    longest = max(np.diff(every[found.observed]), default=1)
    assert longest <= 3
    for outside in (range(found.first - 3, found.first), range(found.last + 1, found.last + 4)):
        assert not years & set(outside)


def test_dates_are_years_and_gaps_are_not_values():
    dates = [f"{year}-12-01" for year in range(1900, 1940)]
    values: list[float | None] = list(range(40))
    values[7] = None
    found = yearly(series(dates, values, axis="date"))
    assert (found.first, found.last, found.observed.sum()) == (1900, 1939, 39)
    assert found.values[7] == 7.0


def test_an_overlap_has_the_years_of_both():
    values = np.arange(60.0)
    one = Yearly("a", 1900, values, np.ones(60, bool))
    other = Yearly("b", 1920, values, np.ones(60, bool))
    a, b = overlap(one, other)
    assert (a.first, a.last) == (b.first, b.last) == (1920, 1959)
    assert a.values[0] == 20
    assert b.values[0] == 0
    with pytest.raises(ValueError, match=r"'a'.*'b'.*share 10 years"):
        overlap(one, Yearly("b", 1950, values, np.ones(60, bool)))


@pytest.mark.parametrize(
    ("years", "values", "message"),
    [
        (range(10), range(10), "10 consecutive years"),
        ([1900.5, *range(1901, 1940)], range(40), "1900.5"),
        (["spring"] * 40, range(40), "'spring'"),
        ([*range(1900, 1939), 1938], range(40), "two values in one year"),
        (range(1900, 1940), [1.0] * 40, "never changes"),
        (range(1900, 1940), [None] * 40, "no value"),
    ],
)
def test_what_is_no_yearly_series_is_refused(years, values, message):
    with pytest.raises(ValueError, match=message):
        yearly(series(list(years), list(values)))
