"""Batch norm whose training on the CPU is limited only by memory bandwidth."""

from typing import final

import torch
from torch import Tensor, nn

from engram.kernel.eager import unwatched
from engram.kernel.memory import STORED, computed
from engram.neuron.backend import backend
from engram.neuron.kernel.lif import Settings
from engram.vision.kernel import norm
from engram.vision.kernel.norm_lif import norm_lif


@final
class BatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, computed by compiled kernels if supported.

    They support training on channels-last tensors on a CPU: float32, float64, and bfloat16 with
    weights in float32, as under autocast.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The normalised batch `(batch, channels, height, width)`."""
        if not self.serves(input):
            return super().forward(input)
        y, mean, variance = norm.batch_norm(input, self.weight, self.bias, self.eps)
        self.follow(mean, variance, input.numel() // self.num_features)
        return y

    def fire(self, x: Tensor, steps: int, settings: Settings) -> Tensor:
        """The spikes of a LIF from rest whose current is the normalised batch, if `serves(x)`.

        Args:
            x: `(time · batch, channels, height, width)`.
            steps: The steps of time.
            settings: The LIF.
        """
        spikes, mean, variance = norm_lif(x, self.weight, self.bias, self.eps, steps, settings)
        self.follow(mean, variance, x.numel() // self.num_features)
        return spikes

    def serves(self, x: Tensor) -> bool:
        """Whether the kernels support this batch."""
        return (
            self.training
            and self.affine
            and self.momentum is not None
            and self.running_mean is not None
            and x.ndim == 4
            and x.shape[1] == self.num_features
            and x.numel() > self.num_features
            and x.dtype in STORED
            and computed(x.dtype) == self.weight.dtype
            and x.is_contiguous(memory_format=torch.channels_last)
            and backend(x.device) == "numba"
            and unwatched(x, self.weight, self.bias)
        )

    @torch.no_grad()
    def follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics by those of a batch of `count` pixels."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
