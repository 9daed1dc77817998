"""Which norms and neurons are one kernel in training: all that follow each other directly."""

import pytest
import torch

from engram.neuron import Neuron
from engram.vision.layer import ConvBN
from engram.vision.norm import BatchNorm
from tests.vision.members import MEMBERS

ALSO_ADDED = {"spikingformer": {"tokenizer.3.project"}}
"""Outputs that a residual carries on besides: a kernel that only put out spikes would lose them."""
SPIKING = [name for name, member in MEMBERS.items() if member.spiking]


def before_neurons(model, images) -> set[str]:
    """Names of the convolutions whose output a layer of neurons is given as it is."""
    made, found, hooks = [], set(), []

    def remember(name):
        return lambda _module, _inputs, output: made.append((name, output))

    def look(_module, inputs):
        found.update(name for name, output in made if output is inputs[0])

    for name, module in model.named_modules():
        if isinstance(module, ConvBN):
            hooks.append(module.register_forward_hook(remember(name)))
        elif isinstance(module, Neuron):
            hooks.append(module.register_forward_pre_hook(look))
    model.train()(images)
    for hook in hooks:
        hook.remove()
    return found


def fused(model, images, monkeypatch) -> set[str]:
    """Names of the convolutions whose norm runs together with the neurons behind it."""
    names = {one.bn: name for name, one in model.named_modules() if isinstance(one, ConvBN)}
    found, fire = set(), BatchNorm.fire

    def spy(self, *args):
        found.add(names[self])
        return fire(self, *args)

    monkeypatch.setattr(BatchNorm, "fire", spy)
    model.train()(images)
    return found


@pytest.mark.parametrize("name", SPIKING)
def test_every_norm_that_neurons_follow_is_fused_with_them(name, monkeypatch):
    member = MEMBERS[name]
    expected = before_neurons(member.build(), member.images())
    expected -= ALSO_ADDED.get(name.partition("-")[0], set())
    assert expected
    assert fused(member.build(), member.images(), monkeypatch) == expected


@pytest.mark.parametrize("name", SPIKING)
def test_fused_layers_compute_what_separate_ones_do(name):
    member = MEMBERS[name]
    images = member.images().double()
    outputs, gradients = [], []
    for watched in (False, True):  # a watched layer runs by itself
        model = member.build().double().train()
        if watched:
            for module in model.modules():
                if isinstance(module, BatchNorm):
                    module.register_forward_hook(lambda *_: None)
        y = model(images)
        y.square().sum().backward()
        outputs.append(y.detach())
        gradients.append([weight.grad for weight in model.parameters() if weight.grad is not None])
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-9, atol=1e-9)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)
