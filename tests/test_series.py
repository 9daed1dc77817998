import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.series import Series, finite

NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS).map(sorted), min_size=1, max_size=8
)


@given(ROWS, st.booleans())
def test_json_gives_the_same_series_back(rows: list[Any], volatile: bool) -> None:
    low, values, high = zip(*(row or (None, None, None) for row in rows), strict=True)
    series = Series(
        "rate", range(len(rows)), values, "T", "Hz", "steps", low, high, volatile=volatile
    )
    assert Series.from_dict(json.loads(json.dumps(series.to_dict()))) == series


def test_arrays_become_plain_numbers() -> None:
    series = Series("rate", np.arange(2), np.array([0.5, 1.5], np.float32))
    assert series.index == (0, 1)
    assert series.values == (0.5, 1.5)
    assert {type(x) for x in (*series.index, *series.values)} == {int, float}
    assert len(series) == 2


def test_dates_and_names_are_positions_too() -> None:
    assert Series("x", ["2024-02-29"], [1], axis="date").index == ("2024-02-29",)
    assert Series("x", ["LIF", "PSN"], [1, 2], axis="neuron").index == ("LIF", "PSN")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "no name"),
        ({"values": [1.0]}, "1 entries for 2"),
        ({"values": [1.0, float("nan")]}, "values of 'rate' is nan"),
        ({"values": [1.0, float("inf")]}, "give a finite number, or None"),
        ({"values": [1.0, True]}, "is True"),
        ({"values": [1.0, "2"]}, "is '2'"),
        ({"index": [0, "a"]}, "mixes numbers and names"),
        ({"index": [0, None]}, "holds None"),
        ({"index": ["2024-02-30", "2024-03-01"], "axis": "date"}, "ISO dates"),
        ({"low": [0.0, 0.0]}, "one end"),
        ({"low": [0.0, 3.0], "high": [2.0, 4.0]}, r"outside its interval \[3\.0, 4\.0\]"),
        ({"low": [0.0, 0.0], "high": [0.5, 4.0]}, r"outside its interval \[0\.0, 0\.5\]"),
        ({"low": [0.0, None], "high": [2.0, 4.0]}, "give both or neither"),
        ({"low": [0.0], "high": [2.0, 4.0]}, "low of 'rate' has 1 entries"),
    ],
)
def test_what_is_no_series_is_refused(fields: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"name": "rate", "index": [0, 1], "values": [1.0, 2.0]}
    with pytest.raises(ValueError, match=message):
        Series(**good | fields)


def test_finite_reads_zero_dimensional_arrays() -> None:
    assert finite(np.array(3), "x") == 3
    assert finite(None, "x") is None
