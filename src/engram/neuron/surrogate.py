"""Surrogate gradients: the Heaviside step forward, a smooth primitive's derivative backward."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import Any, final

import torch
from torch import Tensor

from engram.errors import EngramError
from engram.kernel.transform import transformed

LEAST, GREATEST = 1e-37, 1e37
"""The range of a steepness, such that factors of π or 2 stay normal numbers in float32."""


class _Spike(torch.autograd.Function):
    """Θ(x) forward, the derivative of the surrogate's primitive backward."""

    @staticmethod
    def forward(x: Tensor, surrogate: "Surrogate") -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.surrogate = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grads[0] * ctx.surrogate.derivative(x), None


class _TransformedSpike(_Spike):
    """The same with forward mode and vmap, which torch.compile does not support."""

    generate_vmap_rule = True

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        (x,) = ctx.saved_tensors
        return tangents[0] * ctx.surrogate.derivative(x)


@dataclass(frozen=True)
class Surrogate(ABC):
    """A spike function: S = Θ(x), with dS/dx replaced by the derivative of `primitive`.

    Args:
        alpha: Steepness at the threshold, positive.

    Raises:
        ValueError: `alpha` is not a positive number in the range of float32.
    """

    alpha: float

    def __post_init__(self) -> None:
        if isinstance(self.alpha, Tensor) and self.alpha.numel() == 1:
            object.__setattr__(self, "alpha", self.alpha.item())
        if not isinstance(self.alpha, Real) or not LEAST <= self.alpha <= GREATEST:
            raise EngramError(
                f"{type(self).__name__}(alpha={self.alpha!r}): the steepness must be a positive "
                f"number from {LEAST} to {GREATEST}, which float32 holds, such as 2.0"
            )

    def __call__(self, x: Tensor) -> Tensor:
        """Spikes of `x`, the charge above threshold: 1 where x ≥ 0, else 0, in the dtype of x."""
        spike = _TransformedSpike if transformed() else _Spike
        return spike.apply(x, self)  # pyright: ignore[reportReturnType]

    @abstractmethod
    def primitive(self, x: Tensor) -> Tensor:
        """The smooth function whose derivative replaces the derivative of the step."""

    @abstractmethod
    def derivative(self, x: Tensor) -> Tensor:
        """The surrogate gradient at `x`."""


@final
@dataclass(frozen=True)
class ATan(Surrogate):
    """g(x) = arctan(π/2·α·x)/π + 1/2 (Fang et al., ICCV 2021, arXiv 2007.05785)."""

    alpha: float = 2.0

    def primitive(self, x: Tensor) -> Tensor:
        """See `Surrogate.primitive`."""
        return torch.atan(math.pi / 2 * self.alpha * x) / math.pi + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        """α/2 / (1 + (π/2·α·x)²)."""
        return self.alpha / 2 / (1 + (math.pi / 2 * self.alpha * x).square())


@final
@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """g(x) = 1/(1 + exp(−αx))."""

    alpha: float = 4.0

    def primitive(self, x: Tensor) -> Tensor:
        """See `Surrogate.primitive`."""
        return torch.sigmoid(self.alpha * x)

    def derivative(self, x: Tensor) -> Tensor:
        """α·g·(1 − g)."""
        g = torch.sigmoid(self.alpha * x)
        return self.alpha * g * (1 - g)


@final
@dataclass(frozen=True)
class Triangle(Surrogate):
    """g'(x) = α·max(0, 1 − α|x|), the piecewise quadratic primitive (Bellec et al., 2018)."""

    alpha: float = 1.0

    def primitive(self, x: Tensor) -> Tensor:
        """See `Surrogate.primitive`."""
        u = (self.alpha * x).clamp(-1, 1)
        return 0.5 + u - 0.5 * u * u.abs()

    def derivative(self, x: Tensor) -> Tensor:
        """α·max(0, 1 − α|x|)."""
        return self.alpha * (1 - (self.alpha * x).abs()).clamp(min=0)


@final
@dataclass(frozen=True)
class Rectangle(Surrogate):
    """g'(x) = α where |x| < 1/(2α), else 0: a ramp as primitive (Wu et al., 2018)."""

    alpha: float = 1.0

    def primitive(self, x: Tensor) -> Tensor:
        """See `Surrogate.primitive`."""
        return (self.alpha * x + 0.5).clamp(0, 1)

    def derivative(self, x: Tensor) -> Tensor:
        """α·1[|x| < 1/(2α)]."""
        return self.alpha * (x.abs() < 0.5 / self.alpha).to(x.dtype)


@final
@dataclass(frozen=True)
class Erf(Surrogate):
    """g(x) = (1 + erf(αx))/2, the Gaussian as derivative."""

    alpha: float = 2.0

    def primitive(self, x: Tensor) -> Tensor:
        """See `Surrogate.primitive`."""
        return 0.5 * (1 + torch.erf(self.alpha * x))

    def derivative(self, x: Tensor) -> Tensor:
        """α/√π·exp(−α²x²)."""
        return self.alpha / math.sqrt(math.pi) * torch.exp(-(self.alpha * x).square())


@final
@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """g(x) = x/(1 + α|x|), whose derivative is 1 at threshold (Zenke & Ganguli, 2018)."""

    alpha: float = 25.0

    def primitive(self, x: Tensor) -> Tensor:
        """See `Surrogate.primitive`."""
        return x / (1 + self.alpha * x.abs())

    def derivative(self, x: Tensor) -> Tensor:
        """1/(1 + α|x|)²."""
        return 1 / (1 + self.alpha * x.abs()).square()
