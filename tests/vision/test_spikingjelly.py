"""Weights of SpikingJelly 2.0's own models, random ones, give the outputs of their models."""

from collections.abc import Callable

import pytest
import torch
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.model import ms_resnet as theirs_ms
from spikingjelly.activation_based.model import spikformer as theirs_spikformer
from torch import nn

from engram.vision import CheckpointError, Spikformer, VisionModel, load_checkpoint
from engram.vision.checkpoint import publish
from engram.vision.ms_resnet import ms_resnet

T = 3


def spikformer(patch: int) -> nn.Module:
    return theirs_spikformer.Spikformer(
        T,
        img_size_h=32,
        img_size_w=32,
        patch_size=patch,
        num_classes=5,
        embed_dims=32,
        num_heads=4,
        depths=2,
    )


def resnet(layers: tuple[int, ...]) -> nn.Module:
    return theirs_ms.MSResNet(T, num_classes=5, layers=layers, base_channels=8)


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], VisionModel], int]] = {
    "spikformer, all stages pool": (
        lambda: spikformer(16),
        lambda: Spikformer(2, 32, 4, steps=T, num_classes=5, cml=True),
        32,
    ),
    "spikformer, two stages pool": (
        lambda: spikformer(4),
        lambda: Spikformer(2, 32, 4, steps=T, num_classes=5, cml=True, biased=True, pools=(2, 3)),
        16,
    ),
    "ms-resnet 18": (
        lambda: resnet((2, 2, 2, 2)),
        lambda: ms_resnet(18, 5, T, width=8),
        32,
    ),
    "ms-resnet 34": (
        lambda: resnet((3, 4, 6, 3)),
        lambda: ms_resnet(34, 5, T, width=8),
        32,
    ),
}


def awake(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """The model with norms and statistics under which its layers fire."""
    for norm in model.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(norm.weight, 0.8, 2.0)
            nn.init.normal_(norm.bias, 0.4, 0.3)
            norm.momentum = None
    with torch.no_grad():
        model.train()(x)
    functional.reset_net(model)
    return model.eval()


@pytest.mark.parametrize(("theirs", "ours", "size"), MODELS.values(), ids=MODELS.keys())
def test_outputs_are_equal(
    theirs: Callable[[], nn.Module], ours: Callable[[], VisionModel], size: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 3, size, size, dtype=torch.float64)
    their, our = awake(theirs().double(), x), ours().double().eval()
    loaded = load_checkpoint(our, their.state_dict())
    assert loaded == ("spikingjelly", (), "")
    with torch.no_grad():
        expected = their(x)
        expected = expected.mean(0) if expected.ndim == 3 else expected
        assert expected.std() > 1e-3
        torch.testing.assert_close(our(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("theirs", "ours", "size"), MODELS.values(), ids=MODELS.keys())
def test_their_code_reads_our_weights(
    theirs: Callable[[], nn.Module], ours: Callable[[], VisionModel], size: int
) -> None:
    torch.manual_seed(0)
    their, our = awake(theirs(), torch.randn(2, 3, size, size)), ours()
    load_checkpoint(our, their.state_dict())
    naming = next(one for one in our.namings if one.name == "spikingjelly")
    state = publish(our, naming)
    own = their.state_dict()
    assert state.keys() == own.keys()
    assert all(torch.equal(state[key].reshape(own[key].shape), own[key]) for key in own)


def test_a_tokenizer_that_pools_elsewhere_is_refused() -> None:
    with pytest.raises(CheckpointError, match="build the model with cml=True"):
        load_checkpoint(Spikformer(2, 32, 4, steps=T, num_classes=5), spikformer(16).state_dict())
