"""A factor for each neuron."""

from typing import final

from torch import Tensor, nn


@final
class Scale(nn.Module):
    """Multiplies each neuron's value by a factor of its own: Y = X ⊙ s.

    Args:
        scale: s, a shape that broadcasts to the features of the input.
    """

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale)

    def forward(self, x: Tensor) -> Tensor:
        """The product, of a sequence or of one step."""
        return x * self.scale

    def extra_repr(self) -> str:
        """The shape of the factors."""
        return f"shape={tuple(self.scale.shape)}"
