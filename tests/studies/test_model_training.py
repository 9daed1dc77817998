import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from engram.neuron import IF, PSN, MaskedPSN
from engram.report import load_report, save_report
from engram.studies.model_training import ModelTraining, firing
from engram.train import Conduct, ImageAugment, Processes, Recipe, evaluate
from engram.vision import Spikingformer

TINY = ModelTraining(
    "tests.studies.test_model_training:small",
    limit=150,
    seeds=2,
    recipe=Recipe(epochs=4, batch=32, lr=0.02),
    augment=ImageAugment(flip=False, crop=1),
)


def small(num_classes: int, in_channels: int) -> nn.Module:
    """A linear classifier of images of 8 × 8."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, num_classes))


def tiny_spiking(num_classes: int, in_channels: int) -> nn.Module:
    """A spiking transformer of two steps."""
    sizes: Any = {"steps": 2, "num_classes": num_classes, "in_channels": in_channels}
    return Spikingformer(1, 16, 2, pools=(3, 4), **sizes)


class Masked(nn.Module):
    """A spiking classifier of images of 8 × 8 with a masked PSN; remembers λ of each call."""

    seen: list[float] = []  # noqa: RUF012  shared by the models of a test

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(64 * in_channels, 8), nn.Linear(8, num_classes)
        self.neuron = MaskedPSN(2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of images."""
        if self.training:
            Masked.seen.append(float(self.neuron.lam))
        return self.out(self.neuron(self.into(x.flatten(1)).expand(4, -1, -1)).mean(0))


class Frames(nn.Module):
    """A spiking classifier of frames of events."""

    def __init__(self, num_classes: int, in_channels: int, steps: int) -> None:
        super().__init__()
        self.layer, self.neuron = nn.LazyLinear(num_classes), IF()
        self.layer(torch.zeros(1, in_channels * 34 * 34))
        self.steps = steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of `(time, batch, 2, height, width)`."""
        assert len(x) == self.steps
        return self.neuron(self.layer(x.flatten(2))).mean(0)


def run(study: ModelTraining, folder):
    return study.run(folder, Conduct(), Processes())


def test_the_mask_of_a_masked_psn_is_faded_in_by_the_published_schedule(tmp_path):
    Masked.seen.clear()
    recipe = Recipe(epochs=17, batch=200)
    name = "tests.studies.test_model_training:Masked"
    outcome, _ = run(replace(TINY, model=name, seeds=1, recipe=recipe), tmp_path)
    assert Masked.seen == [min(1.0, 8 * epoch / 16) for epoch in range(17)]
    assert outcome.best_epoch >= 2


def test_a_student_follows_a_trained_teacher(tmp_path):
    taught = replace(TINY, seeds=1, recipe=Recipe(epochs=15, batch=32, lr=0.02))
    run(taught, tmp_path / "teacher")
    student = replace(taught, teacher=str(tmp_path / "teacher"))
    _, report = run(student, tmp_path / "student")
    assert report is not None
    assert "the logits of the teacher" in json.dumps(report.to_dict())
    run(taught, tmp_path / "again")
    with pytest.raises(ValueError, match=r"teacher=None became '.*teacher'"):
        run(student, tmp_path / "again")


def test_what_cannot_teach_is_named(tmp_path):
    with pytest.raises(ValueError, match="teacher='nowhere': give the folder of a training"):
        run(replace(TINY, teacher="nowhere"), tmp_path)


def test_the_norm_of_the_gradients_is_reported(tmp_path):
    outcome, report = run(replace(TINY, seeds=1), tmp_path)
    assert len(outcome.norms) == 4
    assert all(norm > 0 for norm in outcome.norms)
    text = json.dumps(report.to_dict())
    assert "gradient norm, seed 0" in text
    assert "no layers of spiking neurons" in text


@pytest.mark.data
@pytest.mark.parametrize("bins", ["time", "count"])
def test_recordings_of_events_are_learned_in_bins(tmp_path, bins):
    study = ModelTraining(
        "tests.studies.test_model_training:Frames", "n-mnist", steps=5, bins=bins, limit=100,
        recipe=Recipe(epochs=2, batch=20, lr=0.01),
    )  # fmt: skip
    outcome, report = run(study, tmp_path)
    assert outcome.losses[1] < outcome.losses[0]
    text = json.dumps(report.to_dict())
    assert "of 100 test recordings" in text
    assert "Firing by layer" in text


@pytest.mark.data
def test_events_need_a_number_of_bins_and_no_augmentation_of_images():
    with pytest.raises(ValueError, match="give steps"):
        ModelTraining("x", "n-mnist").read()
    with pytest.raises(ValueError, match="augmentation is for images"):
        ModelTraining("x", "n-mnist", steps=2, augment=ImageAugment(crop=2)).read()


def test_the_report_has_the_test_of_each_training_and_the_curves(tmp_path):
    outcome, report = run(TINY, tmp_path)
    assert outcome.finished
    assert report is not None
    save_report(report, tmp_path)
    text = json.dumps(load_report(tmp_path).to_dict())
    assert "of 360 test images" in text
    assert "training loss, seed 1" in text
    again, same = run(TINY, tmp_path)
    assert again.finished
    assert same is not None
    assert same.fingerprint == report.fingerprint


def test_one_batch_can_be_learned_by_heart(tmp_path):
    study = replace(
        TINY, seeds=1, overfit_one_batch=True, recipe=Recipe(epochs=60, lr=0.05, batch=16)
    )
    outcome, report = run(study, tmp_path)
    assert outcome.accuracies[outcome.best_epoch] == 1.0
    assert report is not None
    assert "100.0 % of 16 examples of the batch" in json.dumps(report.to_dict())


def test_other_augmentation_is_another_training(tmp_path):
    run(replace(TINY, seeds=1), tmp_path)
    with pytest.raises(ValueError, match="crop=1 became 2"):
        run(replace(TINY, seeds=1, augment=ImageAugment(flip=False, crop=2)), tmp_path)


def test_a_preset_takes_a_neuron_by_name():
    study = ModelTraining("sew_resnet18", neuron="psn", steps=2)
    model = study.make(study.read())
    assert any(isinstance(module, PSN) and module.T == 2 for module in model.modules())


def test_temporal_efficient_training_gets_the_outputs_of_each_step(tmp_path):
    recipe = Recipe(loss="tet", epochs=1, batch=16)
    study = ModelTraining("tests.studies.test_model_training:tiny_spiking", limit=80, recipe=recipe)
    outcome, report = run(study, tmp_path)
    assert outcome.finished
    assert report is not None
    with pytest.raises(ValueError, match=r"loss='tet' got outputs of shape \(16, 10\)"):
        run(replace(TINY, recipe=replace(recipe, batch=16)), tmp_path / "other")


def test_each_training_is_tested_once(tmp_path, monkeypatch):
    calls = []

    def counted(model, feed, **options):
        calls.append(len(feed))
        return evaluate(model, feed, **options)

    monkeypatch.setattr("engram.studies.model_training.study.evaluate", counted)
    run(TINY, tmp_path)
    assert calls == [360, 360]


def test_resume_needs_the_first_training_only(tmp_path):
    with pytest.raises(ValueError, match="seed-0/checkpoints holds no whole checkpoint"):
        TINY.run(tmp_path, Conduct(resume=True), Processes())
    run(replace(TINY, seeds=1), tmp_path)
    _, report = TINY.run(tmp_path, Conduct(resume=True), Processes())
    assert report is not None


def test_dead_and_saturated_neurons_are_counted():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.neuron = IF()

        def forward(self, x):
            drive = torch.tensor([0.0, 0.0, 0.5, 5.0]).expand(4, len(x), 4)
            return self.neuron(drive)

    source = ModelTraining("x").read().test
    ((name, rate, dead, saturated),) = firing(Net(), source)
    assert name == "neuron"
    assert rate == pytest.approx((0 + 0 + 0.5 + 1) / 4)
    assert (dead, saturated) == (50.0, 25.0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"neuron": "pns"}, "pns"),
        ({"seeds": 0}, "seeds is 0"),
    ],
)
def test_what_cannot_be_trained_is_named(options, named):
    with pytest.raises(ValueError, match=named):
        ModelTraining("sew_resnet18", **options)
