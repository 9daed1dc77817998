"""Steps of the weights: with autograd and an optimizer, or without autograd."""

from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engram.errors import EngramError
from engram.memristor.functional import UNIT, carry
from engram.memristor.layer import BinaryStochastic, StochasticBits, drawing


def squared_error(y: Tensor, labels: Tensor) -> Tensor:
    """½ Σ (t − y)², whose gradient is minus the error t − y, for t = 1 at the label.

    Args:
        y: Bits of the outputs, `(batch, class)`.
        labels: `(batch,)`.
    """
    return 0.5 * (_target(y, labels) - y).square().sum()


def _target(y: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(labels, y.shape[1]).to(y.dtype)


@final
class StepUpdate(Optimizer):
    """Adds minus the gradients, which are counts, to counters, and moves weights by whole pulses.

    Args:
        parameters: Weights and biases of stochastic layers, or groups of them.
        step: dw, the size of a pulse; rounded to a multiple of 2⁻¹⁶, at least one.
        carry: C, the count after which a pulse follows.
        limit: Largest magnitude of a weight.
        many: Whether a counter that holds several carries gives as many pulses; else it gives one
            and loses the rest.

    Raises:
        EngramError: If a setting is out of range.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        *,
        step: float = 1 / 64,
        carry: int = 1,
        limit: float = 1.0,
        many: bool = True,
    ) -> None:
        if not (step > 0 and carry >= 1 and limit > 0):
            raise EngramError(
                f"step={step}, carry={carry}, limit={limit}: give a positive step and limit, and a "
                "carry of at least 1"
            )
        super().__init__(parameters, {"step": step, "carry": carry, "limit": limit, "many": many})
        self.pulses = 0

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move the weights."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            size = max(1, round(group["step"] / UNIT)) * UNIT
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                held = state.setdefault("counters", torch.zeros_like(weight, dtype=torch.float64))
                pulses, left = carry(held - weight.grad.double(), group["carry"])
                if not group["many"]:
                    pulses = pulses.sign()
                held.copy_(left)
                self.pulses += int(pulses.abs().sum())
                moved = weight.double() + pulses * size
                weight.copy_(moved.clamp(-group["limit"], group["limit"]))
        return loss


@torch.no_grad()
def learn(
    model: nn.Sequential, x: Tensor, labels: Tensor, step: int, samples: Tensor | None = None
) -> Tensor:
    """One pass forward and back without autograd; counts are left as gradients for `StepUpdate`.

    Args:
        model: Stochastic layers and `nn.Flatten`, one after another; the last layer is an output.
        x: Inputs, `(batch, …)`.
        labels: `(batch,)`.
        step: Number of the learning step, of which the draws depend.
        samples: The number of each sample, of which the draws depend; None for 0, 1, ….

    Returns:
        Bits of the outputs, `(batch, class)`.

    Raises:
        EngramError: If the model has other layers.
    """
    with drawing(model, step=step, samples=samples):
        passed: list[tuple[nn.Module, Tensor, Tensor | None]] = []
        for layer in model:
            d = None
            before = x
            if isinstance(layer, BinaryStochastic):
                x, d = layer.fire(before)
            elif isinstance(layer, StochasticBits | nn.Flatten):
                x = layer(before)
            else:
                raise EngramError(
                    f"{type(layer).__name__} has no rule without autograd; train with "
                    "loss.backward(), or use stochastic layers and nn.Flatten only"
                )
            passed.append((layer, before, d))
        gradient = (x - _target(x, labels)).double()
        lowest = next((i for i, (_, _, d) in enumerate(passed) if d is not None), len(passed))
        for i in range(len(passed) - 1, lowest - 1, -1):
            layer, before, d = passed[i]
            if not isinstance(layer, BinaryStochastic):
                gradient = gradient.reshape(before.shape)
                continue
            assert d is not None
            errors = layer.errors(gradient, d)
            counts = layer.counts(before, errors)
            for weight, count in zip((layer.weight, layer.bias), counts, strict=True):
                weight.grad = -count.to(weight.dtype)
            if i > lowest:
                gradient = -layer.back(before, errors)
    return x
