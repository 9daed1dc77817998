"""The fused chain has the bits of `learn` and `StepUpdate`."""

import copy

import pytest
import torch
from torch import nn

from engram.errors import EngramError
from engram.memristor import (
    BinaryStochasticLinear,
    StepUpdate,
    StochasticBits,
    fused,
    learn,
    vote,
)
from engram.memristor.device import taox_ramps
from tests.memristor.test_layer import picture_network


def deep(seed=0, *, drawn=True, limit=1.0, **noise):
    widths = (21, 13, 10, 7, 5)
    settings = {"gain": 4.0, "limit": limit, "seed": seed, **noise}
    layers = [
        BinaryStochasticLinear(widths[i], widths[i + 1], i + 1, output=i == 3, **settings)
        for i in range(4)
    ]
    bits = [StochasticBits(0, seed=seed)] if drawn else []
    return nn.Sequential(nn.Flatten(), *bits, *layers)


def batch(step, n=9, shape=(3, 7)):
    generator = torch.Generator().manual_seed(step)
    x = torch.rand(n, *shape, generator=generator)
    x[torch.rand(x.shape, generator=generator) < 0.3] = 0.0
    x[torch.rand(x.shape, generator=generator) < 0.2] = 1.0
    return x, torch.randint(5, (n,), generator=generator)


def equal(one, other):
    return all(map(torch.equal, one.parameters(), other.parameters()))


SETTINGS = {
    "plain": {"step": 0.05, "carry": 1},
    "carry": {"step": 0.05, "carry": 3},
    "one pulse": {"step": 0.05, "carry": 2, "many": False},
    "small range": {"step": 0.3, "carry": 1, "limit": 0.5},
    "devices": {"carry": 2, "device": taox_ramps()._replace(between=0.2, stuck=0.1), "seed": 5},
}


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_bits_of_learning_step_by_step(settings, drawn):
    reference = deep(drawn=drawn, limit=settings.get("limit", 1.0))
    ours = copy.deepcopy(reference)
    updates = (
        StepUpdate(reference.parameters(), **settings),
        StepUpdate(ours.parameters(), **settings),
    )
    for turn in range(2):
        with fused(ours, updates[1]) as chain:
            for step in range(10 * turn, 10 * turn + 10):
                x, labels = batch(step)
                x = x if drawn else x.round()
                expected = learn(reference, x, labels, step)
                updates[0].step()
                assert torch.equal(chain.learn(x, labels, step), expected)
        assert equal(ours, reference)
        for theirs, own in zip(reference.parameters(), ours.parameters(), strict=True):
            assert torch.equal(updates[0].counters(theirs), updates[1].counters(own))
        assert updates[0].pulses == updates[1].pulses > 0


@pytest.mark.parametrize(
    "form",
    [
        {"noise": "gaussian", "read_noise": 0.2},
        {"derivative": "fresh"},
        {"derivative": "none", "dead_zone": 0.25},
        {"dead_zone": 0.1},
    ],
)
def test_the_bits_of_other_forms_of_the_rule(form):
    reference, ours = deep(**form), deep(**form)
    updates = [StepUpdate(net.parameters(), step=0.05, carry=2) for net in (reference, ours)]
    with fused(ours, updates[1]) as chain:
        for step in range(10):
            x, labels = batch(step)
            expected = learn(reference, x, labels, step)
            updates[0].step()
            assert torch.equal(chain.learn(x, labels, step), expected)
        x, _ = batch(11)
        assert torch.equal(chain.vote(x, 9), vote(reference, x, 9).counts)
    assert equal(ours, reference)


def test_samples_have_numbers_of_their_own():
    reference, ours = deep(), deep()
    numbers = torch.tensor([4, 0, 77, 2**31, 5, 6, 8, 9, 10])
    x, labels = batch(0)
    expected = learn(reference, x, labels, 3, numbers)
    with fused(ours, StepUpdate(ours.parameters())) as chain:
        assert torch.equal(chain.learn(x, labels, 3, numbers), expected)


def test_votes_are_those_of_the_layers():
    net = deep()
    x, _ = batch(1, n=20)
    with fused(net, StepUpdate(net.parameters())) as chain:
        assert torch.equal(chain.vote(x, 25), vote(net, x, 25).counts)
        parts = [chain.vote(x[i : i + 7], 25, torch.arange(20)[i : i + 7]) for i in (0, 7, 14)]
    assert torch.equal(torch.cat(parts), vote(net, x, 25).counts)


def test_what_was_learned_is_kept_after_an_error():
    net = deep()
    before = copy.deepcopy(net)
    update = StepUpdate(net.parameters(), step=0.1)

    def learn_and_fail():
        with fused(net, update) as chain:
            chain.learn(*batch(0), 0)
            chain.learn(torch.full((1, 21), -1.0), torch.tensor([0]), 1)

    with pytest.raises(EngramError, match="give probabilities"):
        learn_and_fail()
    learn(before, *batch(0), 0)
    StepUpdate(before.parameters(), step=0.1).step()
    assert equal(net, before)


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        (picture_network(), {}, "BinaryStochasticConv2d"),
        (nn.Sequential(StochasticBits(0)), {}, "no dense layer"),
        (deep()[:4], {}, "to the last layer only"),
        (deep(), {"limit": 0.3}, r"limit=0\.3"),
        (deep(), {"limit": 0.0625}, r"beyond limit=0\.0625"),
        (
            nn.Sequential(BinaryStochasticLinear(40_000, 2, 1, limit=1024.0, output=True)),
            {"limit": 1024.0},
            "use learn",
        ),
    ],
)
def test_other_models_are_refused(model, settings, said):
    parameters = list(model.parameters()) or [nn.Parameter(torch.zeros(1))]
    with pytest.raises(EngramError, match=said), fused(model, StepUpdate(parameters, **settings)):
        pass


def test_an_optimizer_without_all_weights_and_inputs_out_of_range_are_refused():
    net = deep()
    with (
        pytest.raises(EngramError, match="no weight of one of the layers"),
        fused(net, StepUpdate(list(net.parameters())[:2])),
    ):
        pass
    with (
        pytest.raises(EngramError, match="give probabilities"),
        fused(net, StepUpdate(net.parameters())) as chain,
    ):
        chain.learn(torch.full((1, 21), 1.5), torch.tensor([0]), 0)

    bare = deep(drawn=False)
    with (
        pytest.raises(EngramError, match="no StochasticBits"),
        fused(bare, StepUpdate(bare.parameters())) as chain,
    ):
        chain.learn(torch.full((1, 21), 0.5), torch.tensor([0]), 0)
