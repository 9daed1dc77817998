import copy
from functools import partial
from itertools import chain
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW

from engram.train import Average, Engine, ExampleFeed, Examples, as_batch, schedule

INPUTS = torch.randn(43, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
EXAMPLES = Examples(INPUTS, torch.arange(43) % 3)

ADAMW = partial(AdamW, lr=0.05)


class Numbered:
    """Examples whose batches can be asked for; remembers which were read."""

    def __init__(self) -> None:
        self.feed, self.seen = ExampleFeed(EXAMPLES, as_batch), []

    def __len__(self) -> int:
        return len(self.feed)

    def batch(self, rows, part, epoch):
        self.seen.append(rows[part].tolist())
        return self.feed.batch(rows, part, epoch)


def net() -> Any:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 3)).double()


def engine(
    model: Any = None, feed: Any = None, *, optimizer: Any = ADAMW, **options: Any
) -> Engine:
    model = model or net()
    options = {"batch": 8, "seed": 3} | options
    feed = feed or ExampleFeed(EXAMPLES, as_batch)
    return Engine(model, feed, optimizer(model.parameters()), schedule("cosine", 18), **options)


def run(one: Engine, epochs: int) -> list[float]:
    losses = []
    while one.epoch < epochs:
        for _ in one.steps():
            pass
        losses.append(one.end_epoch())
    return losses


def weights(one: Engine) -> torch.Tensor:
    return nn.utils.parameters_to_vector(one.model.parameters()).detach()


def test_an_epoch_reads_each_example_once_and_the_next_in_another_order():
    feed = Numbered()
    run(engine(feed=feed), 2)
    first, second = list(chain(*feed.seen[:6])), list(chain(*feed.seen[6:]))
    assert sorted(first) == sorted(second) == list(range(43))
    assert first != second


def test_the_last_batch_can_be_left_out():
    feed = Numbered()
    run(engine(feed=feed, drop_last=True), 1)
    assert [len(rows) for rows in feed.seen] == [8] * 5


@pytest.mark.parametrize("accumulate", [2, 3, 4, 8])
def test_accumulated_parts_give_the_step_of_the_whole_batch(accumulate):
    whole, parts = net().eval(), net().eval()
    sgd = partial(SGD, lr=0.1, momentum=0.9)
    for model, count in ((whole, 1), (parts, accumulate)):
        model[1].p = 0.0
        run(engine(model, optimizer=sgd, accumulate=count), 2)
    difference = nn.utils.parameters_to_vector(whole.parameters()) - (
        nn.utils.parameters_to_vector(parts.parameters())
    )
    assert difference.abs().max() < 1e-12


@pytest.mark.parametrize("stop", [1, 3, 6, 8])
def test_a_training_continues_bit_for_bit_from_any_step(stop):
    whole = net()
    straight = engine(whole, hooks={"average": Average(whole, 0.9)}, accumulate=2, clip=1.0)
    torch.manual_seed(11)
    losses = run(straight, 3)

    killed = net()
    first = engine(killed, hooks={"average": Average(killed, 0.9)}, accumulate=2, clip=1.0)
    torch.manual_seed(11)
    while first.step < stop:
        for _ in first.steps():
            if first.step == stop:
                break
        else:
            first.end_epoch()
    state, generator = copy.deepcopy(first.state_dict()), torch.get_rng_state()
    torch.rand(7)
    other = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 3)).double()
    average = Average(other, 0.9)
    second = engine(other, hooks={"average": average}, accumulate=2, clip=1.0)
    second.load_state_dict(state)
    torch.set_rng_state(generator)
    assert run(second, 3) == losses[-(3 - state["epoch"]) :]
    assert torch.equal(weights(second), weights(straight))
    mean = straight.hooks["average"].state_dict()["mean"]
    assert all(
        torch.equal(mean[name], value) for name, value in average.state_dict()["mean"].items()
    )


def test_workers_change_neither_the_weights_nor_the_generators():
    ends = []
    for workers in (0, 2):
        torch.manual_seed(4)
        one = engine(workers=workers)
        losses = run(one, 2)
        ends.append((losses, weights(one), torch.get_rng_state()))
    assert ends[0][0] == ends[1][0]
    assert torch.equal(ends[0][1], ends[1][1])
    assert torch.equal(ends[0][2], ends[1][2])


def test_hooks_are_called_once_per_step_with_the_rate_of_the_step():
    seen = []

    class Watch:
        def after_step(self, rates):
            seen.append(rates)

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    run(engine(accumulate=4, hooks={"watch": Watch()}), 2)
    rate = schedule("cosine", 18)
    assert seen == [[0.05 * rate(step)] for step in range(12)]


def test_gradients_are_clipped_as_torch_does():
    model, batch = net().eval(), EXAMPLES.inputs
    model[1].p = 0.0
    one = engine(model, batch=43, clip=0.01, optimizer=partial(SGD, lr=1.0))
    reference = copy.deepcopy(model)
    F.cross_entropy(reference(batch), EXAMPLES.labels).backward()
    norm = nn.utils.clip_grad_norm_(reference.parameters(), 0.01)
    step = next(one.steps())
    assert step.norm.item() == pytest.approx(norm.item(), rel=1e-9)
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs - theirs.grad)


def test_a_teacher_is_asked_about_the_same_inputs():
    asked = []

    def loss(outputs, targets, taught):
        asked.append(taught)
        return F.cross_entropy(outputs, targets)

    teacher, feed = nn.Linear(6, 3).double(), Numbered()
    run(engine(feed=feed, teacher=teacher, loss=loss), 1)
    for taught, rows in zip(asked, feed.seen, strict=True):
        torch.testing.assert_close(taught, teacher(INPUTS[rows]).detach())
        assert not taught.requires_grad


def test_a_loss_that_is_not_finite_is_named_with_its_step_and_examples():
    model, feed = net(), Numbered()
    one = engine(model, feed)
    run(one, 1)
    for number, _ in enumerate(one.steps()):
        if number == 1:
            model[0].weight.data.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"epoch 1: the loss of step 8 \(examples") as error:
        one.end_epoch()
    named = ", ".join(map(str, feed.seen[6 + 2]))
    assert f"(examples {named})" in str(error.value)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch": 0}, "batch=0"),
        ({"accumulate": 9}, "accumulate=9"),
        ({"clip": 0.0}, "clip=0.0"),
        ({"workers": -1}, "workers=-1"),
    ],
)
def test_a_number_out_of_range_is_named(options, named):
    with pytest.raises(ValueError, match=named):
        engine(**options)


def test_a_state_with_other_hooks_is_refused():
    model = net()
    state = engine(model, hooks={"average": Average(model, 0.9)}).state_dict()
    with pytest.raises(ValueError, match=r"hooks \['average'\]"):
        engine().load_state_dict(state)
