"""Pruning in a training: targets, loops, copies, checkpoints and refusals."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn

from engram.errors import EngramError
from engram.prune import Plan, Pruning, bake, pruned_weights
from engram.train import attach

STEPS = 60


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, bias=False),
        nn.ReLU(), nn.Flatten(), nn.Linear(12 * 16, 10),
    )  # fmt: skip


def optimizers(model):
    own = list(model.parameters())
    return {
        "sgd": torch.optim.SGD(own, lr=0.05, momentum=0.9, weight_decay=1e-3),
        "adam": torch.optim.Adam(own, lr=1e-3),
        "adamw": torch.optim.AdamW(own, lr=1e-3, weight_decay=0.1),
        "rmsprop": torch.optim.RMSprop(own, lr=1e-3),
    }


def batch(i):
    generator = torch.Generator().manual_seed(i)
    x = torch.randn(16, 1, 8, 8, generator=generator)
    return x, torch.randint(0, 10, (16,), generator=generator)


def train(model, optimizer, steps=STEPS, first=0):
    for i in range(first, first + steps):
        x, y = batch(i)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def zeros(model):
    weights = [one.weight for one in pruned_weights(model)]
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("sparsity", [0.9, 0.99])
@pytest.mark.parametrize("operator", ["soft", "hard", "feather", "st3"])
def test_a_target_is_met_whatever_the_optimizer(name, sparsity, operator):
    model = network()
    optimizer = optimizers(model)[name]
    pruning = Pruning(model, Plan(sparsity=sparsity, operator=operator), STEPS)
    attach(pruning, optimizer)
    train(model, optimizer)
    assert zeros(model) == pytest.approx(sparsity, abs=1e-3)
    assert pruning.progress().sparsity == zeros(model)


@pytest.mark.parametrize("schedule", ["lats", "s-lats", "pgh", "sine", "linear", "cubic", "fixed"])
@pytest.mark.parametrize("budget", ["global", "uniform", "erk"])
def test_every_schedule_and_budget_meets_a_target(schedule, budget):
    model = network()
    optimizer = optimizers(model)["sgd"]
    attach(Pruning(model, Plan(sparsity=0.8, schedule=schedule, budget=budget), 20), optimizer)
    train(model, optimizer, 20)
    assert zeros(model) == pytest.approx(0.8, abs=1e-3)
    shares = [float((one.weight != 0).float().mean()) for one in pruned_weights(model)]
    if budget == "uniform":
        assert shares == pytest.approx([0.2] * 3, abs=0.01)
    if budget == "erk":
        raw = [sum(one.weight.shape) / one.weight.numel() for one in pruned_weights(model)]
        sizes = [one.weight.numel() for one in pruned_weights(model)]
        factor = 0.2 * sum(sizes) / sum(r * n for r, n in zip(raw, sizes, strict=True))
        assert shares == pytest.approx([factor * r for r in raw], abs=0.01)


def test_once_a_step_of_the_optimizer_under_accumulation_and_skipped_steps():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    pruning = Pruning(model, Plan(strength=0.01), 10)
    attach(pruning, optimizer)
    for i in range(4):
        nn.functional.cross_entropy(model(batch(i)[0]), batch(i)[1]).backward()
    optimizer.step()
    assert pruning.progress().threshold == pytest.approx(0.005)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)  # pyright: ignore[reportPrivateImportUsage]
    scaler.scale(model(batch(0)[0]).sum() * 1e30).backward()  # overflows: the scaler skips the step
    scaler.step(optimizer)
    scaler.update()
    assert (pruning.step, pruning.progress().threshold) == (1, pytest.approx(0.005))


def test_each_group_has_its_own_penalty_and_rate():
    model = network()
    groups = [
        {"params": model[0].parameters(), "lr": 0.1},
        {
            "params": [*model[3].parameters(), *model[6].parameters()],
            "lr": 0.4,
            "weight_decay": 0.5,
        },
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    attach(Pruning(model, Plan(strength=0.1), 10), optimizer)
    train(model, optimizer, 2)
    first, second, third = (float(one.law.threshold) for one in pruned_weights(model))
    assert first == pytest.approx(2 * 0.1 * 0.1)
    d = 0.4 * 0.1
    assert second == third == pytest.approx(d + 0.4 * (0.1 - 0.5 * d))


def test_a_saved_training_goes_on_bit_for_bit():
    def start():
        model = network()
        optimizer = optimizers(model)["adamw"]
        pruning = Pruning(model, Plan(sparsity=0.9, then="mask", end=0.7), STEPS)
        attach(pruning, optimizer)
        return model, optimizer, pruning

    whole, optimizer, _ = start()
    train(whole, optimizer)
    for cut in (10, 50):  # while the threshold moves, and after the mask is fixed
        model, optimizer, pruning = start()
        train(model, optimizer, cut)
        file = io.BytesIO()
        torch.save([model.state_dict(), optimizer.state_dict(), pruning.state_dict()], file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        again, optimizer, pruning = start()
        for one, state in zip((again, optimizer, pruning), saved, strict=True):
            one.load_state_dict(state)
        assert zeros(again) == zeros(model) > 0.3  # sparse from the first batch
        train(again, optimizer, STEPS - cut, cut)
        for name, value in whole.state_dict().items():
            assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_fixed_mask_lets_nothing_return(name):
    model = network()
    optimizer = optimizers(model)[name]
    attach(Pruning(model, Plan(sparsity=0.9, then="mask", end=0.2), 50), optimizer)
    train(model, optimizer, 10)
    before = [(one.weight == 0).clone() for one in pruned_weights(model)]
    train(model, optimizer, 100, 10)
    for one, pruned in zip(pruned_weights(model), before, strict=True):
        assert not one.weight[pruned].any()


def test_a_layer_of_zeros_is_trained():
    layer = nn.Linear(4, 2)
    nn.init.zeros_(layer.weight)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    attach(Pruning(layer, Plan(strength=1e-3), 20), optimizer)
    for _ in range(20):
        optimizer.zero_grad()
        (layer(torch.ones(3, 4)) - 1).square().mean().backward()
        optimizer.step()
    assert layer.weight.all()


def test_a_sparse_model_stays_sparse():
    model = network()
    with torch.no_grad():
        for name in ("3.weight", "6.weight"):
            weight = model.get_parameter(name)
            weight *= torch.rand_like(weight) < 0.3
    x, _ = batch(0)
    plan = Plan(sparsity=0.9, initial=0.05, include=("3", "6"))
    with torch.no_grad():
        before = model.eval()(x)
        optimizer = optimizers(model)["sgd"]
        pruning = Pruning(model, plan, STEPS)
        torch.testing.assert_close(model(x), before)
    attach(pruning, optimizer)
    start = zeros(model)
    model.train()
    train(model, optimizer, 1)
    assert zeros(model) > start - 0.01
    train(model, optimizer, STEPS - 1, 1)
    assert zeros(model) == pytest.approx(0.9, abs=1e-3)


def test_a_penalty_raises_the_threshold_that_training_starts_with():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    pruning = Pruning(model, Plan(strength=0.01, initial=0.05), 10)
    attach(pruning, optimizer)
    train(model, optimizer, 3)
    assert pruning.progress().threshold == pytest.approx(0.05 + 3 * 0.1 * 0.01)


def test_copies_and_averages_have_thresholds_of_their_own():
    model = network()
    optimizer = optimizers(model)["sgd"]
    attach(Pruning(model, Plan(sparsity=0.9), 20), optimizer)
    train(model, optimizer, 10)
    twin = copy.deepcopy(model)
    average = torch.optim.swa_utils.AveragedModel(model)
    share = zeros(twin)
    train(model, optimizer, 10, 10)
    average.update_parameters(model)
    assert zeros(twin) == share < zeros(model)
    thresholds = [one.law.threshold for one in pruned_weights(average)]
    assert thresholds == [one.law.threshold for one in pruned_weights(model)]
    own = {id(one.law.threshold) for one in pruned_weights(model)}
    assert own.isdisjoint({id(threshold) for threshold in thresholds})


def test_three_trainings_in_a_row():
    model = network()
    for sparsity in (0.5, 0.7, 0.9):
        optimizer = optimizers(model)["sgd"]
        attach(Pruning(model, Plan(sparsity=sparsity), 10), optimizer)
        train(model, optimizer, 10)
        bake(model)
        own = [model.get_parameter(f"{i}.weight") for i in (0, 3, 6)]
        share = sum(int((w == 0).sum()) for w in own) / sum(w.numel() for w in own)
        assert share == pytest.approx(sparsity, abs=1e-3)


def test_baked_models_are_plain_and_equal():
    model = network()
    optimizer = optimizers(model)["sgd"]
    attach(Pruning(model, Plan(sparsity=0.9), 20), optimizer)
    train(model, optimizer, 20)
    x, _ = batch(0)
    model.eval()
    with torch.no_grad():
        before = model(x)
        assert torch.equal(bake(model)(x), before)
    assert set(model.state_dict()) == set(network().state_dict())


def test_subnormal_weights_are_flushed():
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1e-40, 1e-3, -1e-42]]))
    assert bake(layer).get_parameter("weight").tolist() == [[0.0, pytest.approx(1e-3), 0.0]]


def test_thresholds_stay_in_float32_under_autocast():
    model = network()
    optimizer = optimizers(model)["sgd"]
    attach(Pruning(model, Plan(strength=0.01), 5), optimizer)
    with torch.autocast("cpu", torch.bfloat16):
        nn.functional.cross_entropy(model(batch(0)[0]), batch(0)[1]).backward()
    optimizer.step()
    for one in pruned_weights(model):
        assert one.weight.dtype == one.law.threshold.dtype == one.theta.dtype == torch.float32


@pytest.mark.parametrize("grain", ["channel", "neuron", "block:3", "2:4"])
def test_groups_go_as_a_whole(grain):
    torch.manual_seed(0)
    layer = nn.Linear(24, 20)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    far: dict[str, Any] = {"sparsity": 0.5} if grain != "2:4" else {"threshold": 0.0}
    plan = Plan(**far, granularity=grain, schedule="linear")
    attach(Pruning(layer, plan, 10), optimizer)
    for _ in range(10):
        optimizer.zero_grad()
        layer(torch.randn(8, 24)).square().sum().backward()
        optimizer.step()
    weight = layer.weight.detach()
    assert (weight == 0).float().mean() == pytest.approx(0.5, abs=0.03)
    alive = {
        "channel": weight.count_nonzero(1), "neuron": weight.count_nonzero(0),
        "block:3": weight.view(-1, 3).count_nonzero(1), "2:4": weight.view(-1, 4).count_nonzero(1),
    }[grain]  # fmt: skip
    size = {"channel": 24, "neuron": 20, "block:3": 3, "2:4": 2}[grain]
    assert set(alive.tolist()) <= {0, size}


def test_what_cannot_be_is_refused_by_name():
    model = network()
    for plan, said in (
        (Plan(threshold=1.0), "planned rate of each step"),
        (Plan(sparsity=0.9999), "at most 0.9996"),
        (Plan(sparsity=0.9, granularity="2:4"), "threshold=0"),
        (Plan(sparsity=0.9, include=("layrs.*",)), "matches no weight; similar"),
        (Plan(sparsity=0.9, exclude=("6.weigh",)), "6.weight"),
        (Plan(sparsity=0.9, granularity="block:7"), "do not divide into blocks of 7"),
    ):
        with pytest.raises(EngramError, match=said):
            Pruning(copy.deepcopy(model), plan, STEPS)
    bad: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "give one of strength"),
        ({"sparsity": 0.9, "strength": 1.0}, "give one of strength"),
        ({"strength": -1.0}, "strength=-1.0"),
        ({"sparsity": 1.0}, "sparsity=1.0"),
        ({"strength": 1.0, "schedule": "sine"}, "lats"),
        ({"sparsity": 0.5, "begin": 0.5, "end": 0.5}, "begin=0.5"),
        ({"sparsity": 0.5, "schedule": "cosine"}, "choose one of lats"),
        ({"sparsity": 0.5, "operator": "firm", "mode": "dual"}, "choose one of soft"),
    )
    for settings, said in bad:
        with pytest.raises(EngramError, match=said):
            Pruning(copy.deepcopy(model), Plan(**settings), STEPS)


def test_lambda_is_refused_where_it_has_no_meaning():
    for name, settings, said in (
        ("RMSprop", {}, "not defined for RMSprop"),
        ("Adam", {"weight_decay": 0.1}, "use AdamW"),
    ):
        model = network()
        optimizer = getattr(torch.optim, name)(model.parameters(), **settings)
        with pytest.raises(EngramError, match=said):
            attach(Pruning(model, Plan(strength=0.1), STEPS), optimizer)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    with pytest.raises(EngramError, match=r"keeps d below λ/decay = 0\.2"):
        attach(Pruning(model, Plan(strength=0.1, threshold=0.3), STEPS), optimizer)


def test_twice_tied_or_untrained_weights_are_refused():
    model = network()
    Pruning(model, Plan(sparsity=0.5), STEPS)
    with pytest.raises(EngramError, match="parametrized already"):
        Pruning(model, Plan(sparsity=0.5), STEPS)
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    with pytest.raises(EngramError, match=r"0\.weight and 1\.weight are one tensor"):
        Pruning(tied, Plan(sparsity=0.5), STEPS)
    model = network()
    pruning = Pruning(model, Plan(sparsity=0.5), STEPS)
    with pytest.raises(EngramError, match=r"does not train 6\.weight"):
        attach(pruning, torch.optim.SGD([*model[0].parameters(), *model[3].parameters()], lr=0.1))
    with pytest.raises(EngramError, match=r"weight of torch\.float16"):
        Pruning(network().half(), Plan(sparsity=0.5), STEPS)


def test_a_checkpoint_of_another_plan_is_refused():
    saved = Pruning(network(), Plan(sparsity=0.5), STEPS).state_dict()
    with pytest.raises(EngramError, match=r"sparsity=0\.5.*sparsity=0\.6"):
        Pruning(network(), Plan(sparsity=0.6), STEPS).load_state_dict(saved)


def test_names_are_seen_through_wrappers():
    model = torch.nn.DataParallel(network())
    pruning = Pruning(model, Plan(sparsity=0.5, include=("3", "6.weight")), STEPS)
    assert [one.name for one in pruning.weights] == ["module.3.weight", "module.6.weight"]


def test_a_learned_threshold_prunes_under_adamw():
    model = network()
    early = torch.optim.AdamW(model.parameters())
    pruning = Pruning(model, Plan(operator="str"), STEPS)
    with pytest.raises(EngramError, match="make it after the pruning"):
        attach(pruning, early)
    # decay draws s to 0, where the threshold is σ(0) = ½
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=1.0)
    attach(pruning, optimizer)
    before = pruning.progress()
    train(model, optimizer)
    assert pruning.progress().threshold > before.threshold
    assert before.sparsity < 0.05
    assert zeros(model) > 0.5
