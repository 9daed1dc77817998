"""Exponential moving average of the weights of a model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.train.shard import like


@final
class Average:
    """Average of the parameters, a ← d·a + (1 − d)·w, with buffers of the model as they are.

    Parameters of modules whose class sets `averaged = False`, such as thresholds of pruning, are
    not averaged either, so that the average has the sparsity of the present threshold. The decay d
    begins small, min(d, (1 + step)/(10 + step)), so that the random first weights do not count. It
    is a `StepHook`.

    Args:
        model: The model.
        decay: d, at least 0 and below 1.

    References:
        Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise EngramError(f"an average with decay {decay}: give one from 0 to below 1")
        self.decay = decay
        self.steps = 0
        kept = {
            id(weight)
            for module in model.modules()
            if getattr(type(module), "averaged", True) is False
            for weight in module.parameters()
        }
        named = model.named_parameters()
        self._live = {name: weight for name, weight in named if id(weight) not in kept}
        self._mean = {name: weight.detach().clone() for name, weight in self._live.items()}

    @torch.no_grad()
    def after_step(self, rates: list[float]) -> None:
        """Move the average towards the weights."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        live = [self._live[name].detach() for name in self._mean]
        means = list(self._mean.values())
        torch._foreach_lerp_(means, live, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context manager in which the model has the averaged weights."""
        own = {name: weight.detach().clone() for name, weight in self._live.items()}
        self._copy(self._mean)
        try:
            yield
        finally:
            self._copy(own)

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of steps."""
        return {"steps": self.steps, "mean": dict(self._mean)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the average."""
        self.steps = state["steps"]
        for name, mean in self._mean.items():
            mean.copy_(like(state["mean"][name], mean))

    @torch.no_grad()
    def _copy(self, weights: Mapping[str, Tensor]) -> None:
        for name, weight in self._live.items():
            weight.copy_(weights[name])
