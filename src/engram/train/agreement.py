"""Where two trainings of a spiking network begin to differ."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.train.distributed import ALONE, Processes
from engram.train.recompute import computing_again


class FirstDifference(NamedTuple):
    """The first spikes that differ between two trainings.

    Attributes:
        step: Step of the optimizer, from 1.
        layer: Name of the first layer with another spike.
        differing: Number of spikes of that layer that differ.
        of: Number of outputs of that layer in the step.
    """

    step: int
    layer: str
    differing: int
    of: int


@final
class SpikeLog:
    """Keeps the spikes of each step of a training, of all processes, in `steps`.

    A spiking network is chaotic in float32: two orders of a sum differ by rounding, and once a
    potential lies on the other side of its threshold, all that follows differs. Before that, two
    trainings have equal spikes. It is a `StepHook`.

    Args:
        model: The model.
        kind: Class of the layers whose outputs are spikes, `(time, batch, *features)`.
        together: The processes that train the model.
    """

    def __init__(
        self, model: nn.Module, kind: type[nn.Module], together: Processes = ALONE
    ) -> None:
        self.together, self.steps = together, []
        self._now: dict[str, list[Tensor]] = {}
        for name, module in model.named_modules():
            if isinstance(module, kind):
                module.register_forward_hook(self._hook(name))

    def after_step(self, rates: list[float]) -> None:
        """Keep the spikes of a step."""
        parts = self.together.gather(self._now)
        self.steps.append(
            {
                name: [torch.cat(calls, 1) for calls in zip(*(p[name] for p in parts), strict=True)]
                for name in parts[0]
            }
        )
        self._now = {}

    def state_dict(self) -> dict[str, Any]:
        """Nothing: what was kept belongs to this process."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore nothing."""

    def _hook(self, name: str) -> Any:
        def keep(module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if module.training and not computing_again():
                self._now.setdefault(name, []).append(output.detach() != 0)

        return keep


def first_difference(
    ours: Sequence[Mapping[str, Sequence[Tensor]]], theirs: Sequence[Mapping[str, Sequence[Tensor]]]
) -> FirstDifference | None:
    """Find the first step in which a spike differs; None if all are equal.

    Args:
        ours: `SpikeLog.steps` of a training: for each step, the spikes by layer and call.
        theirs: The same of another one.

    Raises:
        ValueError: If they have other numbers of steps, other layers or other shapes.
    """
    if len(ours) != len(theirs):
        raise EngramError(f"{len(ours)} and {len(theirs)} steps: compare equal numbers of steps")
    for step, (one, two) in enumerate(zip(ours, theirs, strict=True), start=1):
        if list(one) != list(two):
            raise EngramError(f"step {step} has the layers {list(one)} and {list(two)}")
        for layer in one:
            shapes = [[tuple(x.shape) for x in steps[layer]] for steps in (one, two)]
            if shapes[0] != shapes[1]:
                raise EngramError(f"{layer} has the shapes {shapes[0]} and {shapes[1]}")
            pairs = list(zip(one[layer], two[layer], strict=True))
            if differing := sum(int((x != y).sum()) for x, y in pairs):
                return FirstDifference(step, layer, differing, sum(x.numel() for x, _ in pairs))
    return None
