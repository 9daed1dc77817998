"""What every spiking neuron is: a module on `(time, batch, …)`, fresh at each call unless asked."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class Neuron(nn.Module, ABC):
    """A layer of spiking neurons.

    `neuron(x)` takes a whole sequence `(time, batch, *features)`, starts from rest and forgets at
    the end. `neuron.run(x, state)` takes and returns the state. `stream` makes a network carry its
    state from call to call, a step or a chunk at a time.
    """

    single_step = False
    carry = False
    state: Any = None

    @property
    def causal(self) -> bool:
        """Whether a step depends on no later input, so that the neuron can be streamed."""
        return True

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of a sequence; of one step `(batch, *features)` inside `stream(single_step=True)`.

        Args:
            x: Input current, `(time, batch, *features)`, floating point.

        Returns:
            Spikes (0 or 1) in the shape, dtype and device of x.

        Raises:
            ValueError: x is not floating point, has no time axis or no step.
        """
        spikes, state = self.run(x.unsqueeze(0) if self.single_step else x, self.state)
        if self.carry:
            self.state = state
        return spikes.squeeze(0) if self.single_step else spikes

    def run(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Spikes of a sequence that follows `state`, and the state after it.

        Args:
            x: Input current, `(time, batch, *features)`, floating point.
            state: The state an earlier `run` returned; None starts from rest.

        Returns:
            Spikes in the shape and dtype of x, and the state after the last step.

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


def _detached(state: Any) -> Any:
    if state is None:
        return None
    return type(state)(*(v.detach() if isinstance(v, Tensor) else v for v in state))


@contextmanager
def stream(net: nn.Module, *, single_step: bool = False) -> Iterator[None]:
    """Inside, the neurons of `net` carry their state from call to call, starting from rest.

    The gradient flows through the carried state; call `detach_state` between chunks to truncate it.

    Args:
        net: A network, or a neuron.
        single_step: Calls pass one step `(batch, *features)` instead of a chunk
            `(time, batch, *features)`.

    Raises:
        ValueError: A neuron of the network reads the whole sequence and cannot be streamed.
    """
    neurons = {name: module for name, module in net.named_modules() if isinstance(module, Neuron)}
    for name, neuron in neurons.items():
        if not neuron.causal:
            raise ValueError(
                f"{type(neuron).__name__} at {name or 'the top'!r} reads later inputs and cannot "
                "be streamed: use a MaskedPSN with lam = 1 or a SlidingPSN there"
            )
    before = [(neuron, neuron.single_step, neuron.carry) for neuron in neurons.values()]
    for neuron in neurons.values():
        neuron.single_step, neuron.carry, neuron.state = single_step, True, None
    try:
        yield
    finally:
        for neuron, was_single_step, was_carry in before:
            neuron.single_step, neuron.carry, neuron.state = was_single_step, was_carry, None


def detach_state(net: nn.Module) -> None:
    """Cuts the gradient at the state that the neurons of `net` carry: truncated backpropagation."""
    for module in net.modules():
        if isinstance(module, Neuron):
            module.state = _detached(module.state)
