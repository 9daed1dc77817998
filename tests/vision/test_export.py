import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from engram.neuron import IF, LIF, PSN, Neuron, ParametricLIF, SlidingPSN
from engram.vision import ConvBN, Spikingformer, VisionModel, export_onnx
from engram.vision.layer import make_neuron
from tests.vision.members import MEMBERS, Member, T, enliven

# torch on its way to its own next version
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

QUICK = ("spikingformer-late-pools",)
NEURONS: dict[str, Callable[..., Neuron]] = {
    "if-soft": partial(IF, reset=None),
    "lif-undecayed": partial(LIF, 3.0, reset=-0.2, decay_input=False),
    "plif": ParametricLIF,
    "psn": partial(PSN, T),
    "sliding": partial(SlidingPSN, 2),
}


def check(model: VisionModel, batches: list[torch.Tensor], path: Path) -> None:
    """The file holds standard operators only, and gives what the model gives."""
    export_onnx(model, path, batches[0])
    graph = onnx.load(path)
    assert {node.domain for node in graph.graph.node} == {""}
    assert not graph.functions
    session = onnxruntime.InferenceSession(path)
    for batch in batches:
        (got,) = session.run(["logits"], {"images": batch.numpy()})
        with torch.no_grad():
            expected = model(batch).numpy()
        np.testing.assert_allclose(
            np.asarray(got), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
        )


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(member, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, member in MEMBERS.items()
    ],
)
def test_onnxruntime_gives_equal_outputs(member: Member, tmp_path: Path) -> None:
    model, x = member.build(), member.images()
    enliven(model, x)
    check(model, [x, member.images(5, seed=3)], tmp_path / "model.onnx")


class Tiny(VisionModel):
    """One convolution, one layer of neurons."""

    def __init__(self, neuron: Callable[..., Neuron]) -> None:
        super().__init__(steps=T, in_channels=3, num_features=4)
        self.stem = ConvBN(3, 4, 3)
        self.neuron = make_neuron(neuron)
        self.reset_classifier(2)

    def stages(self) -> list[nn.Module]:
        return [self.neuron]


@pytest.mark.parametrize("neuron", NEURONS.values(), ids=NEURONS.keys())
@pytest.mark.parametrize("frames", [False, True])
def test_every_neuron_exports(neuron: Callable[..., Neuron], frames: bool, tmp_path: Path) -> None:
    torch.manual_seed(3)
    shape = (T, 3, 3, 5, 5) if frames else (3, 3, 5, 5)
    model, x = Tiny(neuron), torch.randn(shape)
    enliven(model, x)
    assert 0.05 < model.forward_features(x).mean() < 0.95
    check(model, [x, x[..., :2, :, :, :]], tmp_path / "model.onnx")


def test_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Spikingformer(1, 8, 1)
    with pytest.raises(ValueError, match="two or more images"):
        export_onnx(model, tmp_path / "model.onnx", torch.randn(1, 3, 16, 16))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"pip install \"engram\[onnx\]\""):
        export_onnx(model, tmp_path / "model.onnx", torch.randn(2, 3, 16, 16))
