"""Batch norm by the statistics of all processes, on CPUs as well."""

from typing import Any, final

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


@final
class SynchronisedBatchNorm(_BatchNorm):
    """Batch norm whose mean and variance are those of the batch of all processes.

    In one process, and in evaluation, it is the batch norm that it replaces.

    Args:
        norm: The batch norm to replace, whose parameters and statistics it shares.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(
            norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        )
        self.weight, self.bias = norm.weight, norm.bias
        self._buffers.update(norm._buffers)
        self.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of axes."""

    def forward(self, input: Tensor) -> Tensor:
        """The normalised batch `(batch, channels, …)`."""
        if not self.training:
            return super().forward(input)
        axes = [axis for axis in range(input.ndim) if axis != 1]
        shape = (1, -1, *(1,) * (input.ndim - 2))
        half = input.dtype in (torch.float16, torch.bfloat16)
        wide = input.float() if half else input
        here = wide.new_full((1,), wide.numel() / wide.shape[1], dtype=torch.float64)
        sums = _Sum.apply(torch.cat([here, wide.sum(axes, dtype=torch.float64)]))
        count, mean = sums[0], sums[1:] / sums[0]
        centred = wide - mean.to(wide.dtype).view(shape)
        variance = _Sum.apply(centred.square().sum(axes, dtype=torch.float64)) / count
        self._follow(mean.detach(), variance.detach(), count.detach())
        y = centred * (variance + self.eps).rsqrt().to(wide.dtype).view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Update the running statistics."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / self.num_batches_tracked.item()
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        unbiased = variance * (count / (count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)


def synchronise(model: nn.Module) -> None:
    """Replace every batch norm inside a model by a synchronised one, in place.

    Args:
        model: The model.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm) and not isinstance(child, SynchronisedBatchNorm):
                setattr(parent, name, SynchronisedBatchNorm(child))


class _Sum(torch.autograd.Function):
    """The sum over the processes, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _all_reduced(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _all_reduced(grads[0])


def _all_reduced(x: Tensor) -> Tensor:
    x = x.clone()
    if distributed.is_initialized():
        distributed.all_reduce(x)
    return x
