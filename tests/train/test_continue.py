"""What a training that was cut off does after that: its examples, random numbers and rates."""

import random
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engram.train import Average, Conduct, ExampleFeed, Examples, Recipe, as_batch, evaluate, train
from engram.train.checkpoint import Checkpoints, generators
from tests.train import trainee

COUNT = 10
RECIPE = Recipe(epochs=3, batch=2, lr=0.05, average=0.5)


class CutError(Exception):
    """The process ends here."""


class Watched(nn.Module):
    """A model of numbered examples that remembers those of each step, and draws at random."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.seen = nn.Linear(2, 2), []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of `(batch, 1)`, of which each row is the number of an example."""
        if self.training:
            self.seen.append(x[:, 0].int().tolist())
            noise = torch.rand(()) + random.random() + np.random.rand()  # noqa: NPY002
            x = x + 0.1 * noise
        return self.layer(torch.cat([x, x.cos()], 1))


class Watch:
    """Remembers the generators and the rates of each step."""

    def __init__(self) -> None:
        self.generators, self.rates = [], []

    def after_step(self, rates: list[float]) -> None:
        """Follow a step."""
        state = generators()
        name, words, *rest = state["numpy"]
        torchs, numpys = (x.numpy().tobytes() for x in (state["torch"], words))
        self.generators.append((torchs, name, numpys, rest, state["python"]))
        self.rates.append(rates)

    def state_dict(self) -> dict[str, Any]:
        """Nothing is kept."""
        return {}

    def load_state_dict(self, state: Any) -> None:
        """Nothing is restored."""


def feed() -> ExampleFeed:
    examples = Examples(torch.arange(float(COUNT))[:, None], torch.arange(COUNT) % 2)
    return ExampleFeed(examples, as_batch)


def run(
    folder, *, cut: int | None = None, recipe: Recipe = RECIPE, workers: int = 0, save_s: float = 0
) -> tuple[Watched, Watch]:
    """Train; with `cut`, the process ends before the checkpoint of that step."""
    torch.manual_seed(1)
    np.random.seed(2)  # noqa: NPY002  a model may use it
    random.seed(3)
    model, watch = Watched(), Watch()

    def progress(step: Any) -> None:
        if step.done == cut:
            raise CutError

    conduct = Conduct(save_s=save_s, workers=workers)
    with suppress(CutError):
        train(
            model, feed(), feed(), recipe, folder, conduct=conduct, hooks={"watch": watch},
            device="cpu", progress=progress,
        )  # fmt: skip
    return model, watch


@pytest.fixture(autouse=True)
def shown_at_once(monkeypatch):
    monkeypatch.setattr("engram.train.loop.SHOWN_S", -1.0)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_rest_of_the_examples_follows_with_equal_generators_and_rates(tmp_path, workers):
    whole, beside = run(tmp_path / "whole")
    run(tmp_path / "cut", cut=8, workers=workers)  # step 7 is the second batch of the second epoch
    model, watch = run(tmp_path / "cut", workers=workers)
    assert len(whole.seen) == 15
    assert model.seen == whole.seen[7:]
    assert watch.generators == beside.generators[7:]
    assert watch.rates == beside.rates[7:]
    epochs = [list(chain(*whole.seen[i : i + 5])) for i in (0, 5, 10)]
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_average_is_evaluated_alike_right_after_a_resume(tmp_path):
    run(tmp_path, save_s=1e9)  # after the epochs only
    state = Checkpoints(tmp_path / "checkpoints").latest()
    assert state is not None
    again = Watched()
    again.load_state_dict(state["engine"]["model"])
    average = Average(again, 0.5)
    average.load_state_dict(state["engine"]["hooks"]["average"])
    with average.applied():
        outputs, labels = evaluate(again, feed(), batch=4)
    assert len(state["accuracies"]) == RECIPE.epochs
    assert (outputs.argmax(1) == labels).double().mean().item() == state["accuracies"][-1]


@pytest.mark.parametrize("drop_last", [False, True])
def test_the_batches_of_a_training_do_not_depend_on_the_number_of_processes(tmp_path, drop_last):
    recipe = replace(RECIPE, batch=4, drop_last=drop_last)
    model, _ = run(tmp_path / "whole", recipe=recipe)
    sizes = [4, 4] if drop_last else [4, 4, 2]
    assert [len(rows) for rows in model.seen] == sizes * 3
    run(tmp_path / "cut", cut=4, recipe=recipe)
    checkpoints = Checkpoints(tmp_path / "cut/checkpoints")
    state = checkpoints.latest()
    assert state is not None
    state["generators"] = state["generators"] * 2  # as two processes save it
    state["engine"]["losses"] = [losses / 2 for losses in state["engine"]["losses"] * 2]
    checkpoints.save(state["engine"]["step"] + 1, state)
    with pytest.warns(UserWarning, match="a training of 2 processes continues with 1"):
        again, _ = run(tmp_path / "cut", recipe=recipe)
    assert again.seen == model.seen[3:]


def test_more_epochs_are_refused_with_both_numbers(tmp_path):
    run(tmp_path, cut=8)
    with pytest.raises(ValueError, match="epochs=3 became 5"):
        run(tmp_path, recipe=replace(RECIPE, epochs=5))


def test_a_trainee_draws_from_every_generator(tmp_path):
    before = trainee.drawn()
    assert trainee.drawn() == before
    trainee.start(tmp_path, recipe=replace(trainee.RECIPE, epochs=2))
    after = trainee.drawn()
    assert all(x != y for x, y in zip(before, after, strict=True))
