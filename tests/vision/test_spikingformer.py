import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from engram.neuron import PSN, Neuron
from engram.vision import PRESETS, Spikingformer, load_checkpoint
from engram.vision.attention import attend
from engram.vision.layer import make_neuron
from tests.vision import published
from tests.vision.members import enliven

LATE = {"pools": "--pp"}
VARIANTS = {  # ours and the published layout, at a width that a test can afford
    "cifar": ({"pools": (3, 4)}, {"names": published.COUNTED, **LATE}),
    "cifar-cml": ({"pools": (3, 4), "cml": True}, {"cml": True, **LATE}),
    "imagenet": ({}, {}),
    "imagenet-cml": ({"cml": True}, {"cml": True}),
    "dvs": ({"in_channels": 2}, {"channels": 2}),
}
WITH_LAYER_NORMS = {  # the counts of the official code
    "spikingformer_imagenet_8_384": 16_828_312,
    "spikingformer_imagenet_8_512": 29_705_768,
    "spikingformer_imagenet_8_768": 66_363_208,
    "spikingformer_cifar_4_256": 4_156_202,
    "spikingformer_cifar_2_384": 5_765_818,
    "spikingformer_cifar_4_384": 9_326_266,
    "spikingformer_dvs_2_256": 2_568_714,
}


@pytest.mark.parametrize("name", WITH_LAYER_NORMS)
@pytest.mark.parametrize("cml", [False, True])
def test_counts_the_published_parameters(name: str, cml: bool) -> None:
    with torch.device("meta"):
        model = PRESETS[name](cml=cml)
    count = sum(parameter.numel() for parameter in model.parameters())
    unused = sum(map(math.prod, model.namings[0].unused.values()))
    assert count + unused == WITH_LAYER_NORMS[name]
    assert unused == 4 * model.num_features * model.depth  # two norms a block, of two vectors


@pytest.mark.parametrize("variant", VARIANTS)
def test_computes_what_the_published_layout_computes(variant: str) -> None:
    settings, layout = VARIANTS[variant]
    torch.manual_seed(0)
    theirs: Any = published.spikingformer(2, 32, 4, **layout).double()
    ours: Any = Spikingformer(2, 32, 4, num_classes=10, **settings).double()
    shape = (5, 3, 2, 32, 32) if variant == "dvs" else (3, 3, 32, 32)
    x = torch.randn(shape, dtype=torch.float64)
    enliven(theirs, x)
    loaded = load_checkpoint(ours, theirs.state_dict())
    assert set(loaded.dropped) == {key for key in theirs.state_dict() if ".norm" in key}
    assert (variant == "cifar") == (loaded.naming == "cifar")
    torch.testing.assert_close(ours.eval()(x), theirs(x), rtol=1e-9, atol=1e-9)
    for model in (ours.train(), theirs.train()):
        model(x).square().sum().backward()
    torch.testing.assert_close(
        ours.blocks[0].attention.k.conv.weight.grad.squeeze(),
        theirs.block[0].attn.k_conv.weight.grad.squeeze(),
        rtol=1e-6,
        atol=1e-9,
    )


def test_the_two_poolings_differ() -> None:
    torch.manual_seed(0)
    plain, cml = (Spikingformer(1, 32, 4, num_classes=10, cml=cml) for cml in (False, True))
    x = torch.randn(2, 3, 32, 32)
    enliven(plain, x)
    cml.load_state_dict(plain.state_dict())
    assert not torch.allclose(plain(x), cml.eval()(x))


@pytest.mark.parametrize("tokens", [4, 400])
def test_the_cheaper_order_of_attention_is_exact(tokens: int) -> None:
    q, k, v = (torch.rand(2, 3, 24, 2, tokens // 2).lt(0.3).float() for _ in range(3))
    heads = [x.double().flatten(3).unflatten(2, (2, 12)) for x in (q, k, v)]
    scores = torch.einsum("tbhdn,tbhdm->tbhnm", heads[0], heads[1])
    expected = torch.einsum("tbhnm,tbhdm->tbhdn", scores, heads[2]) * 0.125
    got = attend(q, k, v, heads=2, scale=0.125)
    assert torch.equal(got.double(), expected.reshape(q.shape))


def test_thresholds_are_the_papers() -> None:
    model = Spikingformer(1, 16, 2)
    half = {name for name, m in model.named_modules() if getattr(m, "threshold", None) == 0.5}
    assert half == {"blocks.0.attention.attention_neuron"}
    assert {m.tau for m in model.modules() if isinstance(m, Neuron)} == {2.0}
    learned: Any = make_neuron(partial(PSN, 4), threshold=0.5)
    assert torch.equal(learned.threshold.detach(), torch.full((4,), 0.5))


@pytest.mark.parametrize(("cml", "tau"), [(False, 1.5), (True, 1.75)])
def test_events_decay_faster(cml: bool, tau: float) -> None:
    with torch.device("meta"):
        model = PRESETS["spikingformer_dvs_2_256"](cml=cml)
    assert {m.tau for m in model.modules() if isinstance(m, Neuron)} == {tau}
    assert (model.steps, model.in_channels, model.heads) == (16, 2, 16)


def test_a_hundred_classes_have_fewer_heads() -> None:
    with torch.device("meta"):
        make = PRESETS["spikingformer_cifar_4_384"]
        assert [make(10).heads, make(100).heads, make(100, heads=6).heads] == [12, 8, 6]


def test_refuses_impossible_shapes() -> None:
    with pytest.raises(ValueError, match="heads that divides 256"):
        Spikingformer(1, 256, 12)
    with pytest.raises(ValueError, match=r"depth=1000000, dim=4096\) would have about 2e\+14"):
        Spikingformer(10**6, 4096, 8)
    with pytest.raises(ValueError, match="dim/8"):
        Spikingformer(1, 20, 2)


def test_every_convolution_but_the_first_reads_spikes() -> None:
    torch.manual_seed(0)
    model, x = Spikingformer(2, 32, 4, num_classes=10), torch.randn(2, 3, 32, 32)
    enliven(model, x)
    binary: dict[str, bool] = {}
    for name, conv in model.named_modules():
        if isinstance(conv, nn.Conv2d):

            def note(_, inputs, name=name) -> None:
                binary[name] = bool(((inputs[0] == 0) | (inputs[0] == 1)).all())

            conv.register_forward_pre_hook(note)
    model(x)
    assert [name for name, spikes in binary.items() if not spikes] == ["stem.0.conv"]
    assert len(binary) == 5 + 2 * 6
