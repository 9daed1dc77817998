"""Spiking twins against their artificial networks."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from engram.errors import EngramError
from engram.similarity import compare, correlation_rdm
from engram.vision import EfficientNetLite0, lite0_input, pretrained, pretrained_lite0
from engram.vision import spiking_twin as make_twin
from engram.vision.twin import fire_at_once, integrate_then_fire, quantise
from tests.vision.members import enliven


def small() -> tuple[EfficientNetLite0, Tensor]:
    x = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    return enliven(EfficientNetLite0(5).double(), x), x


@torch.no_grad()
@pytest.mark.parametrize("calibrated", [False, True])
def test_integrate_then_fire_equals_the_quantised_network(calibrated: bool) -> None:
    model, x = small()
    pictures = x if calibrated else None
    spiking = make_twin(model, 8, "integrate-then-fire", pictures=pictures).run(x, ["layers.4"])
    levels = make_twin(model, 8, "quantised", pictures=pictures).run(x, ["layers.4"])
    torch.testing.assert_close(spiking.output, levels.output, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        spiking.features["layers.4"], levels.features["layers.4"], rtol=0, atol=1e-5
    )
    assert spiking.rate == pytest.approx(levels.rate, abs=1e-9)
    assert spiking.latency == 8 * 34  # 33 layers of neurons and the image


@torch.no_grad()
def test_many_levels_give_the_artificial_network() -> None:
    model, x = small()
    output = make_twin(model, 1 << 20, "quantised")(x)
    torch.testing.assert_close(output, model(x), rtol=0, atol=1e-3)


@torch.no_grad()
def test_a_relu_network_is_calibrated_on_pictures() -> None:
    model = nn.Sequential(nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 4), nn.ReLU()).double()
    x = torch.randn(9, 6, dtype=torch.float64)
    twin = make_twin(model, 512, "signed", pictures=x)
    torch.testing.assert_close(twin(x), model(x), rtol=0, atol=0.02)
    hidden = make_twin(model, 512, "integrate-then-fire", pictures=x)
    torch.testing.assert_close(hidden(x), model(x), rtol=0, atol=0.02)


def test_a_constant_current_fires_at_the_quantised_rate() -> None:
    currents = torch.linspace(-2, 3, 41, dtype=torch.float64) + 0.001
    x = currents.expand(16, -1)
    wanted = quantise(currents, 2.0, 16)
    for spikes in (fire_at_once(x, 2.0), integrate_then_fire(x, 2.0)):
        assert set(spikes.unique().tolist()) == {0.0, 2.0}
        torch.testing.assert_close(spikes.mean(0), wanted)


def test_a_negative_spike_takes_back_one_that_came_too_early() -> None:
    x = torch.tensor([[1.0], [1.0], [-1.0], [-1.0], [-1.0]])
    assert fire_at_once(x, 1.0).sum() == 2
    corrected = fire_at_once(x, 1.0, signed=True)
    assert corrected.min() == -1
    assert corrected.sum() == 0  # never more than was fired


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "1 or more steps"),
        ({"steps": 4, "scheme": "late"}, "one of quantised"),
        ({"steps": 4}, "0 is a ReLU, which has no highest output: give pictures"),
        ({"steps": 4, "pictures": -torch.ones(1, 2)}, "no activation above 0"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(EngramError, match=words):
        make_twin(nn.Sequential(nn.ReLU()), **settings)


def test_a_network_without_relu_and_an_unknown_layer_are_named() -> None:
    with pytest.raises(EngramError, match="no ReLU"):
        make_twin(nn.Linear(2, 2), 4)
    twin = make_twin(nn.Sequential(nn.ReLU6()), 4)
    with pytest.raises(EngramError, match="there is no layer 'b'"):
        twin.run(torch.ones(1, 2), ["b"])


def photographs() -> tuple[Tensor, np.ndarray]:
    with np.load(Path(os.environ["ENGRAM_DATA"]) / "neural/kriegeskorte2008.npz") as file:
        images, monkey = file["images"], file["rdm_monkey_it"]
    resized = [
        np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC))
        for image in images
    ]
    return lite0_input(torch.from_numpy(np.stack(resized)).movedim(3, 1)), monkey


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("ENGRAM_DATA" not in os.environ, reason="ENGRAM_DATA names no data")
@pytest.mark.skipif(
    importlib.util.find_spec(pretrained.PACKAGE) is None, reason="needs the extra `pretrained`"
)
@torch.no_grad()
def test_a_late_layer_resembles_monkey_cortex_and_so_does_its_twin() -> None:
    x, monkey = photographs()
    model, layer = pretrained_lite0(), "layers.13"
    twin = make_twin(model, 32, "quantised")

    def similarity(features: list[Tensor]) -> float:
        return compare(correlation_rdm(torch.cat(features).flatten(1).numpy()), monkey)

    artificial = similarity(
        [model.forward_intermediates(part, [13])[1][0][0] for part in x.split(4)]
    )
    levels = similarity([twin.run(part, [layer]).features[layer] for part in x.split(4)])
    assert artificial >= 0.40
    assert levels == pytest.approx(artificial, abs=0.03)
    few, double = x[:2].double(), model.double()
    spiking, wanted = (
        make_twin(double, 32, scheme).run(few, [layer]).features[layer]
        for scheme in ("integrate-then-fire", "quantised")
    )
    torch.testing.assert_close(spiking, wanted, rtol=0, atol=1e-5)
