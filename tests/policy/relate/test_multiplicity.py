from itertools import product

import numpy as np
import pytest

from engram.policy.relate.lag import moved
from engram.policy.relate.multiplicity import sign_flips


def every_sign(terms: np.ndarray, shifted: np.ndarray):
    """Statistics and the p-values over all sign patterns, cell by cell."""
    n = terms.shape[1]
    cells = list(product(range(len(terms)), range(len(shifted)), range(shifted.shape[1])))

    def statistics(signs):
        found = []
        for i, j, k in cells:
            z = terms[i] * shifted[j, k] * signs
            z = z[np.isfinite(z)]
            found.append(abs(z.sum()) / np.sqrt((z**2).sum()))
        return np.array(found)

    patterns = [statistics(np.array(signs)) for signs in product([-1, 1], repeat=n)]
    return statistics(np.ones(n)), np.array(patterns)


def test_p_values_approach_those_of_all_sign_patterns():
    rng = np.random.default_rng(0)
    terms = rng.standard_normal((2, 11))
    indicators = rng.standard_normal((2, 11)) + terms
    terms[0, 2] = indicators[1, 5] = np.nan
    shifted = np.stack([moved(row, (-1, 0, 1)) for row in indicators])
    found, patterns = every_sign(terms, shifted)
    flips = sign_flips(terms, shifted, rng, draws=20_000)
    assert np.abs(flips.statistic).ravel() == pytest.approx(found)
    alone = (patterns >= found - 1e-9).mean(0)
    assert flips.alone.ravel() == pytest.approx(alone, abs=0.015)
    # Westfall and Young, by their definition: rank by rank, among the cells no larger
    stepped, last = np.zeros(len(found)), 0.0
    order = np.argsort(-found)
    for rank, cell in enumerate(order):
        rest = order[rank:]
        last = max(last, (patterns[:, rest].max(1) >= found[cell] - 1e-9).mean())
        stepped[cell] = last
    assert flips.family.ravel() == pytest.approx(stepped, abs=0.015)
    pairs = [found.reshape(2, 2, 3)[i, j].max() for i in range(2) for j in range(2)]
    best = patterns.reshape(-1, 4, 3).max(2)
    assert flips.pair.ravel() == pytest.approx((best >= np.array(pairs) - 1e-9).mean(0), abs=0.015)
    assert flips.critical == pytest.approx(np.quantile(patterns.max(1), 0.95), abs=0.05)


def test_no_cell_of_a_family_is_more_significant_than_alone():
    rng = np.random.default_rng(1)
    flips = sign_flips(rng.standard_normal((3, 60)), rng.standard_normal((2, 5, 60)), rng, 499)
    assert (flips.family >= flips.alone - 1e-12).all()
    assert flips.family.min() == pytest.approx(
        flips.family.ravel()[np.abs(flips.statistic).argmax()]
    )
    assert flips.alone.min() >= 1 / 500


def test_it_repeats_from_its_seed_and_pays_for_what_was_spent():
    u = np.random.default_rng(2).standard_normal((1, 50))
    v = u[None] + 1
    free = sign_flips(u, v, np.random.default_rng(3), 199)
    again = sign_flips(u, v, np.random.default_rng(3), 199)
    paid = sign_flips(u, v, np.random.default_rng(3), 199, spent=10.0)
    assert all(np.array_equal(a, b) for a, b in zip(free, again, strict=True))
    assert paid.statistic == pytest.approx(free.statistic * np.sqrt(0.8))


def test_a_cell_without_years_is_never_significant():
    u = np.full((1, 40), np.nan)
    flips = sign_flips(u, np.ones((1, 1, 40)), np.random.default_rng(0), 99)
    assert (flips.statistic, flips.alone, flips.family) == (0.0, 1.0, 1.0)
