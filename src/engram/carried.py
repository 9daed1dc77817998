"""State that the modules of a network keep between calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from engram.layout import Call, tensors_in


class Memory:
    """Snapshot of the state that modules keep between calls: buffers and plain attributes.

    Args:
        model: The network.
    """

    def __init__(self, model: nn.Module) -> None:
        self._kept = [(module, _memory_of(module)) for module in model.modules()]

    def restore(self) -> None:
        """Restore the state of the modules."""
        for module, memory in self._kept:
            for name, value in memory.items():
                if name in ("_buffers", "_memories"):
                    held = module.__dict__[name]
                    held.clear()
                    held.update(value)
                else:
                    module.__dict__[name] = value


def _memory_of(module: nn.Module) -> dict[str, Any]:
    own = vars(module)
    kept = {name: value for name, value in own.items() if not name.startswith("_")}
    held = {
        name: dict(own[name])
        for name in ("_buffers", "_memories")
        if isinstance(own.get(name), dict)
    }
    return kept | held


def reset_memories(model: nn.Module) -> None:
    """Reset modules that keep state by SpikingJelly's protocol, like its `reset_net`."""
    for module in model.modules():
        if isinstance(getattr(module, "_memories", None), dict) and callable(
            getattr(module, "reset", None)
        ):
            module.reset()  # pyright: ignore[reportCallIssue]


@contextmanager
def repeatable(model: nn.Module, start: Memory) -> Iterator[Call]:
    """Context that yields a function running a model from state `start`; restores its state."""
    after = Memory(model)

    def call(batch: Any) -> list[Tensor]:
        start.restore()
        return tensors_in(model(batch))

    try:
        yield call
    finally:
        after.restore()
