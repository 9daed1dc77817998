"""Soft-threshold training solves the lasso that its schedule stands for, as scikit-learn does."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch import nn

from engram.prune import Plan, Pruning, pruned_weights
from engram.train import attach
from engram.train.rates import schedule

N, P, SUPPORT, PENALTY = 200, 60, 8, 0.1


def problem(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, P))
    w = np.zeros(P)
    w[rng.choice(P, SUPPORT, replace=False)] = rng.choice([-1, 1], SUPPORT) * (
        1 + rng.random(SUPPORT)
    )
    return x, x @ w + 0.1 * rng.standard_normal(N), w


@pytest.fixture(scope="module")
def data():
    x, y, w = problem()
    exact = Lasso(alpha=PENALTY, fit_intercept=False, tol=1e-14, max_iter=1_000_000).fit(x, y).coef_
    return torch.tensor(x), torch.tensor(y), exact, w


def train(data, plan, steps=1500, lr=0.3, factor=lambda _i: 1.0, noise=0.0, decay=0.0, **settings):
    x, y, _, _ = data
    layer = nn.Linear(P, 1, bias=False, dtype=torch.float64)
    nn.init.zeros_(layer.weight)
    rates = [lr * factor(i) for i in range(steps)]
    pruning = Pruning(layer, plan, steps, rates)
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr, weight_decay=decay, **settings)
    attach(pruning, optimizer)
    gram, cross = x.T @ x / N, x.T @ y / N
    generator = torch.Generator().manual_seed(0)
    for i in range(steps):
        optimizer.param_groups[0]["lr"] = rates[i]
        optimizer.zero_grad()
        w = layer.weight[0]
        loss = 0.5 * w @ gram @ w - cross @ w
        if noise:
            loss = loss + noise * torch.randn(P, generator=generator, dtype=torch.float64) @ w
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return layer.weight[0].numpy().copy(), layer, pruning


def test_a_constant_penalty_converges_to_the_lasso(data):
    w, layer, pruning = train(data, Plan(strength=PENALTY))
    np.testing.assert_allclose(w, data[2], atol=1e-9)
    assert ((w != 0) == (data[3] != 0)).all()
    # the dual certificate: θ/d → −∇L/λ
    (found,) = pruned_weights(layer)
    x, y = data[0].numpy(), data[1].numpy()
    gradient = x.T @ (x @ w - y) / N
    ratio = (found.theta[0].detach().numpy() - w) / float(found.law.threshold)
    np.testing.assert_allclose(ratio, -gradient / PENALTY, atol=8e-3)
    assert pruning.progress().strength == PENALTY


def test_under_a_cosine_with_warm_up_the_penalty_is_still_constant(data):
    steps, lr = 1500, 0.3
    factor = schedule("cosine", steps, warmup=100, least=0.01)
    w, _, _ = train(data, Plan(strength=PENALTY), steps, lr, factor)
    np.testing.assert_allclose(w, data[2], atol=1e-9)
    # the same by its final threshold
    total = PENALTY * math.fsum(lr * factor(i) for i in range(steps))
    again, _, _ = train(data, Plan(threshold=total), steps, lr, factor)
    np.testing.assert_allclose(again, w, atol=1e-9)


def test_the_closed_form_is_the_sum_of_the_cosine(data):
    steps, lr, warmup = 1500, 0.3, 200
    factor = schedule("cosine", steps, warmup=warmup)
    total = PENALTY * math.fsum(lr * factor(i) for i in range(steps))
    closed = Plan(threshold=total, schedule="s-lats", warmup=warmup)
    w, layer, _ = train(data, closed, steps, lr, factor)
    summed, other, _ = train(data, Plan(threshold=total), steps, lr, factor)
    np.testing.assert_allclose(w, summed, atol=1e-10)
    thetas = [next(pruned_weights(one)).theta for one in (layer, other)]
    torch.testing.assert_close(*thetas, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    "settings",
    [
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.8, "dampening": 0.3},
    ],
)
def test_momentum_is_accounted_for(data, settings):
    w, _, _ = train(data, Plan(strength=PENALTY), 1500, 0.04, **settings)
    np.testing.assert_allclose(w, data[2], atol=1e-9)


def test_without_the_account_momentum_weakens_the_penalty(data):
    steps, lr, momentum = 1500, 0.04, 0.9
    plan = Plan(threshold=PENALTY * lr * steps, schedule="linear")
    w, _, pruning = train(data, plan, steps, lr, momentum=momentum)
    weak = Lasso(alpha=(1 - momentum) * PENALTY, fit_intercept=False, tol=1e-14, max_iter=10**6)
    np.testing.assert_allclose(w, weak.fit(data[0].numpy(), data[1].numpy()).coef_, atol=1e-9)
    assert pruning.progress().strength == pytest.approx((1 - momentum) * PENALTY, rel=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_decay_of_theta_is_accounted_for(data, momentum):
    """With decay the limit minimises loss + λ|w| + ½ decay·w²: an elastic net."""
    decay = 0.05
    lr = 0.3 * (1 - momentum)
    w, _, _ = train(data, Plan(strength=PENALTY), 1500, lr, decay=decay, momentum=momentum)
    x, y = data[0].numpy(), data[1].numpy()
    wider = np.vstack([x, math.sqrt(N * decay) * np.eye(P)])
    longer = np.concatenate([y, np.zeros(P)])
    exact = Lasso(alpha=PENALTY * N / (N + P), fit_intercept=False, tol=1e-14, max_iter=10**6)
    np.testing.assert_allclose(w, exact.fit(wider, longer).coef_, atol=1e-9)


def test_linear_and_sine_schedules_under_a_cosine_end_with_too_little(data):
    """Their penalty grows without bound as the rate falls: a warning that the theory gives."""
    steps, lr = 1500, 0.3
    factor = schedule("cosine", steps)
    total = PENALTY * math.fsum(lr * factor(i) for i in range(steps))
    w, _, _ = train(data, Plan(threshold=total, schedule="linear"), steps, lr, factor)
    assert not w.any()
    w, _, _ = train(data, Plan(threshold=total, schedule="sine"), steps, lr, factor)
    assert np.abs(w).sum() < 0.6 * np.abs(data[2]).sum()


def test_a_fixed_threshold_is_no_penalty(data):
    w, _, _ = train(data, Plan(threshold=0.02, schedule="fixed"))
    least, *_ = np.linalg.lstsq(data[0].numpy(), data[1].numpy(), rcond=None)
    np.testing.assert_allclose(w, least, atol=1e-9)
    assert w.all()


def test_prox_is_iterative_soft_thresholding(data):
    steps, lr = 1500, 0.3
    w, _, _ = train(data, Plan(strength=PENALTY, mode="prox"), steps, lr)
    x, y = data[0].numpy(), data[1].numpy()
    gram, cross, v = x.T @ x / N, x.T @ y / N, np.zeros(P)
    for _ in range(steps):
        step = v - lr * (gram @ v - cross)
        v = np.sign(step) * np.maximum(np.abs(step) - lr * PENALTY, 0)
    np.testing.assert_allclose(w, v, atol=1e-12)
    np.testing.assert_allclose(w, data[2], atol=1e-9)


def test_reparametrised_training_is_dual_averaging(data):
    steps, lr = 500, 0.05
    w, _, _ = train(data, Plan(strength=PENALTY), steps, lr)
    x, y = data[0].numpy(), data[1].numpy()
    gram, cross, theta, v = x.T @ x / N, x.T @ y / N, np.zeros(P), np.zeros(P)
    for t in range(steps):
        theta -= lr * (gram @ v - cross)
        v = np.sign(theta) * np.maximum(np.abs(theta) - lr * PENALTY * (t + 1), 0)
    np.testing.assert_allclose(w, v, atol=1e-12)


def test_noise_hides_the_support_from_prox_only(data):
    dual, _, _ = train(data, Plan(strength=PENALTY), 1500, 0.3, noise=1.0)
    prox, _, _ = train(data, Plan(strength=PENALTY, mode="prox"), 1500, 0.3, noise=1.0)
    assert ((dual != 0) == (data[3] != 0)).all()
    assert np.count_nonzero(prox) > 3 * SUPPORT


def test_a_diagonal_design_has_a_closed_form():
    """Each weight of an orthogonal design is the soft threshold of its own least squares."""
    rng = np.random.default_rng(1)
    scale, target = 0.5 + rng.random(P), rng.standard_normal(P)
    x = torch.diag(torch.tensor(scale * math.sqrt(N)))[:P]
    x = torch.cat([x, torch.zeros(N - P, P, dtype=torch.float64)])
    y = x @ torch.tensor(target)
    w, _, _ = train((x, y, None, None), Plan(strength=PENALTY), 1500, 0.4)
    exact = np.sign(target) * np.maximum(np.abs(target) - PENALTY / scale**2, 0)
    np.testing.assert_allclose(w, exact, atol=1e-10)
