"""What every layer along time is: a module on `(time, batch, …)` that starts fresh at each call."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

from torch import Tensor, nn

from engram.neuron.lengths import mask_steps


class Temporal(nn.Module, ABC):
    """A layer that works along time.

    `layer(x)` takes a whole sequence `(time, batch, *features)`, starts from rest and forgets at
    the end. `layer.run(x, state)` takes and returns the state. `stream` makes a network carry its
    state from call to call, a step or a chunk at a time.
    """

    single_step = False
    carry = False
    state: Any = None

    @property
    def causal(self) -> bool:
        """Whether a step depends on no later input, so that the layer can be streamed."""
        return True

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What the layer makes of a sequence, or of one step inside `stream(single_step=True)`.

        Args:
            x: Input, `(time, batch, *features)`, floating point; in single steps without time.
            lengths: The steps of each sequence of a batch that is padded at the end, `(batch,)`;
                padded steps then change nothing, read as zeros and give zeros.

        Returns:
            The output, in the dtype and device of x.

        Raises:
            ValueError: x is not floating point, has no time axis or no step; the lengths do not
                fit, or were given inside `stream`.
        """
        if lengths is not None:
            if self.carry:
                raise ValueError(
                    f"{type(self).__name__} got lengths inside stream(): stream each sequence "
                    "alone, or call it outside"
                )
            return mask_steps(self.run(mask_steps(x, lengths))[0], lengths)
        y, state = self.run(x.unsqueeze(0) if self.single_step else x, self.state)
        if self.carry:
            self.state = state
        return y.squeeze(0) if self.single_step else y

    def run(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """What the layer makes of a sequence that follows `state`, and the state after it.

        Args:
            x: Input, `(time, batch, *features)`, floating point.
            state: The state an earlier `run` returned; None starts from rest.

        Returns:
            The output in the dtype of x, and the state after the last step.

        Raises:
            ValueError: x is not floating point, has no time axis or no step.
        """
        if not x.is_floating_point():
            raise ValueError(
                f"{type(self).__name__} got input of dtype {x.dtype}: give it a floating-point "
                "tensor, such as x.float()"
            )
        if x.ndim < 1 or x.shape[0] == 0:
            raise ValueError(
                f"{type(self).__name__} got input of shape {tuple(x.shape)}: the first axis is "
                "time and needs at least one step"
            )
        return self._run(x, state)

    @abstractmethod
    def _run(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """What `run` does once its input is known to be sound."""

    def __getstate__(self) -> dict[str, Any]:
        """A copy keeps the carried state's values but not the graph that led to them."""
        return self.__dict__ | {"state": _detached(self.state)}


class Neuron(Temporal):
    """A layer of spiking neurons: its output is 0 or 1, in the shape of its input current."""


@final
class OverTime(Temporal):
    """Applies a layer that knows no time, such as a convolution, to every step at once.

    Args:
        layer: Takes `(batch, *features)`; here it sees time and batch as one batch.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def _run(self, x: Tensor, state: None) -> tuple[Tensor, None]:
        return self.layer(x.flatten(0, 1)).unflatten(0, x.shape[:2]), None


def _detached(state: Any) -> Any:
    if state is None:
        return None
    return type(state)(*(v.detach() if isinstance(v, Tensor) else v for v in state))


@contextmanager
def stream(net: nn.Module, *, single_step: bool = False) -> Iterator[None]:
    """Inside, the layers of `net` carry their state from call to call, starting from rest.

    The gradient flows through the carried state; call `detach_state` between chunks to truncate it.

    Args:
        net: A network, or a layer.
        single_step: Calls pass one step `(batch, *features)` instead of a chunk
            `(time, batch, *features)`.

    Raises:
        ValueError: A layer of the network reads the whole sequence and cannot be streamed.
    """
    layers = {name: module for name, module in net.named_modules() if isinstance(module, Temporal)}
    for name, layer in layers.items():
        if not layer.causal:
            raise ValueError(
                f"{type(layer).__name__} at {name or 'the top'!r} reads later inputs and cannot "
                "be streamed: use a MaskedPSN with lam = 1 or a SlidingPSN there"
            )
    before = [(layer, layer.single_step, layer.carry) for layer in layers.values()]
    for layer in layers.values():
        layer.single_step, layer.carry, layer.state = single_step, True, None
    try:
        yield
    finally:
        for layer, was_single_step, was_carry in before:
            layer.single_step, layer.carry, layer.state = was_single_step, was_carry, None


def detach_state(net: nn.Module) -> None:
    """Cuts the gradient at the state that the layers of `net` carry: truncated backpropagation."""
    for module in net.modules():
        if isinstance(module, Temporal):
            module.state = _detached(module.state)
