"""The residual networks and MobileNet, against the published packages' own."""

import re
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engram.neuron import IF, LIF, PSN, ATan
from engram.vision import mobilenet, ms_resnet, resnet, sew_resnet
from engram.vision.network import VisionModel

SIZES = (18, 34, 50, 101, 152)


@pytest.fixture(scope="module")
def zoo() -> Any:
    """SpikingJelly's models; torchvision, of which they want the downloader alone, stands aside."""
    stand_in = ModuleType("torchvision.models.utils")
    stand_in.load_state_dict_from_url = None  # type: ignore[attr-defined]
    names = ("torchvision", "torchvision.models", "torchvision.models.utils")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(sys.modules, name, stand_in)
        from spikingjelly.activation_based.model import ms_resnet, sew_resnet
    return {"sew": sew_resnet, "ms": ms_resnet}


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def on_meta(make: Callable[[], VisionModel]) -> VisionModel:
    with torch.device("meta"):
        return make()


@pytest.mark.parametrize(
    ("make", "count"),
    [  # torchvision's documentation; the papers give the rounded ones
        (resnet.resnet18, 11_689_512),
        (resnet.resnet34, 21_797_672),
        (resnet.resnet50, 25_557_032),
        (partial(resnet.resnet, 101), 44_549_160),
        (partial(resnet.resnet, 152), 60_192_808),
        (mobilenet.mobilenet_v1, 4_231_976),
    ],
)
def test_artificial_networks_have_the_published_parameters(
    make: Callable[[], VisionModel], count: int
) -> None:
    assert parameters(on_meta(make)) == count


@pytest.mark.parametrize("layers", SIZES)
def test_sew_resnets_have_the_weights_of_spikingjelly(zoo: Any, layers: int) -> None:
    from spikingjelly.activation_based import neuron

    with torch.device("meta"):
        theirs = getattr(zoo["sew"], f"sew_resnet{layers}")(
            cnf="ADD", spiking_neuron=neuron.IFNode
        ).state_dict()
    ours = on_meta(getattr(sew_resnet, f"sew_resnet{layers}")).state_dict()
    assert {resnet.published_key(key): v.shape for key, v in ours.items()} == {
        key: v.shape for key, v in theirs.items()
    }


def randomise(model: nn.Module) -> None:
    """Weights and statistics such that neurons fire, in doubles so that both sides agree."""
    torch.manual_seed(0)
    model.double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.0, 1.0)
            nn.init.normal_(module.running_mean)  # pyright: ignore[reportArgumentType]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("layers", "connection"),
    # IAND of a bottleneck is the other way round in SpikingJelly: spikes · (1 − identity)
    [(18, "ADD"), (18, "AND"), (18, "IAND"), (50, "ADD"), (50, "AND")],
)
def test_sew_resnets_give_the_logits_of_spikingjelly(
    zoo: Any, layers: int, connection: Any
) -> None:
    from spikingjelly.activation_based import functional, neuron, surrogate

    ours = sew_resnet.sew_resnet(layers, 7, 3, connection=connection)
    randomise(ours)
    theirs = getattr(zoo["sew"], f"sew_resnet{layers}")(
        cnf=connection,
        num_classes=7,
        spiking_neuron=neuron.IFNode,
        surrogate_function=surrogate.ATan(),
        detach_reset=True,
    )
    functional.set_step_mode(theirs, "m")
    theirs.double().eval()
    theirs.load_state_dict({resnet.published_key(k): v for k, v in ours.state_dict().items()})
    x = torch.randn(3, 2, 3, 40, 40, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(x).mean(0)
        assert expected.std() > 0
        torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize("layers", [18, 34])
def test_ms_resnets_give_the_logits_of_spikingjelly(zoo: Any, layers: int) -> None:
    from spikingjelly.activation_based import functional

    def their_key(key: str) -> str:
        for old, new in (
            (r"^stem\.conv", "stem.0"),
            (r"^stem\.bn", "stem.1"),
            (r"shortcut\.conv", "downsample.0"),
            (r"shortcut\.bn", "downsample.1"),
        ):
            key = re.sub(old, new, key)
        key = re.sub(r"convs\.(\d)\.(conv|bn)", lambda m: f"{m[2]}{int(m[1]) + 1}", key)
        return re.sub(r"^layers\.(\d)", lambda m: f"layer{int(m[1]) + 1}", key)

    ours = ms_resnet.ms_resnet(layers, 7, 3)
    theirs = getattr(zoo["ms"], f"ms_resnet{layers}")(T=3, num_classes=7).double().eval()
    fresh = {their_key(k): v for k, v in ours.state_dict().items() if ".bn." in k}
    for key, value in theirs.state_dict().items():  # both start alike
        if key in fresh:
            torch.testing.assert_close(value, fresh[key].to(value.dtype))
    randomise(ours)
    theirs.load_state_dict({their_key(k): v for k, v in ours.state_dict().items()})
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(x)
        functional.reset_net(theirs)
        assert expected.std() > 0
        torch.testing.assert_close(ours(x), expected)


def conv(inputs: int, outputs: int, side: int, bias: bool = False) -> int:
    return inputs * outputs * side**2 + outputs * bias


def test_ms_resnet104_has_the_layers_of_the_published_code() -> None:
    count = conv(3, 64, 3, True) + 2 * conv(64, 64, 3, True) + 2 * 64
    wide = 64
    for depth, width in zip((3, 8, 32, 8), (64, 128, 256, 512), strict=True):
        for number in range(depth):
            count += conv(wide, width, 3) + conv(width, width, 3) + 4 * width
            count += 0 if number else conv(wide, width, 1) + 2 * width  # every stage has a stride
            wide = width
    model = on_meta(ms_resnet.ms_resnet104)
    assert parameters(model) == count + conv(512, 1000, 1, True)
    keys = [ms_resnet.published_key(key) for key in model.state_dict()]
    assert {"conv1.2.bias", "conv1.3.bn.weight", "conv4_x.31.residual_function.4.weight"} < {*keys}
    assert {"conv2_x.0.shortcut.1.weight", "conv5_x.0.shortcut.2.bn.running_var"} < {*keys}
    assert len(keys) == len({*keys})


def test_ms_resnet104_runs_on_odd_sizes() -> None:
    model = ms_resnet.ms_resnet(104, 3, 2, width=4).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 35, 41)).shape == (1, 3)


@pytest.mark.parametrize("connection", sew_resnet.CONNECTIONS)
@pytest.mark.parametrize("neuron", [IF, partial(LIF, 2.0), partial(IF, surrogate=ATan(4.0))])
def test_sew_blocks_start_as_the_identity(connection: Any, neuron: Any) -> None:
    model: Any = sew_resnet.sew_resnet(18, 3, 4, connection=connection, neuron=neuron, width=8)
    block = model.layers[0][0]
    spikes = (torch.rand(4, 2, 8, 6, 6) < 0.3).float()
    assert torch.equal(block(spikes), spikes)


@pytest.mark.parametrize("connection", ["AND", "IAND"])
def test_and_and_iand_give_spikes(connection: Any) -> None:
    model = sew_resnet.sew_resnet(
        18, 3, 2, connection=connection, width=8, small_images=True, neuron=IF
    )
    _, intermediates = model.forward_intermediates(torch.randn(2, 3, 16, 16))
    assert len(intermediates) == 5
    for spikes in intermediates:
        assert ((spikes == 0) | (spikes == 1)).all()


def tiny(name: str) -> Callable[..., VisionModel]:
    return {
        "resnet": partial(resnet.resnet, 18, width=4, small_images=True),
        "bottleneck": partial(resnet.resnet, 50, width=4, small_images=True),
        "sew": partial(sew_resnet.sew_resnet, 18, width=4, small_images=True),
        "sew-psn": partial(sew_resnet.sew_resnet, 18, width=4, neuron=partial(PSN, 4)),
        "ms": partial(ms_resnet.ms_resnet, 18, width=4, small_images=True),
        "mobilenet": partial(mobilenet.MobileNetV1, multiplier=0.125, small_images=True),
    }[name]


@pytest.mark.parametrize("name", ["resnet", "bottleneck", "sew", "sew-psn", "ms", "mobilenet"])
def test_every_weight_learns(name: str) -> None:
    torch.manual_seed(0)
    model = tiny(name)(3, in_channels=1)
    for module in model.modules():  # a block that starts as the identity learns its last norm first
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.constant_(module.bias, 0.5)
    model(torch.randn(4, 1, 16, 16)).logsumexp(1).sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


def test_a_wrong_choice_is_named() -> None:
    with pytest.raises(ValueError, match="no ResNet of 20 layers"):
        resnet.resnet(20)
    with pytest.raises(ValueError, match="no MS-ResNet of 50 layers"):
        ms_resnet.ms_resnet(50)
    with pytest.raises(ValueError, match="'OR': choose one of"):
        sew_resnet.sew_resnet(connection="OR")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="integer number of channels"):
        mobilenet.MobileNetV1(multiplier=0.3)


def test_the_steps_of_frames_are_independent_of_the_batch() -> None:
    model = sew_resnet.sew_resnet(18, 3, 4, width=4, small_images=True)
    randomise(model)
    x: Tensor = torch.randn(4, 3, 3, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        whole = model(x)
        for image in range(3):
            torch.testing.assert_close(model(x[:, image : image + 1]), whole[image : image + 1])
