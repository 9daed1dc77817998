from dataclasses import replace
from typing import Any

import pytest
import torch

from engram.studies import model_energy
from engram.studies.model_energy import ModelEnergy
from engram.study import execute
from engram.vision import Spikingformer, save_checkpoint


def tiny(num_classes: int, in_channels: int, steps: int = 2) -> Spikingformer:
    return Spikingformer(
        1, 16, 2, num_classes=num_classes, in_channels=in_channels, steps=steps, pools=(3, 4)
    )


SETTINGS = ModelEnergy(f"{__name__}:tiny", samples=8, batch=4, device="cpu")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    found = model_energy.import_module
    here = type("module", (), {"tiny": staticmethod(tiny)})
    monkeypatch.setattr(
        model_energy, "import_module", lambda name: here if name == __name__ else found(name)
    )


def test_the_report_has_the_counts_the_verdict_and_a_chart(tmp_path):
    report = execute(SETTINGS, tmp_path)
    assert [table.title for table in report.tables] == [
        "Operations per sample",
        "Operations that read non-spike values",
    ]
    assert [figure.title for figure in report.figures] == ["Energy by part"]
    assert list(report.provenance.data) == ["digits.csv.gz"]
    assert any("Spike-driven." in note for note in report.notes)
    assert any("weights are random" in note for note in report.notes)
    assert any("8 test images of 8 × 8" in note for note in report.notes)
    operations = {row[0] for row in report.tables[0].rows}
    assert {"stem.0.conv/convolution", "blocks.0.attention/matmul.2", "head/matmul"} <= operations


def test_without_exceptions_the_first_layer_offends(tmp_path):
    report = execute(replace(SETTINGS, allow=()), tmp_path)
    assert any("Not spike-driven." in note for note in report.notes)


def test_a_checkpoint_gives_its_weights(tmp_path):
    torch.manual_seed(1)
    model = tiny(10, 1)
    with torch.no_grad():
        for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.bias.fill_(-9)  # nothing fires
    save_checkpoint(model, tmp_path / "silent.safetensors")
    report = execute(replace(SETTINGS, checkpoint=tmp_path / "silent.safetensors"), tmp_path / "r")
    values = {scalar.name: scalar.value for scalar in report.scalars}
    assert values["additions (Effective_ACs)"] == 0
    assert any("those of silent.safetensors" in note for note in report.notes)


def test_steps_and_prices_are_settings(tmp_path):
    dear = replace(SETTINGS, steps=5, sram_pj=0.0, dram_pj=0.0, arithmetic="int8")
    values = {scalar.name: scalar.value for scalar in execute(dear, tmp_path).scalars}
    assert values["energy with membranes and memory"] == pytest.approx(
        values["the same, with spikes processed one by one"]
    )
    assert "that of the 3-bit network at equal information" in values


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("spikingformer_cifar_4_255", "did you mean 'spikingformer_cifar_4_2"),
        ("zzz", "choose from spikingformer_cifar_4_256"),
        ("no_such_module:model", "is not an importable function"),
        ("engram.vision:no_such", "is not an importable function"),
        (":", "is not an importable function"),
        ("engram:__version__", "is not a function"),
        ("json:loads", "json:loads cannot be called with num_classes, in_channels"),
        ("builtins:dict", "cannot be called|makes a dict; it must make a torch.nn.Module"),
        ("torch.nn:Identity", "torch.nn:Identity computes no product or sum"),
    ],
)
def test_an_unknown_model_is_named(name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        execute(replace(SETTINGS, model=name), tmp_path)


def test_a_setting_out_of_range_is_named():
    with pytest.raises(ValueError, match="samples is 0: it must be at least 1"):
        replace(SETTINGS, samples=0)
    with pytest.raises(ValueError, match="steps is 1000001: it must be at most 1,000,000"):
        replace(SETTINGS, steps=1_000_001)


def test_settling_leaves_the_momentum_and_uses_all_pictures():
    torch.manual_seed(0)
    model: Any
    model, x = tiny(10, 1), 2 + 3 * torch.randn(6, 1, 8, 8)
    norm = model.stem[0].bn
    before = norm.momentum
    model_energy.settle(model, x)
    assert norm.momentum == before
    assert not model.training
    with torch.no_grad():
        settled = norm(model.stem[0].conv(x))
    torch.testing.assert_close(settled.mean((0, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
