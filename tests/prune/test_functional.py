"""The operators: laws, gradients, and brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engram.errors import EngramError
from engram.prune.functional import feather, hard, proximal, rewired, soft
from engram.prune.granularity import excess, granularity

NUMBERS = st.floats(-10, 10, allow_subnormal=False)
VECTORS = arrays(np.float64, st.integers(1, 20), elements=NUMBERS)
THRESHOLDS = st.floats(0, 5, allow_subnormal=False)
OPERATORS = (soft, proximal, hard, feather)


def values(operator, x, d):
    return operator(torch.tensor(x), d).numpy()


@given(VECTORS, THRESHOLDS)
def test_soft_by_cases(x, d):
    cases = [v - d if v > d else v + d if v < -d else 0.0 for v in x]
    np.testing.assert_array_equal(np.abs(values(soft, x, d)), np.abs(cases))
    np.testing.assert_array_equal(np.sign(values(soft, x, d)), np.sign(cases))
    np.testing.assert_array_equal(values(proximal, x, d), values(soft, x, d))


@given(VECTORS, VECTORS, THRESHOLDS)
def test_soft_is_non_expansive(x, y, d):
    n = min(len(x), len(y))
    apart = np.abs(values(soft, x[:n], d) - values(soft, y[:n], d))
    assert (apart <= np.abs(x[:n] - y[:n]) * (1 + 1e-12) + 1e-12).all()


@pytest.mark.parametrize("operator", OPERATORS)
@given(x=VECTORS, d=THRESHOLDS)
def test_operators_are_odd_keep_order_and_let_pass_at_zero(operator, x, d):
    found = values(operator, x, d)
    np.testing.assert_array_equal(found, -values(operator, -x, d))
    np.testing.assert_allclose(values(operator, x, 0.0), x, rtol=1e-15)
    assert (np.abs(found) <= np.abs(x) * (1 + 1e-12)).all()
    assert (found[np.abs(x) <= d] == 0).all()
    assert (found[np.abs(x) > d * (1 + 1e-9) + 1e-9] != 0).all()


@given(VECTORS, THRESHOLDS)
def test_feather_lies_between_soft_and_hard(x, d):
    low, high = (np.abs(values(operator, x, d)) for operator in (soft, hard))
    found = np.abs(values(feather, x, d))
    assert (low <= found * (1 + 1e-9) + 1e-9).all()
    assert (found <= high * (1 + 1e-9)).all()
    kept = np.abs(x) > d
    np.testing.assert_allclose(found[kept] ** 3, np.abs(x[kept]) ** 3 - d**3, rtol=1e-6, atol=1e-6)


def gradients(operator, d=1.0, **settings):
    numbers = [-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]
    theta = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    operator(theta, d, **settings).backward(torch.arange(1.0, 8.0, dtype=torch.float64))
    assert theta.grad is not None
    return theta.grad.tolist()


def test_gradients():
    assert gradients(soft) == [1, 2, 3, 4, 5, 6, 7]  # also at θ = 0
    assert gradients(proximal) == [1, 0, 0, 0, 0, 0, 7]
    assert gradients(hard) == [1, 0, 0, 0, 0, 0, 7]
    assert gradients(feather, factor=0.25) == [1, 0.5, 0.75, 1, 1.25, 1.5, 7]


def test_the_gradient_of_a_learned_threshold():
    theta = torch.tensor([-3.0, 0.5, 2.0], dtype=torch.float64)
    d = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: proximal(theta, d), (d,))
    assert torch.autograd.gradcheck(lambda t: proximal(t, 1.0), (theta.clone().requires_grad_(),))


def test_fixed_signs():
    theta = torch.tensor([2.0, -1.0, 0.5], requires_grad=True)
    signs = torch.tensor([1.0, 1.0, -1.0])
    weight = rewired(theta, signs)
    assert weight.tolist() == [2.0, 0.0, -0.5]
    weight.sum().backward()
    assert theta.grad is not None
    assert theta.grad.tolist() == [1.0, 1.0, -1.0]


@pytest.mark.parametrize("name", ["channel", "neuron", "block:2"])
def test_groups_shrink_by_their_root_mean_square(name):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 2))
    groups = {
        "channel": x.reshape(3, 1, -1),
        "neuron": np.moveaxis(x, 1, 0).reshape(4, 1, -1),
        "block:2": x.reshape(-1, 1, 2),
    }[name]
    grain = granularity(name)
    assert grain.sizes is not None
    theta = torch.tensor(x)
    found = soft(theta, 0.9, grain.sizes(theta)).numpy()
    size = np.sqrt((groups**2).mean(-1, keepdims=True))
    exact = groups * np.maximum(1 - 0.9 / size, 0)
    back = np.moveaxis(exact.reshape(4, 3, 2), 0, 1) if name == "neuron" else exact.reshape(x.shape)
    np.testing.assert_allclose(found, back, atol=1e-12)
    assert (found == 0).any()


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_n_of_m_neighbours_stay(n, more, seed):
    m = n + more
    x = torch.randn(5, 3 * m, generator=torch.Generator().manual_seed(seed))
    left = x.masked_fill(excess(x, granularity(f"{n}:{m}")), 0.0).view(-1, m)
    assert (left.count_nonzero(1) == n).all()
    lost = x.view(-1, m)[left == 0].view(-1, more).abs().amax(1)
    assert (lost <= left.abs().masked_fill(left == 0, 99).amin(1)).all()


@pytest.mark.parametrize("name", ["row", "block:0", "4:2", "2:2", "block:x", ""])
def test_unknown_granularities_are_named(name):
    with pytest.raises(EngramError, match="choose weight, channel"):
        granularity(name)
