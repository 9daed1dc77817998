import numpy as np
import pytest

from engram.policy.relate.breaks import find_breaks


def brute_force(target, design, least):
    """The best single break by least squares, tried at every place."""

    def left(y, z):
        residual = y - z @ np.linalg.lstsq(z, y, rcond=None)[0]
        return residual @ residual

    places = range(least, len(target) - least + 1)
    return min(places, key=lambda k: left(target[:k], design[:k]) + left(target[k:], design[k:]))


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_break_is_where_brute_force_puts_it(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(120)
    design = np.column_stack([np.ones(120), x])
    y = np.where(np.arange(120) < 70, 2 * x, 3 - x) + 0.5 * rng.standard_normal(120)
    found = find_breaks(y, design)
    assert found.starts == (brute_force(y, design, 18),)
    assert np.argmin(found.criterion) == 1


def test_two_breaks_of_a_mean():
    rng = np.random.default_rng(1)
    y = np.repeat([0.0, 4.0, 1.0], 50) + rng.standard_normal(150)
    starts = find_breaks(y, np.ones((150, 1))).starts
    assert np.abs(np.subtract(starts, (50, 100))).max() <= 2


def test_where_nothing_breaks_none_is_found():
    rng = np.random.default_rng(2)
    found = [
        find_breaks(rng.standard_normal(100), np.column_stack([np.ones(100), rng.random(100)]))
        for _ in range(10)
    ]
    assert sum(bool(one.starts) for one in found) == 0
