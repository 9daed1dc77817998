"""SEW-ResNet: residual blocks that combine spikes with spikes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, final

from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron import IF
from engram.vision.layer import ConvBN, NeuronFactory, fire, make_neuron
from engram.vision.network import Naming
from engram.vision.resnet import (
    EXPANSION,
    ResNet,
    depths_of,
    entry_of,
    projection,
    published_key,
    residual_convolutions,
    start_norm,
    stem_of,
)

Connection = Literal["ADD", "AND", "IAND"]

CONNECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ADD": lambda spikes, identity: spikes + identity,
    "AND": lambda spikes, identity: spikes * identity,
    "IAND": lambda spikes, identity: identity * (1.0 - spikes),
}
"""g(spikes, identity). With ADD the next layer reads integers; the others give spikes."""

PAPER_NEURON = partial(IF, detach_reset=True)
"""The neuron of the published networks."""

ALWAYS = 2.0
"""The current at which an IF, or a LIF of τ = 2, fires at every step."""


@final
class SEWBlock(nn.Module):
    """g(F(x), shortcut(x)), with neurons after each convolution of F, and after the shortcut's.

    Args:
        convolutions: F without its neurons.
        shortcut: Maps x to the shape of F(x); None if the shapes agree.
        connection: g.
        neuron: Makes the neurons.
    """

    def __init__(
        self,
        convolutions: Sequence[ConvBN],
        shortcut: ConvBN | None,
        connection: Connection,
        neuron: NeuronFactory,
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convolutions)
        self.neurons = nn.ModuleList(make_neuron(neuron) for _ in convolutions)
        self.shortcut = shortcut
        self.shortcut_neuron = None if shortcut is None else make_neuron(neuron)
        self.connection = connection
        # a block starts as the identity
        start_norm(convolutions[-1], 0.0, ALWAYS if connection == "AND" else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """One block, along time."""
        spikes = x
        for conv, neuron in zip(self.convs, self.neurons, strict=True):
            spikes = fire(conv, neuron, spikes)
        if self.shortcut is not None and self.shortcut_neuron is not None:
            x = fire(self.shortcut, self.shortcut_neuron, x)
        return CONNECTIONS[self.connection](spikes, x)

    def extra_repr(self) -> str:
        """The connection."""
        return f"connection={self.connection!r}"


def sew_resnet(
    layers: int = 18,
    num_classes: int = 1000,
    steps: int = 4,
    *,
    connection: Connection = "ADD",
    neuron: NeuronFactory = PAPER_NEURON,
    in_channels: int = 3,
    width: int = 64,
    small_images: bool = False,
) -> ResNet:
    """A residual network whose shortcuts carry spikes.

    Args:
        layers: 18, 34, 50, 101 or 152.
        num_classes: Number of classes of the head; 0 for no head.
        steps: T, the number of time steps per image.
        connection: "ADD" counts spikes, which is not spike-driven; "AND" and "IAND" give spikes.
        neuron: Makes the neurons.
        in_channels: Channels of the input.
        width: Width of the first stage.
        small_images: 3 × 3 stem without stride and pooling, as usual for CIFAR.

    Raises:
        ValueError: The connection or the number of layers does not exist.

    References:
        Fang et al., "Deep residual learning in spiking neural networks", NeurIPS 2021,
        arXiv 2102.04159.
    """
    if connection not in CONNECTIONS:
        raise EngramError(f"connection {connection!r}: choose one of {list(CONNECTIONS)}")
    depths, bottleneck = depths_of(layers), layers >= 50
    expansion = EXPANSION if bottleneck else 1

    def block(channels: int, inner: int, stride: int) -> SEWBlock:
        return SEWBlock(
            residual_convolutions(channels, inner, stride, bottleneck),
            projection(channels, inner * expansion, stride),
            connection,
            neuron,
        )

    return ResNet(
        stem_of(in_channels, width, small_images),
        entry_of(make_neuron(neuron), small_images),
        block,
        depths,
        width=width,
        expansion=expansion,
        num_classes=num_classes,
        steps=steps,
        in_channels=in_channels,
        naming=Naming("spikingjelly", published_key),
    )


sew_resnet18 = partial(sew_resnet, 18)
sew_resnet34 = partial(sew_resnet, 34)
sew_resnet50 = partial(sew_resnet, 50)
sew_resnet101 = partial(sew_resnet, 101)
sew_resnet152 = partial(sew_resnet, 152)
"""The paper's sizes; see `sew_resnet`."""
