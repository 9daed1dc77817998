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

from engram.neuron import (
    IF,
    LIF,
    PMSN,
    PRF,
    PSN,
    DilatedPSN,
    FixedPointLIF,
    MaskedPSN,
    Neuron,
    ParametricLIF,
    SlidingPSN,
)
from engram.neuron.dilated import power_of_two
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
    "masked": partial(MaskedPSN, 2, T, lam=0.5),
    "prf": partial(PRF, step_range=(0.3, 0.9)),
    "pmsn": partial(PMSN, step_range=(0.3, 0.9)),
    "dilated": partial(DilatedPSN, 2, 2, exponential_init=True),
    "fixed-point": partial(FixedPointLIF, 2.0, iterations=3),
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


@pytest.mark.parametrize("neuron", NEURONS.values(), ids=NEURONS.keys())
def test_a_network_of_ones_own_exports_with_its_kernels(
    neuron: Callable[..., Neuron], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 6), neuron(), nn.Linear(6, 3)).eval()
    with torch.no_grad():
        next(net.parameters()).mul_(4)
    torch.onnx.export(
        net,
        (torch.randn(T, 5, 6),),
        tmp_path / "own.onnx",
        dynamic_shapes=({1: torch.export.Dim.DYNAMIC},),
        dynamo=True,
        verbose=False,
    )
    assert {node.domain for node in onnx.load(tmp_path / "own.onnx").graph.node} == {""}
    session = onnxruntime.InferenceSession(tmp_path / "own.onnx")
    x = torch.randn(T, 7, 6)
    (got,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        assert 0.001 < net[:2](x).mean() < 0.999
        np.testing.assert_allclose(np.asarray(got), net(x).numpy(), rtol=1e-4, atol=1e-5)


def test_powers_of_two_are_exact_in_onnx_too(monkeypatch: pytest.MonkeyPatch) -> None:
    powers = 2.0 ** torch.arange(-60.0, 60.0)
    middle = powers * 2**0.5
    generator = torch.Generator().manual_seed(0)
    weight = torch.cat(
        [
            *(
                powers,
                torch.nextafter(powers, torch.zeros(())),
                torch.nextafter(powers, 2 * powers),
            ),
            *(middle, torch.nextafter(middle, powers), torch.nextafter(middle, 2 * middle)),
            *(torch.randn(1000, generator=generator), torch.zeros(2)),
        ]
    )
    weight = torch.cat([weight, -weight])
    expected = power_of_two(weight)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    assert torch.equal(power_of_two(weight), expected)


@pytest.mark.parametrize("neuron", [PRF(), PMSN()])
def test_a_complex_state_is_not_exported(neuron: Neuron, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(3, 2, 4)
    _, state = neuron.run(x)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    with pytest.raises(ValueError, match=r"carries a complex state.*whole sequences"):
        neuron.run(x, state)


def test_dtypes_that_runtimes_do_not_read_are_refused(tmp_path: Path) -> None:
    model, x = Tiny(LIF), torch.randn(3, 3, 5, 5)
    for other, sample in ((model.bfloat16(), x.bfloat16()), (Tiny(LIF), x.bfloat16())):
        with pytest.raises(ValueError, match="bfloat16"):
            export_onnx(other, tmp_path / "model.onnx", sample)
    with pytest.raises(ValueError, match="float32, float64 together"):
        export_onnx(Tiny(LIF), tmp_path / "model.onnx", x.double())


def test_an_operator_that_onnx_has_not_is_named(tmp_path: Path) -> None:
    class Fourier(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(x)

    model = Tiny(LIF)
    model.stem = nn.Sequential(model.stem, Fourier())
    with pytest.raises(ValueError, match=r"Tiny with LIF cannot be written as ONNX.*bessel"):
        export_onnx(model, tmp_path / "model.onnx", torch.randn(3, 3, 5, 5))
