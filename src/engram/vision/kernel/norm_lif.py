"""Batch norm and LIF as one autograd node, which saves its input and recomputes the rest."""

from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from engram.kernel.eager import differentiate, differentiates_again
from engram.kernel.memory import REALS, STORED, computed, new_like
from engram.kernel.team import Entry, bits, entry, launch
from engram.neuron.kernel.lif_launch import (
    Settings,
    backward_numbers,
    check_settings,
    form_of,
    forward_numbers,
    reference,
)
from engram.vision.kernel.norm import check_batch, gradients, moments, moments_in_torch

SCRATCH = 1 << 16
"""Number of membrane potentials per piece of the backward pass; fits a second-level cache."""


def norm_lif(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, steps: int, settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes of a LIF that starts from rest and whose current is the batch norm of x.

    Args:
        x: Float32, float64 or bfloat16 on the CPU, `(time · batch, channels, height, width)`,
            channels-last.
        weight: Weight of the norm, `(channels,)`, in the dtype of x; float32 for bfloat16.
        bias: Its bias, likewise.
        eps: Its ε.
        steps: Number of time steps.
        settings: The LIF, whose leak is not learned.

    Returns:
        The spikes, shaped as x, and the mean and the biased variance of each channel, through which
        no gradient flows.
    """
    return _NormLIF.apply(x, weight, bias, eps, steps, settings)  # pyright: ignore[reportReturnType]


class _NormLIF(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        steps: int,
        settings: Settings,
    ) -> tuple[Tensor, Tensor, Tensor]:
        check_batch(x, weight, bias, steps)
        mean, variance = moments(x)
        scale, shift = _affine(weight, bias, mean, variance, eps)
        spikes = new_like(x)
        kernel, numbers = _forward_kernel(x.dtype, settings)
        rows, channels, block = _rows(x, steps)
        addresses = (tensor.data_ptr() for tensor in (x, spikes, scale, shift))
        words = (*addresses, steps, rows, channels, block, *numbers)
        launch(kernel, -(-rows // block), x.numel(), *words, threads=torch.get_num_threads())
        ctx.save_for_backward(x, weight, bias, mean, variance)
        ctx.settings = (eps, steps, settings)
        mean, variance = mean.to(weight.dtype), variance.to(weight.dtype)
        ctx.mark_non_differentiable(mean, variance)
        return spikes, mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, variance = ctx.saved_tensors
        eps, steps, settings = ctx.settings
        if differentiates_again(grads[0]):
            again = partial(_in_torch, eps, steps, settings)
            needed = ctx.needs_input_grad[:3]
            return (*differentiate(again, (x, weight, bias), needed, grads[:1]), None, None, None)
        g = grads[0].contiguous(memory_format=torch.channels_last)
        scale, shift = _affine(weight, bias, mean, variance, eps)
        rows, channels, block = _rows(x, steps)
        pieces = -(-rows // block)
        g_x, near = new_like(x), mean.to(weight.dtype)
        sums, dots = weight.new_empty(2, pieces, channels)
        kernel, numbers = _backward_kernel(x.dtype, settings)
        tensors = (x, g, g_x, scale, shift, near, sums, dots)
        addresses = (tensor.data_ptr() for tensor in tensors)
        words = (*addresses, steps, rows, channels, block, *numbers)
        launch(kernel, pieces, x.numel(), *words, threads=torch.get_num_threads())
        total, dot = sums.double().sum(0), dots.double().sum(0)
        _, g_weight = gradients(x, g_x, g_x, weight, mean, variance, total, dot, eps)
        return g_x, g_weight, total.to(bias.dtype), None, None, None


def _in_torch(
    eps: float, steps: int, settings: Settings, x: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor]:
    """The spikes in plain torch, for derivatives that the kernels do not support."""
    scale, shift = _affine(weight, bias, *moments_in_torch(x), eps)
    current = x.to(weight.dtype) * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)
    spikes, _ = reference(settings, current.unflatten(0, (steps, -1)), None, None)
    return (spikes.flatten(0, 1).to(x.dtype),)


def _affine(
    weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The scale and the shift of the norm as x · scale + shift."""
    scale = weight.double() / (variance + eps).sqrt()
    return scale.to(weight.dtype), (bias - mean * scale).to(weight.dtype)


def _rows(x: Tensor, steps: int) -> tuple[int, int, int]:
    """Number of rows per step, columns, and rows per piece."""
    channels = x.shape[1]
    return x.numel() // channels // steps, channels, max(1, SCRATCH // (steps * channels))


@lru_cache(256)
def _forward_kernel(stored: torch.dtype, settings: Settings) -> tuple[Entry, tuple[int, ...]]:
    """The kernel for these settings, and its last words: τ, threshold, reset potential."""
    from engram.vision.kernel import norm_lif_cpu  # Numba is loaded when first needed

    real = computed(stored)
    check_settings(real, False, settings)
    form = form_of(real, False, settings)
    numbers = forward_numbers(real, form[0], settings)
    return entry(norm_lif_cpu.forward(REALS[real], STORED[stored], *form)), tuple(
        map(bits, numbers)
    )


@lru_cache(256)
def _backward_kernel(stored: torch.dtype, settings: Settings) -> tuple[Entry, tuple[int, ...]]:
    """The kernel for these settings, and its last words: τ to the width of the surrogate."""
    from engram.vision.kernel import norm_lif_cpu

    real = computed(stored)
    form = form_of(real, False, settings)
    types = REALS[real], STORED[stored]
    address = norm_lif_cpu.backward(*types, *form, settings.detach_reset, settings.shape)
    return entry(address), tuple(map(bits, backward_numbers(real, form[0], settings)))
