"""The contract of what follows the optimizer: pruning, averages, schedules."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle


class StepHook(Protocol):
    """Called once after each step of an optimizer, with a state that checkpoints hold.

    It is not called for a batch that is only accumulated, nor where a gradient scaler leaves a
    step out.
    """

    def after_step(self, rates: list[float]) -> None:
        """Follow a step.

        Args:
            rates: The learning rate that the step used, for each group of parameters.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """The state, of tensors, numbers, text, lists and dicts."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state."""
        ...


def attach(hook: StepHook, optimizer: Optimizer) -> RemovableHandle:
    """Call a hook after each step of an optimizer, in any training loop.

    Args:
        hook: The hook; if it has a method `bind`, that is called with the optimizer first.
        optimizer: One of torch's optimizers.

    Returns:
        A handle, whose `remove` ends the calls.
    """
    if bind := getattr(hook, "bind", None):
        bind(optimizer)

    def follow(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        hook.after_step([float(group["lr"]) for group in optimizer.param_groups])

    return optimizer.register_step_post_hook(follow)
