"""A convolution that is correct on every processor."""

from typing import final

from torch import Tensor, nn


@final
class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d`; a strided 1 × 1 kernel reads every stride-th pixel at stride 1.

    Both compute the same products. oneDNN 3.12, which is part of torch 2.13, writes outside its
    memory in the backward pass of a strided 1 × 1 convolution of few channels, channels-last, on
    processors with AVX2 but without AVX-512; see docs/processors.md.

    Parameters and their names are those of `torch.nn.Conv2d`.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of `(batch, channels, height, width)`."""
        if self.stride == (1, 1) or not self._reads_single_pixels:
            return super().forward(input)
        down, along = self.stride
        # with the channels last, the gradient of the slices is channels-last, too
        pixels = input.movedim(-3, -1)[..., ::down, ::along, :].movedim(-1, -3)
        return nn.functional.conv2d(pixels, self.weight, self.bias, groups=self.groups)

    @property
    def _reads_single_pixels(self) -> bool:
        """Whether an output reads one pixel, none of which is padding."""
        return self.kernel_size == (1, 1) and self.padding in ((0, 0), "valid")
