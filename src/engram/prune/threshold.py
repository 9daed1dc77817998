"""The parametrization of a pruned weight: θ is trained, and the model computes with S_d(θ).

The threshold is a buffer, so that a saved model is sparse from the first batch after it is loaded,
and so that copies and averages of the model have thresholds of their own.
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple, final, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from engram.errors import EngramError
from engram.prune.functional import feather, hard, proximal, rewired, soft
from engram.prune.granularity import Granularity, check_divides, excess, granularity

Operator = Literal["soft", "str", "st3", "feather", "grad-r", "hard"]


@final
class Thresholded(nn.Module):
    """A parametrization that sets the small weights of a tensor to zero.

    Args:
        weight: The weight at the start.
        operator: soft, or str (soft with its own gradient and a learned threshold), st3 (soft,
            rescaled to the mean magnitude of θ), feather, grad-r (fixed signs), or hard.
        grain: What is pruned as one.
        scale: The factor of the gradient of pruned weights, for feather.
        masked: Whether a mask, of ones at first, is applied to the weight.

    Raises:
        EngramError: If the weight is not float32 or float64.
    """

    threshold: Tensor
    total: Tensor
    mask: Tensor | None
    signs: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        operator: Operator = "soft",
        grain: Granularity | None = None,
        scale: float = 0.5,
        masked: bool = False,
    ) -> None:
        super().__init__()
        if operator not in get_args(Operator):
            raise EngramError(
                f"operator={operator!r}: choose one of {', '.join(get_args(Operator))}"
            )
        if weight.dtype not in (torch.float32, torch.float64):
            raise EngramError(
                f"a weight of {weight.dtype} cannot hold small steps of θ; train in torch.float32, "
                "with autocast for lower precision"
            )
        self.operator: Operator = operator
        self.grain = granularity("weight") if grain is None else grain
        self.scale = scale
        zero = torch.zeros((), dtype=weight.dtype, device=weight.device)
        if operator == "str":
            # σ(s): the threshold is positive, and AdamW's decay does not stop it, as s is a scalar
            self.learned = nn.Parameter(zero - 8.0)
        self.register_buffer("threshold", zero)
        self.register_buffer("total", zero.clone().double())
        mask = torch.ones_like(weight, dtype=torch.bool) if masked else None
        self.register_buffer("mask", mask)
        signs = torch.where(weight.detach() < 0, -1.0, 1.0).to(weight.dtype)
        self.register_buffer("signs", signs if operator == "grad-r" else None)

    def forward(self, theta: Tensor) -> Tensor:
        """The weight that the model computes with."""
        if hasattr(theta, "placements"):
            raise EngramError(
                "the weight is divided among processes (fully_shard), where thresholds are not "
                "defined; prune with DDP, or exclude the weight"
            )
        weight = self._operate(theta)
        if self.grain.kept:
            weight = weight.masked_fill(excess(weight.detach(), self.grain), 0.0)
        return weight if self.mask is None else weight * self.mask

    def right_inverse(self, weight: Tensor) -> Tensor:
        """θ of a weight that is set by hand, so that the model then computes with that weight."""
        if self.operator == "grad-r" and self.signs is not None:
            return weight * self.signs
        if self.operator == "hard" or not (self.threshold > 0):
            return weight
        if self.grain.sizes is not None:
            sizes = self.grain.sizes(weight)
            return weight * (1 + self.threshold / sizes.clamp(min=torch.finfo(weight.dtype).tiny))
        if self.operator == "feather":
            return weight.sign() * (weight.abs() ** 3 + (weight != 0) * self.threshold**3) ** (
                1 / 3
            )
        return weight + weight.sign() * self.threshold

    def move(self, threshold: float) -> None:
        """Set the threshold."""
        self.total.fill_(threshold)
        self.threshold.fill_(threshold)

    def current(self) -> Tensor:
        """The threshold, of the buffer or learned."""
        return self.learned.sigmoid() if self.operator == "str" else self.threshold

    def magnitude(self, theta: Tensor) -> Tensor:
        """What the threshold is compared with, for each weight."""
        if self.operator == "grad-r":
            return theta.clamp(min=0)
        return theta.abs() if self.grain.sizes is None else self.grain.sizes(theta).expand_as(theta)

    def _operate(self, theta: Tensor) -> Tensor:
        size = None if self.grain.sizes is None else self.grain.sizes(theta.detach())
        if self.operator == "grad-r":
            assert self.signs is not None
            return rewired(theta - self.threshold, self.signs)
        if self.operator == "feather":
            return feather(theta, self.threshold, size, self.scale)
        if self.operator == "hard":
            return hard(theta, self.threshold, size)
        if self.operator == "str":
            return proximal(theta, self.current(), size)
        weight = soft(theta, self.threshold, size)
        if self.operator == "st3":
            mean = weight.detach().abs().mean()
            if mean > 0:
                weight = weight * (theta.detach().abs().mean() / mean)
        return weight

    def extra_repr(self) -> str:
        """What `repr` shows."""
        return f"operator={self.operator!r}, granularity={self.grain.name!r}"


class Pruned(NamedTuple):
    """A pruned weight of a model.

    Attributes:
        name: Its name, such as layers.0.conv.weight.
        theta: The parameter that is trained.
        law: Its parametrization.
        module: The module that holds it.
        tensor: Its name there.
    """

    name: str
    theta: nn.Parameter
    law: Thresholded
    module: nn.Module
    tensor: str

    @property
    def weight(self) -> Tensor:
        """What the model computes with."""
        return getattr(self.module, self.tensor)


def pruned_weights(model: nn.Module) -> Iterator[Pruned]:
    """The pruned weights of a model.

    Args:
        model: A model whose weights `Pruning`, or a copy of such a model, parametrizes.
    """
    for prefix, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for tensor, laws in module.parametrizations.items():  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
            for law in laws:
                if isinstance(law, Thresholded):
                    name = f"{prefix}.{tensor}" if prefix else tensor
                    yield Pruned(name, laws.original, law, module, tensor)


def add_threshold(module: nn.Module, tensor: str, name: str, law: Thresholded) -> None:
    """Parametrize a weight.

    Args:
        module: The module that holds it.
        tensor: Its name there.
        name: Its name in the model.
        law: Its parametrization.

    Raises:
        EngramError: If it is parametrized already, or its rows do not divide into blocks.
    """
    if parametrize.is_parametrized(module, tensor):
        raise EngramError(
            f"{name} is parametrized already; prune it once, or remove the parametrization first"
        )
    if law.grain.sizes is not None or law.grain.kept:
        check_divides(name, getattr(module, tensor), law.grain)
    parametrize.register_parametrization(module, tensor, law)


def flushed(weight: Tensor) -> Tensor:
    """A weight whose subnormal numbers are 0, which processors multiply by many times as slowly.

    Args:
        weight: Any weight.
    """
    tiny = torch.finfo(weight.dtype).tiny
    return torch.where(weight.abs() < tiny, torch.zeros_like(weight), weight)


def bake(model: nn.Module) -> nn.Module:
    """Make the pruned weights ordinary parameters again, in place; they keep their zeros.

    Args:
        model: A pruned model.

    Returns:
        The model.
    """
    for found in list(pruned_weights(model)):
        _own_class(found.module)
        parametrize.remove_parametrizations(found.module, found.tensor, leave_parametrized=True)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.copy_(flushed(parameter))
    return model


def _own_class(module: nn.Module) -> None:
    """Give a parametrized module a class of its own.

    Torch keeps the parametrized weight as a property of a class that copies share: removing it
    from one would take it from all.
    """
    kind = type(module)
    own = {k: v for k, v in vars(kind).items() if k not in ("__dict__", "__weakref__")}
    module.__class__ = type(kind.__name__, kind.__bases__, own)  # pyright: ignore[reportAttributeAccessIssue]


def keep_mask(found: Pruned) -> None:
    """Fix which weights are zero from now on.

    Args:
        found: A pruned weight with a mask.
    """
    assert found.law.mask is not None
    found.law.mask.copy_(found.weight != 0)


def start_at(found: Pruned, threshold: float) -> None:
    """Set the threshold, and move θ so that the model still computes the same.

    Weights of zero stay zero until θ, which starts at 0 for them, passes the threshold.

    Args:
        found: The pruned weight.
        threshold: d, at least 0.

    Raises:
        EngramError: If the threshold is not a number of at least 0.
    """
    if not (threshold >= 0 and math.isfinite(threshold)):
        raise EngramError(f"threshold={threshold}: give a finite number of at least 0")
    with torch.no_grad():
        weight = found.weight.clone()
        found.law.move(threshold)
        found.theta.copy_(found.law.right_inverse(weight))
