"""How a target is divided among tensors."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engram.prune.selection import densities, quantile, sample

SHAPES = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=6)


@given(SHAPES, st.floats(0.05, 0.95), st.sampled_from(["uniform", "erk"]))
def test_the_shares_add_up(shapes, sparsity, budget):
    weights = {str(i): torch.ones(shape) for i, shape in enumerate(shapes)}
    shares = densities(weights, sparsity, budget)
    assert shares is not None
    kept = sum(shares[name] * weight.numel() for name, weight in weights.items())
    assert kept == pytest.approx((1 - sparsity) * sum(w.numel() for w in weights.values()))
    assert all(0 <= share <= 1 + 1e-9 for share in shares.values())


def test_small_tensors_stay_dense_under_erk():
    weights = {"small": torch.ones(2, 2), "large": torch.ones(100, 100)}
    shares = densities(weights, 0.5, "erk")
    assert shares is not None
    assert shares["small"] == 1
    assert shares["large"] == pytest.approx((0.5 * 10_004 - 4) / 10_000)


@given(st.lists(st.floats(0, 9, width=32), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_by_sorting(numbers, share):
    k = round(share * len(numbers))
    exact = sorted(numbers)[k - 1] if k else 0.0
    assert quantile(torch.tensor(numbers), share) == exact


def test_samples_are_small_and_spread():
    tensors = [torch.arange(1000.0), torch.arange(500.0)]
    assert torch.equal(sample(tensors, 10_000), torch.cat(tensors))
    found = sample(tensors, 150)
    assert found.tolist() == [*range(0, 1000, 10), *range(0, 500, 10)]
