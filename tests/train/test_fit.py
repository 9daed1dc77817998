import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

from engram.train import (
    Examples,
    batches,
    cosine,
    fit,
    predict,
    rehearse,
    time_first,
)

STEPS, FEATURES = 3, 4


class Readout(nn.Module):
    """Mean over time, then a linear layer: `(time, batch, features)` to `(batch, 2)`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.linear = nn.Linear(FEATURES, 2)

    def forward(self, x):
        return self.linear(x.mean(0))


def separable(n: int, seed: int) -> Examples:
    """Sequences whose first feature is ±1 by class, in noise of 0.1."""
    noise = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    inputs = 0.1 * torch.randn(n, STEPS, FEATURES, generator=noise)
    inputs[:, :, 0] += (2 * labels - 1)[:, None]
    return Examples(inputs, labels)


TRAIN, VALIDATION = separable(64, 1), separable(32, 2)


def train(model: nn.Module, **changed):
    options = {"epochs": 4, "batch": 16, "lr": 0.05, "seed": 0, "device": "cpu"} | changed
    return fit(model, TRAIN, VALIDATION, **options)


def weights(**changed) -> torch.Tensor:
    model = Readout()
    train(model, **changed)
    return model.linear.weight.detach()


def test_learns_what_a_line_can_separate():
    model = Readout()
    history = train(model, epochs=10)
    test = separable(100, 3)
    assert torch.equal(predict(model, test.inputs).argmax(1), test.labels)
    assert history.validation_accuracy.values[history.best_epoch] == 1.0
    assert history.train_loss.values[-1] < history.train_loss.values[0]
    assert history.step_s > 0


def test_a_seed_gives_the_weights_and_another_gives_others():
    assert torch.equal(weights(seed=3), weights(seed=3))
    assert not torch.equal(weights(seed=3), weights(seed=4))


def test_the_order_does_not_depend_on_the_global_generator():
    first = weights()
    torch.rand(5)
    assert torch.equal(first, weights())


@pytest.mark.parametrize(
    "optimizer",
    [partial(AdamW, weight_decay=0.1), partial(SGD, momentum=0.9)],
    ids=["adamw", "sgd"],
)
def test_full_batches_follow_torch_with_its_own_cosine(optimizer):
    epochs, lr = 5, 0.03
    ours = weights(optimizer=optimizer, epochs=epochs, lr=lr, batch=64, loss=nudged)
    model = Readout()
    descent = optimizer(model.parameters(), lr=lr)
    schedule = CosineAnnealingLR(descent, epochs)
    for _ in range(epochs):
        descent.zero_grad()
        nudged(model(TRAIN.inputs.transpose(0, 1)), TRAIN.labels).backward()
        descent.step()
        schedule.step()
    torch.testing.assert_close(ours, model.linear.weight.detach(), rtol=1e-4, atol=1e-6)


def nudged(outputs, labels):
    """A loss of another kind than the default."""
    return F.cross_entropy(outputs, labels, label_smoothing=0.3)


def test_cosine_is_torchs_schedule():
    steps = 13
    descent = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = CosineAnnealingLR(descent, steps)
    for step in range(steps + 1):
        assert cosine(step / steps) == pytest.approx(schedule.get_last_lr()[0], abs=1e-12)
        descent.step()
        schedule.step()


def test_keeps_the_last_of_the_best_epochs_not_before_it_may():
    model = Readout()
    course = [3.0, -3.0, 3.0, -3.0]  # a weight that is right in epochs 0 and 2 only

    def before_epoch(epoch: int) -> None:
        with torch.no_grad():
            model.linear.weight.zero_()
            model.linear.bias.zero_()
            model.linear.weight[1, 0] = course[epoch]

    kept = train(model, before_epoch=before_epoch, lr=1e-6)
    assert kept.validation_accuracy.values == (1.0, 0.0, 1.0, 0.0)
    assert kept.best_epoch == 2
    assert model.linear.weight[1, 0].item() == pytest.approx(3.0, abs=1e-3)
    kept = train(model, before_epoch=before_epoch, lr=1e-6, keep_from=3)
    assert kept.best_epoch == 3
    assert model.linear.weight[1, 0].item() == pytest.approx(-3.0, abs=1e-3)


def test_the_loss_of_an_epoch_is_the_mean_over_examples_of_unequal_batches():
    model = Readout()
    history = train(model, epochs=1, lr=1e-12, batch=48)
    expected = F.cross_entropy(Readout()(TRAIN.inputs.transpose(0, 1)), TRAIN.labels)
    assert history.train_loss.values[0] == pytest.approx(expected.item(), rel=1e-5)


def test_ragged_examples_come_through_collate():
    def collate(inputs, rows):
        return nn.utils.rnn.pad_sequence([inputs[row] for row in rows])

    class LastOfMean(Readout):
        def forward(self, x):
            return self.linear(x.sum(0))

    def ragged(examples: Examples) -> Examples:
        return Examples(
            [x[: 1 + row % STEPS] for row, x in enumerate(examples.inputs)], examples.labels
        )

    model = LastOfMean()
    fit(
        model,
        ragged(TRAIN),
        ragged(VALIDATION),
        epochs=6,
        batch=16,
        lr=0.05,
        seed=0,
        collate=collate,
    )
    test = ragged(separable(40, 3))
    outputs = predict(model, test.inputs, batch=7, collate=collate).argmax(1)
    assert torch.equal(outputs, test.labels)


def test_augmented_batches_teach_and_validation_is_left_alone():
    seen = []

    def opposite(inputs, labels):
        seen.append(len(labels))
        return -inputs, F.one_hot(1 - labels, 2).float()

    examples = Examples(TRAIN.inputs, TRAIN.labels)
    model = Readout()
    history = fit(
        model, examples, VALIDATION, epochs=10, batch=48, lr=0.05, seed=0, augment=opposite
    )
    assert seen == [48, 16] * 10
    assert history.validation_accuracy.values[history.best_epoch] == 1.0
    # turning both over is no change for a readout without bias, so the boundary still fits
    assert torch.equal(predict(model, examples.inputs).argmax(1), examples.labels)
    plain = Readout()
    fit(plain, examples, VALIDATION, epochs=10, batch=48, lr=0.05, seed=0)
    assert not torch.equal(model.linear.bias, plain.linear.bias)


def test_batches_cover_the_inputs_in_order_and_put_time_first():
    inputs = torch.arange(10.0 * STEPS * FEATURES).reshape(10, STEPS, FEATURES)
    parts = list(batches(inputs, 4))
    assert [part.shape[1] for part in parts] == [4, 4, 2]
    assert torch.equal(torch.cat(parts, 1).transpose(0, 1), inputs)
    assert torch.equal(time_first(inputs, torch.tensor([3]))[:, 0], inputs[3])


def test_predict_leaves_the_mode_and_no_graph():
    model = Readout().train()
    outputs = predict(model, TRAIN.inputs, batch=10)
    assert model.training
    assert not outputs.requires_grad
    expected = model(TRAIN.inputs.transpose(0, 1)).detach()
    torch.testing.assert_close(outputs, expected)


def test_divergence_names_the_epoch_and_the_remedy():
    model = Readout()

    def before_epoch(epoch: int) -> None:
        if epoch == 2:
            model.linear.weight.data.fill_(torch.inf)

    with pytest.raises(ValueError, match=r"epoch 2.*lower the learning rate"):
        train(model, before_epoch=before_epoch)


def test_weights_that_the_last_step_broke_are_found():
    def finite_with_a_nan_gradient(outputs, labels):
        return (outputs - outputs.detach()).square().sum().sqrt()

    model = Readout()
    with pytest.raises(ValueError, match="epoch 0"):
        train(model, epochs=1, batch=64, loss=finite_with_a_nan_gradient)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch": 0}, "batch=0"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"lr": 1e38}, "lr=1e"),
        ({"epochs": 1.5}, r"epochs=1\.5"),
        ({"batch": 2.5}, r"batch=2\.5"),
        ({"keep_from": 4}, "keep_from=4"),
    ],
)
def test_a_number_out_of_range_is_named(changed, named, without_shape_checks):
    with pytest.raises(ValueError, match=named):
        train(Readout(), **changed)


def test_no_examples_are_refused():
    empty = Examples(TRAIN.inputs[:0], TRAIN.labels[:0])
    with pytest.raises(ValueError, match="0 training"):
        fit(Readout(), empty, VALIDATION, epochs=1, batch=1, lr=0.1, seed=0)


@pytest.mark.parametrize("n", [8, 16, 9])
def test_a_rehearsal_finds_what_training_would_fail_at(n):
    def make():
        return nn.Sequential(Readout(), nn.BatchNorm1d(2))

    examples, settings = separable(n, 1), {"epochs": 1, "batch": 8, "lr": 0.1, "device": "cpu"}
    if n % 8 == 1:  # a last batch of one example has no variance
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            fit(make(), examples, VALIDATION, seed=0, **settings)
        with pytest.raises(ValueError, match=r"the network cannot be trained .*more than 1 value"):
            rehearse("the network", make, examples, VALIDATION, **settings)
    else:
        fit(make(), examples, VALIDATION, seed=0, **settings)
        before = torch.get_rng_state()
        rehearse("the network", make, examples, VALIDATION, **settings)
        assert torch.equal(torch.get_rng_state(), before)


def test_the_weights_are_bit_for_bit_those_of_a_plain_loop():
    epochs, lr, batch = 3, 0.03, 24
    model = Readout()
    descent = AdamW(model.parameters(), lr=lr)
    decay = LambdaLR(descent, lambda step: 0.5 * (1 + math.cos(math.pi * step / (epochs * 3))))
    order = torch.Generator().manual_seed(9)
    for _ in range(epochs):
        for rows in torch.randperm(64, generator=order).split(batch):
            inputs = TRAIN.inputs[rows].transpose(0, 1)
            descent.zero_grad()
            F.cross_entropy(model(inputs), TRAIN.labels[rows]).backward()
            descent.step()
            decay.step()
    ours = weights(epochs=epochs, lr=lr, batch=batch, seed=9, keep_from=epochs - 1)
    assert torch.equal(ours, model.linear.weight.detach())
