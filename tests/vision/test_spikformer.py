import math

import pytest
import torch
from torch import nn

from engram.vision import PRESETS, Spikformer, load_checkpoint
from tests.vision import published
from tests.vision.members import enliven

LATE = {"pools": (2, 3), "biased": True}
VARIANTS = {  # ours and the published layout, at a width that a test can afford
    "cifar": (LATE, {"pools": "--pp", "axes": 2}),
    "cifar, cml": (
        {**LATE, "cml": True},
        {"pools": "--pp", "axes": 2, "cml": True, "names": published.SPIKFORMER_CML},
    ),
    "imagenet": ({}, {}),
    "dvs": ({"in_channels": 2, "scale": 0.25}, {"channels": 2, "axes": 3, "scale": 0.25}),
}
MILLIONS = {  # as the papers round them
    "spikformer_imagenet_8_384": 16.81,
    "spikformer_imagenet_8_512": 29.68,
    "spikformer_imagenet_8_768": 66.34,
    "spikformer_cifar_4_256": 4.15,
    "spikformer_cifar_2_384": 5.76,
    "spikformer_cifar_4_384": 9.32,
    "spikformer_dvs_2_256": 2.57,
}


@pytest.mark.parametrize("name", MILLIONS)
def test_counts_the_published_parameters(name: str) -> None:
    with torch.device("meta"):
        model = PRESETS[name]()
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count / 1e6 == pytest.approx(MILLIONS[name], abs=0.011)  # some cut, some round


@pytest.mark.parametrize("variant", VARIANTS)
def test_computes_what_the_published_layout_computes(variant: str) -> None:
    settings, layout = VARIANTS[variant]
    torch.manual_seed(0)
    theirs = published.spikformer(2, 32, 4, **layout).double()
    ours = Spikformer(2, 32, 4, num_classes=10, **settings).double()
    shape = (5, 3, 2, 32, 32) if variant == "dvs" else (3, 3, 32, 32)
    x = torch.randn(shape, dtype=torch.float64)
    enliven(theirs, x)
    loaded = load_checkpoint(ours, theirs.state_dict())
    assert set(loaded.dropped) == {key for key in theirs.state_dict() if ".norm" in key}
    assert loaded.naming == ours.namings[0].name == variant
    torch.testing.assert_close(ours.eval()(x), theirs(x), rtol=1e-9, atol=1e-9)
    unused = sum(map(math.prod, published_norms(theirs).values()))
    count = sum(parameter.numel() for parameter in ours.parameters())
    assert count + unused == sum(parameter.numel() for parameter in theirs.parameters())


def published_norms(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in net.state_dict().items() if ".norm" in key}


def test_weights_read_counts_of_spikes() -> None:
    torch.manual_seed(0)
    model, x = Spikformer(2, 32, 4, num_classes=10), torch.randn(2, 3, 32, 32)
    enliven(model, x)
    largest: dict[str, float] = {}
    for name, conv in model.named_modules():
        if isinstance(conv, nn.Conv2d):

            def note(_, inputs, name=name) -> None:
                largest[name] = inputs[0].max().item()

            conv.register_forward_pre_hook(note)
    features = model.forward_features(x)
    assert torch.equal(features, features.round())
    assert 0 <= features.min() <= features.max() <= 2 * 2 + 2
    counting = {name for name, most in largest.items() if most > 1}
    assert counting >= {f"blocks.{block}.mlp.conv1.conv" for block in (0, 1)}
    assert "stem.conv" in counting  # the image itself
    assert not any("conv2" in name or name.startswith("tokenizer") for name in counting)
