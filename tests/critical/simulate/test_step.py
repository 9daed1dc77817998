"""The parts of the compiled simulation against NumPy."""

import numpy as np
import pytest

from engram.critical.simulate.kernel.step import GROUP, by_unit


@pytest.mark.parametrize("n", [1, 7, GROUP, 32 * GROUP, 32 * GROUP + 1, 40 * GROUP - 1])
def test_events_are_sorted_by_unit_and_stay_in_order_of_time(n):
    rng = np.random.default_rng(0)
    units = rng.integers(0, n, 50_000).astype(np.int32)
    units[:2] = 0, n - 1
    times = np.sort(rng.integers(0, 5000, len(units))).astype(np.int32)
    pointers, found = by_unit(units, times, n)
    np.testing.assert_array_equal(np.diff(pointers), np.bincount(units, minlength=n))
    np.testing.assert_array_equal(found, times[np.argsort(units, kind="stable")])


def test_no_events():
    nothing = np.empty(0, np.int32)
    pointers, found = by_unit(nothing, nothing, 33 * GROUP)
    assert not pointers.any()
    assert not found.size
