"""The members of the vision family that the contract suite runs over."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from engram.neuron import LIF, PSN, ParametricLIF, SlidingPSN
from engram.vision import (
    EfficientNetLite0,
    MobileNetV1,
    Spikformer,
    Spikingformer,
    VisionModel,
    ms_resnet18,
    ms_resnet104,
    resnet18,
    resnet50,
    sew_resnet18,
)

Model = TypeVar("Model", bound=nn.Module)
T = 4
CLASSES = 10


class Member(NamedTuple):
    """A small model.

    Attributes:
        make: Builds it; takes `num_classes` and, if it spikes, `steps` and `neuron`.
        spiking: Whether it has neurons and steps.
        size: Height and width of the images it is tested on.
    """

    make: Callable[..., VisionModel]
    spiking: bool = True
    size: int = 16

    def build(self, **settings: object) -> VisionModel:
        torch.manual_seed(0)
        steps = {"steps": T} if self.spiking else {}
        return self.make(**{"num_classes": CLASSES} | steps | settings)

    def images(self, batch: int = 3, seed: int = 1) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        shape = (batch, 3, self.size, self.size)
        return torch.randn(shape, generator=generator, dtype=torch.float64).float()


MEMBERS: dict[str, Member] = {
    "spikingformer": Member(partial(Spikingformer, 2, 32, 4)),
    "spikingformer-late-pools": Member(partial(Spikingformer, 1, 16, 2, pools=(3, 4)), size=8),
    "spikingformer-cml": Member(partial(Spikingformer, 1, 32, 4, cml=True)),
    "spikformer": Member(partial(Spikformer, 2, 32, 4)),
    "spikformer-cml-biased": Member(partial(Spikformer, 1, 32, 4, cml=True, biased=True)),
    "sew-add": Member(partial(sew_resnet18, width=8, small_images=True)),
    "sew-iand": Member(partial(sew_resnet18, connection="IAND", width=8), size=32),
    "ms-resnet": Member(partial(ms_resnet18, width=8, small_images=True)),
    "ms-resnet104": Member(partial(ms_resnet104, width=4), size=32),
    "resnet": Member(partial(resnet18, width=8, small_images=True), spiking=False),
    "resnet-bottleneck": Member(partial(resnet50, width=4), spiking=False, size=32),
    "mobilenet": Member(partial(MobileNetV1, multiplier=0.25, small_images=True), spiking=False),
    "efficientnet-lite0": Member(EfficientNetLite0, spiking=False, size=32),
}
SPIKING = {name: member for name, member in MEMBERS.items() if member.spiking}
NEURONS: dict[str, Callable[..., nn.Module]] = {
    "lif": LIF,
    "plif": ParametricLIF,
    "psn": partial(PSN, T),
    "sliding": partial(SlidingPSN, 2),
}


def enliven(model: Model, x: torch.Tensor) -> Model:
    """Norms and statistics under which every layer fires on x, for evaluation."""
    generator = torch.Generator().manual_seed(0)
    model.train()
    for norm in model.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(norm.weight, 1.0, 2.0, generator=generator)
            nn.init.normal_(norm.bias, 0.5, 0.3, generator=generator)
            norm.momentum = None  # the statistics of one pass, whole
    with torch.no_grad():
        model(x)
    return model.eval()
