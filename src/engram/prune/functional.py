"""Operators that set small weights to zero, as pure functions of a weight θ and a threshold d.

    soft        S_d(θ) = sign(θ)·max(|θ| − d, 0); the gradient passes as if S were the identity
    proximal    the same value with its own gradient, which pruned weights do not get
    hard        θ where |θ| > d, else 0; the gradient of the weights that stay
    feather     sign(θ)·(|θ|³ − d³)^⅓ where |θ| > d, else 0; the gradient passes, scaled by a factor
                where the weight is pruned
    rewired     s·max(θ, 0) with fixed signs s; the gradient passes

With `soft`, a gradient step of rate η on θ while d grows by Δ is, for weights that stay nonzero, a
step of iterative soft thresholding with penalty λ = Δ/η: any schedule of d is a schedule of an L1
penalty.

References:
    Chen et al., "A Unified Framework for Soft Threshold Pruning", ICLR 2023, equations 5 to 9.
    Kusupati et al., "Soft threshold weight reparameterization", ICML 2020: `proximal` with a
    learned threshold.
    Vanderschueren and De Vleeschouwer, "Are straight-through gradients and soft-thresholding all
    you need for sparse training?", WACV 2023.
    Glentis Georgoulakis et al., "Feather", BMVC 2023.
    Chen et al., "Pruning of deep spiking neural networks through gradient rewiring", IJCAI 2021.
"""

from typing import Any

import torch
from torch import Tensor


class _PassGradient(torch.autograd.Function):
    """Gives a value, and passes its gradient, times a factor, to another tensor."""

    @staticmethod
    def forward(value: Tensor, theta: Tensor, factor: Tensor | None) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor, None]:
        (factor,) = ctx.saved_tensors
        (gradient,) = gradients
        return None, gradient if factor is None else gradient * factor, None


def passing(value: Tensor, theta: Tensor, factor: Tensor | None = None) -> Tensor:
    """Return a value whose gradient goes to θ.

    Args:
        value: The value, of the shape of θ.
        theta: θ.
        factor: What the gradient is multiplied by; None for 1.
    """
    return _PassGradient.apply(value.detach(), theta, factor)  # pyright: ignore[reportReturnType]


def shrink(theta: Tensor, threshold: Tensor | float, size: Tensor | None = None) -> Tensor:
    """Return sign(θ)·max(|θ| − d, 0), or θ·max(1 − d/size, 0) for groups of a size.

    Args:
        theta: θ.
        threshold: d, at least 0, of a shape that broadcasts to θ.
        size: The magnitude of the group of each weight, such as its root mean square, which
            broadcasts to θ; None where each weight is a group.
    """
    if size is None:
        return theta.sign() * (theta.abs() - threshold).relu()
    return theta * (1 - threshold / size.clamp(min=torch.finfo(theta.dtype).tiny)).relu()


def soft(theta: Tensor, threshold: Tensor | float, size: Tensor | None = None) -> Tensor:
    """The soft threshold; its gradient passes everywhere, also to weights of zero.

    Args:
        theta: θ.
        threshold: As in `shrink`.
        size: As in `shrink`.
    """
    return passing(shrink(theta, threshold, size), theta)


def proximal(theta: Tensor, threshold: Tensor | float, size: Tensor | None = None) -> Tensor:
    """The soft threshold with its own gradient, for θ and for a learned d.

    Args:
        theta: θ.
        threshold: As in `shrink`.
        size: As in `shrink`.
    """
    return shrink(theta, threshold, size)


def hard(theta: Tensor, threshold: Tensor | float, size: Tensor | None = None) -> Tensor:
    """Magnitude pruning: weights above the threshold stay as they are.

    Args:
        theta: θ.
        threshold: As in `shrink`.
        size: As in `shrink`.
    """
    magnitude = theta.abs() if size is None else size
    return torch.where(magnitude > threshold, theta, torch.zeros((), dtype=theta.dtype))


def feather(
    theta: Tensor, threshold: Tensor | float, size: Tensor | None = None, factor: float = 0.5
) -> Tensor:
    """The threshold of Feather, between hard and soft.

    Args:
        theta: θ.
        threshold: As in `shrink`.
        size: As in `shrink`.
        factor: What the gradient of pruned weights is multiplied by.
    """
    magnitude = theta.abs() if size is None else size
    kept = magnitude > threshold
    tiny = torch.finfo(theta.dtype).tiny
    ratio = (threshold / magnitude.clamp(min=tiny)) ** 3
    value = torch.where(kept, theta * (1 - ratio).clamp(min=0) ** (1 / 3), torch.zeros_like(theta))
    return passing(value, theta, kept + factor * ~kept)


def rewired(theta: Tensor, signs: Tensor) -> Tensor:
    """Weights of fixed sign, zero where θ is not positive.

    Args:
        theta: θ.
        signs: −1 or 1, of the shape of θ.
    """
    return passing(signs * theta.clamp(min=0), theta, signs)
