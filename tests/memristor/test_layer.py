"""Layers and learning: brute force, batch splits, both ways of training, votes."""

import copy
import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from engram import data
from engram.errors import EngramError
from engram.memristor import (
    BinaryStochasticConv2d,
    BinaryStochasticLinear,
    StepUpdate,
    StochasticBits,
    drawing,
    frozen,
    learn,
    mean_field,
    squared_error,
    vote,
    vote_until,
)
from engram.memristor.functional import UNIT, Address, Purpose
from tests.memristor.test_functional import expected_bits


def network(seed=0):
    return nn.Sequential(
        StochasticBits(0, seed=seed),
        BinaryStochasticLinear(6, 5, 1, gain=4.0, seed=seed),
        BinaryStochasticLinear(5, 3, 2, gain=4.0, output=True, seed=seed),
    )


def picture_network(seed=0):
    return nn.Sequential(
        StochasticBits(0, seed=seed),
        BinaryStochasticConv2d(2, 4, 3, 1, stride=2, padding=1, seed=seed),
        nn.Flatten(),
        BinaryStochasticLinear(4 * 9, 3, 2, output=True, seed=seed),
    )


def inputs(n=8, shape=(6,), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, *shape, generator=generator), torch.arange(n) % 3


def test_a_step_by_brute_force():
    net = network()
    x, labels = inputs()
    first, second = net[1], net[2]
    assert isinstance(first, BinaryStochasticLinear)
    assert isinstance(second, BinaryStochasticLinear)
    weights = [np.round(layer.weight.detach().numpy() / UNIT) for layer in (first, second)]
    y = learn(net, x, labels, step=9).numpy()
    samples = np.arange(8)
    uniform = np.array([round(i / 4096 / UNIT) for i in range(4097)])
    first_bits = np.round(x.numpy() / UNIT), uniform, Address(0, 0, step=9)
    bits = [expected_bits(*first_bits, Purpose.INPUT, samples)]
    marks = []
    for layer, weight in zip((first, second), weights, strict=True):
        z, address = bits[-1] @ weight.T, layer.address._replace(step=9)
        bits.append(expected_bits(z, layer.table, address, Purpose.FORWARD, samples))
        other = expected_bits(z, layer.table, address, Purpose.DERIVATIVE, samples)
        marks.append(bits[-1] != other)
    np.testing.assert_array_equal(y, bits[2])
    error = np.eye(3)[labels.numpy()] - bits[2]
    hidden = np.sign(error @ weights[1]) * marks[0]
    for layer, before, after in ((second, bits[1], error), (first, bits[0], hidden)):
        assert layer.weight.grad is not None
        assert layer.bias.grad is not None
        np.testing.assert_array_equal(-layer.weight.grad.numpy(), after.T @ before)
        np.testing.assert_array_equal(-layer.bias.grad.numpy(), after.sum(0))


@pytest.mark.parametrize(("make", "shape"), [(network, (6,)), (picture_network, (2, 5, 5))])
def test_autograd_and_the_rule_alone_take_the_same_steps(make, shape):
    nets = [make(), make()]
    updates = [StepUpdate(net.parameters(), step=0.01, carry=2) for net in nets]
    for step in range(12):
        x, labels = inputs(shape=shape, seed=step)
        learn(nets[0], x, labels, step)
        updates[1].zero_grad()
        with drawing(nets[1], step=step):
            squared_error(nets[1](x), labels).backward()
        for update in updates:
            update.step()
    assert updates[0].pulses == updates[1].pulses > 0
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("make", "shape"), [(network, (6,)), (picture_network, (2, 5, 5))])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_bits_and_counts_do_not_depend_on_the_split_of_a_batch(make, shape, size):
    net = make()
    x, labels = inputs(70, shape)
    whole = learn(net, x, labels, 3)
    counts = [p.grad.clone() for p in net.parameters()]
    total = [torch.zeros_like(c) for c in counts]
    parts = []
    for part in torch.arange(70).split(size):
        parts.append(learn(net, x[part], labels[part], 3, samples=part))
        total = [held + p.grad for held, p in zip(total, net.parameters(), strict=True)]
    assert torch.equal(torch.cat(parts), whole)
    for held, count in zip(total, counts, strict=True):
        assert torch.equal(held, count)


def test_an_image_twice_counts_twice():
    net = network()
    x, labels = inputs(1)
    learn(net, x, labels, 0)
    once = [p.grad.clone() for p in net.parameters()]
    same = torch.zeros(2, dtype=torch.int64)
    learn(net, x.expand(2, -1), labels.expand(2), 0, samples=same)
    for p, count in zip(net.parameters(), once, strict=True):
        assert p.grad is not None
        assert torch.equal(p.grad, 2 * count)


def test_without_errors_there_is_no_pulse():
    net = network()
    x, _ = inputs()
    update = StepUpdate(net.parameters())
    before = copy.deepcopy(net.state_dict())
    y = net(x)
    (0.0 * y).sum().backward()
    update.step()
    assert update.pulses == 0
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_places_of_a_convolution_draw_for_themselves():
    layer = BinaryStochasticConv2d(2, 4, 3, 1, padding=1, gain=2.0)
    bits = (torch.rand(6, 2, 5, 7) < 0.5).float()
    patches = functional.unfold(bits, 3, padding=1)  # (image, input, place)
    flat = BinaryStochasticLinear(18, 4, 1, gain=2.0)
    with torch.no_grad():
        flat.weight.copy_(layer.weight.flatten(1))
        rows = patches.transpose(1, 2).flatten(0, 1)
        expected = flat(rows).view(6, 35, 4).transpose(1, 2).reshape(6, 4, 5, 7)
        assert torch.equal(layer(bits), expected)


def test_counters_give_whole_pulses_and_keep_the_rest():
    weight = nn.Parameter(torch.zeros(4))
    for many, expected in ((True, [2.0, 0.0, -1.0, 0.0]), (False, [1.0, 0.0, -1.0, 0.0])):
        weight.data.zero_()
        update = StepUpdate([weight], step=1 / 64, carry=3, many=many)
        weight.grad = -torch.tensor([7.0, 2.0, -3.0, 0.0])
        update.step()
        assert (weight * 64).tolist() == expected
        assert update.state[weight]["counters"].tolist() == [1, 2, 0, 0]
    weight.data.fill_(0.99)
    StepUpdate([weight], step=0.5).step()
    assert weight.max() == 1.0


def test_a_saved_learning_goes_on_bit_for_bit():
    def start():
        net = network()
        return net, StepUpdate(net.parameters(), step=0.01, carry=3)

    def run(net, update, first, behind):
        for step in range(first, behind):
            learn(net, *inputs(seed=step), step)
            update.step()

    whole, update = start()
    run(whole, update, 0, 20)
    net, update = start()
    run(net, update, 0, 9)
    file = io.BytesIO()
    torch.save([net.state_dict(), update.state_dict()], file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    net, update = start()
    net.load_state_dict(saved[0])
    update.load_state_dict(saved[1])
    run(net, update, 9, 20)
    for one, other in zip(whole.parameters(), net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_votes_sum_passes_and_approach_the_mean_of_one_layer():
    net = nn.Sequential(BinaryStochasticLinear(6, 5, 1, gain=4.0))
    x = (inputs(4)[0] > 0.5).float()
    found = vote(net, x, 3000)
    exact = mean_field(net, x)
    torch.testing.assert_close(found.counts / 3000, exact, rtol=0, atol=0.05)
    assert torch.equal(frozen(net, x), (exact > 0.5).float())
    with torch.no_grad():
        total = torch.zeros(4, 5, dtype=torch.int64)
        for i in range(3):
            with drawing(net, vote=i):
                total += net(x).long()
    assert torch.equal(vote(net, x, 3).counts, total)


def test_a_decided_sample_stops_and_has_the_votes_of_as_many_passes():
    net = network()
    x, _ = inputs(20)
    found = vote_until(net, x, 30, lead=6)
    assert found.passes.min() < 30
    for i in range(20):
        exact = vote(net, x[i : i + 1], int(found.passes[i]), samples=torch.tensor([i]))
        assert torch.equal(exact.counts[0], found.counts[i])
        first, second = found.counts[i].topk(2).values
        assert first - second >= 6 or found.passes[i] == 30 or first - second > 30 - found.passes[i]
    # what cannot be caught up with is decided
    full = vote(net, x, 30)
    certain = vote_until(net, x, 30, lead=31)
    clear = full.counts.topk(2, dim=1).values.diff(dim=1)[:, 0] != 0
    assert torch.equal(certain.labels[clear], full.labels[clear])


def test_digits_are_learnt():
    digits = data.load("digits").train
    x = torch.from_numpy(np.asarray(digits.inputs)).flatten(1).float() / 16
    labels = torch.from_numpy(np.asarray(digits.labels)).long()
    net = nn.Sequential(
        StochasticBits(0),
        BinaryStochasticLinear(64, 100, 1, gain=4.0),
        BinaryStochasticLinear(100, 10, 2, gain=4.0, output=True),
    )
    update = StepUpdate(net.parameters(), step=0.01, carry=2)
    step = 0
    for epoch in range(8):
        order = torch.randperm(1137, generator=torch.Generator().manual_seed(epoch))
        for batch in order.split(20):
            learn(net, x[batch], labels[batch], step)
            update.step()
            step += 1
    right = (vote(net, x[1137:], 10).labels == labels[1137:]).float().mean()
    assert right > 0.8


def test_what_does_not_fit_is_refused():
    with pytest.raises(EngramError, match="inputs go from 0 to 2"):
        StochasticBits()(torch.tensor([[0.0, 2.0]]))
    twice = nn.Sequential(BinaryStochasticLinear(3, 3, 1), BinaryStochasticLinear(3, 3, 1))
    with pytest.raises(EngramError, match="a number of its own"):
        vote(twice, torch.zeros(1, 3), 1)
    with pytest.raises(EngramError, match="at least one"):
        vote(nn.Linear(3, 3), torch.zeros(1, 3), 1)
    net = network()
    x, labels = inputs()
    with pytest.raises(EngramError, match="ReLU has no rule without autograd"):
        learn(nn.Sequential(net[1], nn.ReLU()), x, labels, 0)
    for passes in (0, 1 << 16):
        with pytest.raises(EngramError, match="passes="):
            vote(net, x, passes)
    with pytest.raises(EngramError, match="lead=0"):
        vote_until(net, x, 3, 0)
    with pytest.raises(EngramError, match="3 numbers of samples for a batch of 8"):
        vote(net, x, 1, samples=torch.arange(3))
    wrong: tuple[dict[str, Any], ...] = ({"step": 0.0}, {"carry": 0}, {"limit": -1.0})
    for bad in wrong:
        with pytest.raises(EngramError, match="give a positive step"):
            StepUpdate(net.parameters(), **bad)
    with pytest.raises(EngramError, match="limit=0"):
        BinaryStochasticLinear(2, 2, 1, limit=0.0)


def test_forms_of_the_derivative_bit():
    """P(d = 1) = 2σ(1 − σ); given a forward bit of 1, 1 − σ if it is shared, else the same."""
    count = 40_000
    x = torch.ones(count, 3)
    tolerance = 5 * 0.5 / count**0.5
    for form in ("shared", "fresh", "none"):
        layer = BinaryStochasticLinear(3, 4, 1, gain=2.0, derivative=form)
        z = layer.weight.detach().sum(1) * 2.0
        p = z.sigmoid()
        y, d = layer.fire(x)
        given = (y * d).mean(0) / y.mean(0)
        expected = {"shared": 1 - p, "fresh": 2 * p * (1 - p), "none": torch.ones(4)}[form]
        both = torch.ones(4) if form == "none" else 2 * p * (1 - p)
        torch.testing.assert_close(d.mean(0), both, atol=tolerance, rtol=0)
        torch.testing.assert_close(given, expected, atol=3 * tolerance, rtol=0)


def test_errors_within_the_dead_zone_move_nothing():
    layer = BinaryStochasticLinear(3, 4, 1, dead_zone=0.5)
    gradient = torch.tensor([[0.4, -0.5, 0.6, -2.0]])
    assert layer.errors(gradient, torch.ones(1, 4)).tolist() == [[0.0, 0.0, -1.0, 1.0]]
    with pytest.raises(EngramError, match="dead_zone=-1"):
        BinaryStochasticLinear(3, 4, 1, dead_zone=-1)
    with pytest.raises(EngramError, match="derivative='both': choose from shared, fresh, none"):
        BinaryStochasticLinear(3, 4, 1, derivative="both")
