import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from engram.neuron import IF, PSN
from engram.report import load_report, save_report
from engram.studies.model_training import ModelTraining, firing
from engram.train import Conduct, ImageAugment, Processes, Recipe

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


def run(study: ModelTraining, folder):
    return study.run(folder, Conduct(), Processes())


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
    assert "100.0 % of 16 images of the batch" in json.dumps(report.to_dict())


def test_other_augmentation_is_another_training(tmp_path):
    run(replace(TINY, seeds=1), tmp_path)
    with pytest.raises(ValueError, match="crop=1 became 2"):
        run(replace(TINY, seeds=1, augment=ImageAugment(flip=False, crop=2)), tmp_path)


def test_a_preset_takes_a_neuron_by_name():
    study = ModelTraining("sew_resnet18", neuron="psn", steps=2)
    model = study.make(study.read())
    assert any(isinstance(module, PSN) and module.T == 2 for module in model.modules())


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
        ({"recipe": Recipe(loss="tet")}, "tet"),
    ],
)
def test_what_cannot_be_trained_is_named(options, named):
    with pytest.raises(ValueError, match=named):
        ModelTraining("sew_resnet18", **options)
