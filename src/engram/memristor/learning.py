"""Steps of the weights: with autograd and an optimizer, or without autograd."""

from collections.abc import Callable, Iterable
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engram.errors import EngramError
from engram.memristor.device.device import Device, drawn_scales
from engram.memristor.functional import UNIT, Address, Purpose, carry, on_grid
from engram.memristor.kernel.pulse import move
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
        step: dw, the size of a pulse; rounded to a multiple of 2⁻¹⁶, at least one. Pulses of a
            device have sizes of their own.
        carry: C, the count after which a pulse follows.
        limit: Largest magnitude of a weight.
        many: Whether a counter that holds several carries gives as many pulses; else it gives one
            and loses the rest.
        device: Device of which each weight is a pair: it is their difference, in shares of the
            range, times the limit. A positive pulse sets the first and resets the second. None
            moves numbers.
        seed: Seed of the variation between devices and of the noise of pulses.

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
        device: Device | None = None,
        seed: int = 0,
    ) -> None:
        if not (step > 0 and carry >= 1 and limit > 0):
            raise EngramError(
                f"step={step}, carry={carry}, limit={limit}: give a positive step and limit, and a "
                "carry of at least 1"
            )
        if device is not None:
            device.check()
        self.device, self.seed = device, seed
        name = None if device is None else device.name
        settings = {"step": step, "carry": carry, "limit": limit, "many": many, "device": name}
        super().__init__(parameters, settings)
        self.pulses = 0

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move the weights."""
        loss = None if closure is None else closure()
        for weight, group in self.settings():
            if weight.grad is not None:
                self._move(weight, group)
        return loss

    def settings(self) -> list[tuple[nn.Parameter, dict[str, Any]]]:
        """The weights, each with its group."""
        return [(weight, group) for group in self.param_groups for weight in group["params"]]

    def counters(self, weight: nn.Parameter) -> Tensor:
        """The counters of a weight, whole numbers in float64, in its shape."""
        zero = torch.zeros_like(weight, dtype=torch.float64)
        return self.state[weight].setdefault("counters", zero)

    def _move(self, weight: nn.Parameter, group: dict[str, Any]) -> None:
        """Count, and move a weight where its counters give pulses."""
        held = self.counters(weight)
        assert weight.grad is not None
        pulses, left = carry(held - weight.grad.double(), group["carry"])
        if not group["many"]:
            pulses = pulses.sign()
        held.copy_(left)
        if self.device is None:
            self.pulses += int(pulses.abs().sum())
            size = max(1, round(group["step"] / UNIT)) * UNIT
            moved = weight.double() + pulses * size
            weight.copy_(moved.clamp(-group["limit"], group["limit"]))
            return
        whole = pulses.flatten().long().numpy()
        where = whole.nonzero()[0]
        weight.view(-1)[torch.from_numpy(where)] = self.pulse(weight, where, whole[where])

    def pulse(self, weight: nn.Parameter, where: np.ndarray, pulses: np.ndarray) -> Tensor:
        """Move pairs of devices, and read the weights from them.

        Args:
            weight: A weight of this optimizer, which has a device.
            where: Numbers of the pairs in the flat weight, (moved,), int64.
            pulses: Number of pulses of each, with its sign, (moved,), int64.

        Returns:
            The weights there, (moved,), in the type of the weight.
        """
        assert self.device is not None
        self.pulses += int(np.abs(pulses).sum())
        number, limit = next(
            (i, group["limit"]) for i, (one, group) in enumerate(self.settings()) if one is weight
        )
        state = self.state[weight]
        if "pairs" not in state:
            share = weight.detach().double().flatten() / limit
            state["pairs"] = torch.stack([(1 + share) / 2, (1 - share) / 2])
            generator = np.random.default_rng((self.seed, number))
            state["scales"] = torch.from_numpy(
                drawn_scales(self.device, (2, len(share)), generator)
            )
            state["taken"] = 0
        pairs, scales = state["pairs"], state["scales"].numpy()
        stream = np.uint64(Address(self.seed, number, state["taken"]).stream(Purpose.PULSE))
        state["taken"] += 1
        tables = self.device.rise, self.device.fall
        move(where, pulses, pairs.numpy(), scales, *tables, np.uint64(self.seed), stream)
        there = pairs[:, torch.from_numpy(where)]
        return on_grid((there[0] - there[1]) * limit, limit).to(weight.dtype)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Go on from saved counters and conductances.

        Raises:
            EngramError: If they were saved with another device.
        """
        own = None if self.device is None else self.device.name
        for group in state_dict["param_groups"]:
            if group.get("device") != own:
                raise EngramError(
                    f"the state is of the device {group.get('device')!r}, and this optimizer has "
                    f"{own!r}; give it the device with which the state was saved"
                )
        super().load_state_dict(state_dict)
        # torch casts a state to the type of its weight, which has too few digits
        numbers = [i for group in state_dict["param_groups"] for i in group["params"]]
        for i, (weight, _) in zip(numbers, self.settings(), strict=True):
            for name, value in state_dict["state"].get(i, {}).items():
                self.state[weight][name] = value.clone() if torch.is_tensor(value) else value


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
                gradient = -layer.back(before, errors) * UNIT
    return x
