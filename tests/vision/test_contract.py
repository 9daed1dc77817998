"""What holds for every vision model."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engram.neuron import PSN, Neuron, reference
from engram.vision import (
    PRESETS,
    ConvBN,
    MaxPool,
    VisionModel,
    fold,
    load_checkpoint,
    save_checkpoint,
)
from tests.vision.members import CLASSES, MEMBERS, NEURONS, SPIKING, Member, T, enliven

every = pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS.keys())
spiking = pytest.mark.parametrize("member", SPIKING.values(), ids=SPIKING.keys())
neurons = pytest.mark.parametrize("neuron", NEURONS.values(), ids=NEURONS.keys())


@every
def test_features_and_logits_have_the_shapes_that_they_say(member: Member) -> None:
    model, x = member.build(), member.images()
    features = model.forward_features(x)
    assert features.shape[:3] == (model.steps, 3, model.num_features)
    assert features.ndim == 5
    assert model.forward_head(features, pre_logits=True).shape == (3, model.num_features)
    assert model.eval()(x).shape == (3, CLASSES)
    assert torch.equal(model(x), model.forward_head(model.forward_features(x)))


@every
def test_an_image_is_shown_at_every_step(member: Member) -> None:
    model, x = member.build().double(), member.images().double()
    enliven(model, x)
    frames = x.expand(model.steps, *x.shape)
    torch.testing.assert_close(model(x), model(frames), rtol=1e-9, atol=1e-9)


@every
def test_images_of_a_batch_do_not_mix(member: Member) -> None:
    model, x = member.build().double(), member.images().double()
    enliven(model, x)
    alone = torch.cat([model(x[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(model(x), alone, rtol=1e-9, atol=1e-9)


@every
def test_intermediates_are_the_features_on_the_way(member: Member) -> None:
    model, x = enliven(member.build(), member.images()), member.images()
    count = len(model.stages())
    last, every_one = model.forward_intermediates(x)
    assert len(every_one) == count
    assert torch.equal(last, model.forward_features(x))
    assert torch.equal(last, every_one[-1])
    for kept in ([0, -1], 2, [1]):
        some: Any = model.forward_intermediates(x, kept, intermediates_only=True)
        numbers = range(count)[-kept:] if isinstance(kept, int) else [i % count for i in kept]
        assert all(torch.equal(a, every_one[i]) for a, i in zip(some, numbers, strict=True))
    early, (first,) = model.forward_intermediates(x, [0], stop_early=True)
    assert torch.equal(early, first)
    with pytest.raises(ValueError, match=f"there are {count} stages"):
        model.forward_intermediates(x, [count])


@every
def test_a_new_head_fits_and_leaves_the_features(member: Member) -> None:
    model, x = enliven(member.build(), member.images()), member.images()
    features = model.forward_features(x)
    model.reset_classifier(7)
    assert model.num_classes == 7
    assert model(x).shape == (3, 7)
    model.reset_classifier(0)
    assert torch.equal(model(x), model.forward_head(features, pre_logits=True))
    assert isinstance(model.get_classifier(), nn.Identity)


@spiking
@neurons
def test_any_neuron_serves_and_learns(member: Member, neuron: Callable[..., Neuron]) -> None:
    model, x = member.build(neuron=neuron), member.images()
    enliven(model, x).train()
    logits = model(x)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    made = [module for module in model.modules() if isinstance(module, Neuron)]
    assert len({type(module) for module in made}) == 1


@spiking
def test_a_neuron_of_another_length_is_refused(member: Member) -> None:
    model = member.build(neuron=lambda: PSN(T + 1))
    with pytest.raises(ValueError, match=rf"T={T + 1}\) got a sequence of {T} steps"):
        model(member.images())
    with pytest.raises(ValueError, match=r"steps=0.*at least 1"):
        member.build(steps=0)


@every
def test_folded_norms_change_nothing_but_rounding(member: Member) -> None:
    model, x = member.build().double(), member.images().double()
    enliven(model, x)
    with torch.no_grad():
        expected = model(x)
        folded = fold(model)
        torch.testing.assert_close(folded(x), expected, rtol=1e-9, atol=1e-9)
        assert torch.equal(model(x), expected)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in folded.modules())
    torch.testing.assert_close(fold(folded)(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_and_its_norm_fold(bias: bool, kernel: int) -> None:
    layer, x = ConvBN(6, 4, kernel, stride=2, bias=bias).double(), torch.randn(5, 6, 9, 9).double()
    enliven(layer, x)
    expected = layer.bn(layer.conv(x))
    layer.fold()
    torch.testing.assert_close(layer(x), expected)
    steps = layer(x.unsqueeze(0))
    assert torch.equal(steps, layer(x).unsqueeze(0))


def test_a_pooling_halves_every_step() -> None:
    x = torch.randn(2, 3, 4, 8, 8)
    expected = torch.stack([nn.MaxPool2d(3, 2, 1)(step) for step in x])
    assert torch.equal(MaxPool()(x), expected)
    assert torch.equal(MaxPool()(x[0]), expected[0])


@every
def test_the_layout_of_the_input_changes_nothing(member: Member) -> None:
    model, x = member.build().double(), member.images().double()
    enliven(model, x)
    other = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(model(other), model(x), rtol=1e-9, atol=1e-9)


@every
def test_the_reference_agrees(member: Member) -> None:
    model, x = member.build().double(), member.images().double()
    enliven(model, x)
    with reference():
        expected = model(x)
    torch.testing.assert_close(model(x), expected, rtol=1e-9, atol=1e-9)


@every
def test_trains_under_autocast(member: Member) -> None:
    model, x = member.build(), member.images()
    enliven(model, x).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x)
    logits.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@every
@pytest.mark.parametrize("file", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize("published", [False, True])
def test_weights_travel(member: Member, file: str, published: bool, tmp_path: Path) -> None:
    model, x = member.build(), member.images()
    enliven(model, x)
    if published and not model.namings:
        with pytest.raises(ValueError, match="no published names"):
            save_checkpoint(model, tmp_path / file, published=True)
        return
    save_checkpoint(model, tmp_path / file, published=published)
    other = member.build().eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    loaded = load_checkpoint(other, tmp_path / file)
    assert loaded.naming == (model.namings[0].name if published else "engram")
    assert torch.equal(other(x), model(x))


@every
def test_exports_as_a_graph(member: Member) -> None:
    model, x = member.build(), member.images()
    enliven(model, x)
    batch = {0: torch.export.Dim("batch", min=2, max=64)}
    exported = torch.export.export(model, (x,), dynamic_shapes=(batch,)).module()
    with torch.no_grad():
        more = member.images(5, seed=2)
        torch.testing.assert_close(exported(more), model(more))


@every
def test_copies_are_equal(member: Member) -> None:
    model, x = enliven(member.build(), member.images()), member.images()
    assert torch.equal(copy.deepcopy(model)(x), model(x))


@every
def test_refuses_what_is_no_image(member: Member) -> None:
    model, x = member.build(), member.images()
    with pytest.raises(ValueError, match=r"torch\.int64.*floating point"):
        model(x.long())
    with pytest.raises(ValueError, match="give it images"):
        model(x[0])
    with pytest.raises(ValueError, match=r"in_channels=2"):
        model(x[:, :2])
    if model.divisor > 1:
        with pytest.raises(ValueError, match=f"multiples of {model.divisor}"):
            model(x[..., 1:])


@pytest.mark.parametrize("build", PRESETS.values(), ids=PRESETS.keys())
def test_every_preset_builds(build: Callable[..., VisionModel]) -> None:
    with torch.device("meta"):
        model = build(num_classes=3)
        x = torch.empty(2, model.in_channels, 64, 64)
        assert model(x).shape == (2, 3)
