"""The network of sequential CIFAR-10 as a model of images, whose columns are its time steps."""

from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron import Neuron
from engram.neuron.presets import PRESETS, Place
from engram.studies.comparison.network import SpikingNetwork
from engram.studies.sequence.body import column_body


@final
class ColumnNetwork(nn.Module):
    """Reads square images column by column from the left: time is the width of the image.

    `engram train --model engram.studies.sequence.columns:ColumnNetwork` trains it.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the images.
        steps: T, the width and height of the images in pixels.
        neuron: Makes the neurons of each layer; LIF with a soft reset by default.
        width: Number of channels of the convolutions.

    References:
        Fang et al., NeurIPS 2023, arXiv 2304.12760, the network for sequential CIFAR.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        steps: int = 32,
        *,
        neuron: Callable[[], Neuron] | None = None,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.steps = steps
        body = column_body((in_channels, steps), width)
        make = neuron or (lambda: PRESETS["lif"].make(Place(steps, steps)))
        readout = nn.Linear(body.channels[-1], num_classes)
        self.network = SpikingNetwork(body.layers, readout, [make() for _ in body.channels])

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of images.

        Raises:
            ValueError: If the images are not as wide and high as there are steps.
        """
        height, width = images.shape[2:]
        if not height == width == self.steps:
            raise EngramError(
                f"images of {height} × {width} pixels for a network of {self.steps} steps: give "
                "square images, and their width as steps"
            )
        return self.network(images.permute(3, 0, 1, 2))
