"""The base of layers along time: modules on `(time, batch, …)` that start from rest."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.carry import Stream, check_causal, here, stream_of, usable
from engram.neuron.check import STATE_DTYPES, described, is_state
from engram.neuron.lengths import mask_steps

_STRIDED = torch.strided


class Temporal(nn.Module, ABC):
    """A layer that works along time.

    `layer(x)` takes a whole sequence `(time, batch, *features)`, starts from rest and discards its
    state at the end. `layer.run(x, state)` takes and returns the state. `stream` makes a network
    keep its state between calls, by steps or chunks.
    """

    state_type: ClassVar[type | None] = None
    """The class of the states that `run` takes and returns; None if there is no state."""
    complex_state: ClassVar[bool] = False
    """Whether that class holds complex numbers."""
    stateful: ClassVar[bool] = True
    """Whether the layer may have a state."""

    @property
    def causal(self) -> bool:
        """Whether a step depends on no later input, so that the layer can be streamed."""
        return True

    @property
    def carry(self) -> bool:
        """Whether a call would continue the state of an earlier one, inside `stream`."""
        return stream_of(self, stateful=self.stateful) is not None

    @property
    def single_step(self) -> bool:
        """Whether a call takes one step, inside `stream(single_step=True)`."""
        stream = stream_of(self, stateful=self.stateful)
        return stream is not None and stream.single_step

    @property
    def state(self) -> Any:
        """The state that the layer carries; None at rest, and outside `stream`.

        Inside `stream` it can be set, to start from another state than rest.

        Raises:
            ValueError: The layer carries several states, being used at several places of the
                network; or a state is set outside `stream`.
        """
        stream = stream_of(self, stateful=self.stateful)
        return None if stream is None else next(iter(self._states(stream)), None)

    @state.setter
    def state(self, value: Any) -> None:
        stream = stream_of(self)
        if stream is None:
            raise EngramError(
                f"{type(self).__name__}.state was set outside stream(), where no call reads it: "
                "set it inside, or use run(x, state)"
            )
        self._states(stream)
        self._check_state(value, False)
        stream.put(self, value)

    def _states(self, stream: Stream) -> list[Any]:
        states = stream.states_of(self)
        if len(states) > 1:
            raise EngramError(
                f"{stream.name_of(self)} carries {len(states)} states, one for each of its uses: "
                "read or set the state of a layer that is used once"
            )
        return states

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Process a sequence, or one step inside `stream(single_step=True)`.

        Args:
            x: Input, `(time, batch, *features)`, floating point; in single steps without time.
            lengths: The steps of each sequence of a batch that is padded at the end, `(batch,)`;
                padded steps then have no effect, are read as zeros and give zeros.

        Returns:
            The output, in the dtype and device of x.

        Raises:
            ValueError: x is not a dense floating-point tensor, has no time axis or no step; the
                lengths do not fit, or were given inside `stream`; or, inside `stream`, the state
                cannot be carried: see there.
        """
        if here.streams:
            if here.folded:
                self._refuse_folded()
            stream = stream_of(self, stateful=self.stateful)
            if stream is not None:
                return self._stream(stream, x, lengths)
        self._check(x)
        if lengths is not None:
            return mask_steps(self._run(mask_steps(x, lengths), None)[0], lengths)
        return self._run(x, None)[0]

    def _stream(self, stream: Stream, x: Tensor, lengths: Tensor | None) -> Tensor:
        """`forward` inside `stream`."""
        single_step = stream.single_step
        if lengths is not None:
            raise EngramError(
                f"{type(self).__name__} got lengths inside stream(): stream each sequence "
                "alone, or call it outside"
            )
        if single_step:
            self._check_tensor(x)
            run = self._step
        else:
            self._check(x)
            run = self._run
        if not self.stateful:
            return run(x, None)[0]
        if not self.causal:
            check_causal(self)
        place = stream.use(self)
        state = place.state()
        if state is None:
            state = self._rest(x.unsqueeze(0) if single_step else x)
        else:
            state = self._fitted(state, x, x.shape if single_step else x.shape[1:])
        y, after = run(x, state)
        stream.keep(place, after)
        return y

    def run(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Process a sequence that follows `state`; return the output and the final state.

        Args:
            x: Input, `(time, batch, *features)`, floating point.
            state: The state an earlier `run` returned; None starts from rest.

        Returns:
            The output in the dtype of x, and the state after the last step.

        Raises:
            ValueError: x is not a dense floating-point tensor, has no time axis or no step; or the
                state is not one of this layer for a batch of this shape.
        """
        self._check(x)
        if state is None:
            return self._run(x, self._rest(x))
        self._check_state(state, x.is_meta)
        return self._run(x, self._fitted(state, x, x.shape[1:]))

    @abstractmethod
    def _run(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """`run` for checked input.

        If the state is None it starts from rest. The state that it then returns may be incomplete
        if there is a `_rest` for cases where it matters.
        """

    def _step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """`_run` for one step, `(batch, *features)`."""
        y, after = self._run(x.unsqueeze(0), state)
        return y.squeeze(0), after

    def _rest(self, x: Tensor) -> Any:
        """The state before the first step, if the layer needs it to return the next state."""
        return None

    def _neurons(self, state: Any) -> torch.Size:
        """The shape of one step of the input that a state belongs to."""
        return state[-1].shape

    def _fitted(self, state: Any, x: Tensor, shape: torch.Size) -> Any:
        """The state, checked against the shape of one step of x, on the device of x."""
        if self.state_type is None:
            return state
        if type(state) is not self.state_type:
            raise EngramError(
                f"{type(self).__name__} got a state of type {type(state).__name__}: pass the "
                f"{self.state_type.__name__} that an earlier run of the layer returned, or None"
            )
        if self._neurons(state) != shape:
            neurons = tuple(self._neurons(state))
            raise EngramError(
                f"{type(self).__name__} carries the state of a batch of shape {neurons} and "
                f"got one of shape {tuple(shape)}: neither batch size nor features may "
                "change while a state is carried; open a new stream(), or run from state None, "
                "for another batch, such as a smaller last one"
            )
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            state = usable(state)
        if not (x.is_cpu and state[0].is_cpu) and state[0].device != x.device:
            state = type(state)(*(v.to(x.device) if v.ndim else v for v in state))
        return state

    def _check_state(self, state: Any, meta: bool) -> None:
        """Raises ValueError where a state that was given holds what no run returns."""
        if type(state) is not self.state_type:
            return  # which `_fitted` refuses, for it knows the right one
        for value in state:
            if not is_state(value, meta=meta, complex_too=self.complex_state):
                raise EngramError(
                    f"{type(self).__name__} got a state that holds {described(value)}: pass the "
                    "state that an earlier run of the layer returned, on the device of the input"
                )

    def _replicate_for_data_parallel(self) -> "Temporal":
        if self.carry:
            raise EngramError(
                f"{type(self).__name__} is replicated by DataParallel inside stream(): a replica "
                "would not carry the state; stream on one device, or with one process a device "
                "(DistributedDataParallel)"
            )
        return super()._replicate_for_data_parallel()

    def _check(self, x: Tensor) -> None:
        if (
            type(x) is Tensor
            and x.dtype in STATE_DTYPES
            and x.layout is _STRIDED
            and not x.is_nested
            and x.ndim
            and x.shape[0]
            and not here.folded
        ):
            return  # as most inputs do, at a third of the cost of the checks one by one
        self._check_tensor(x)
        if x.ndim < 1 or x.shape[0] == 0:
            raise EngramError(
                f"{type(self).__name__} got input of shape {tuple(x.shape)}: the first axis is "
                "time and needs at least one step"
            )
        if here.folded:
            self._refuse_folded()

    def _refuse_folded(self) -> None:
        raise EngramError(
            f"{type(self).__name__} is called inside OverTime, which folds time and batch into "
            "one axis: take it out of OverTime, which is for layers that know no time"
        )

    def _check_tensor(self, x: Tensor) -> None:
        if (
            type(x) is Tensor
            and x.dtype in STATE_DTYPES
            and x.layout is _STRIDED
            and not x.is_nested
        ):
            return
        if not isinstance(x, Tensor):
            raise EngramError(
                f"{type(self).__name__} got a {type(x).__name__}: give it one tensor "
                "(time, batch, *features)"
            )
        if not x.is_floating_point():
            raise EngramError(
                f"{type(self).__name__} got input of dtype {x.dtype}: give it a floating-point "
                "tensor, such as x.float()"
            )
        if x.layout is not torch.strided or x.is_nested:
            raise EngramError(
                f"{type(self).__name__} got input of layout {x.layout}: give it a dense tensor, "
                "such as x.to_dense(), or x.to_padded_tensor(0) with lengths"
            )


class Neuron(Temporal):
    """A layer of spiking neurons: its output is 0 or 1, in the shape of its input current."""

    weight_decay: ClassVar[bool] = False
    """Whether training decays the parameters, by default."""


@final
class OverTime(Temporal):
    """Applies a layer without time, such as a convolution, to all steps at once.

    Args:
        layer: Takes `(batch, *features)`; here it sees time and batch as one batch.

    Raises:
        ValueError: The layer contains one that works along time, which would take the folded axis
            for time; and at the call, input without a batch axis, or a layer that does not return
            one tensor with the batch in front.
    """

    stateful = False

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        if not callable(layer):
            raise EngramError(f"OverTime({layer!r}): give it a module, such as nn.Conv2d(2, 8, 3)")
        if isinstance(layer, nn.Module):
            _check_timeless(layer)
        self.layer = layer

    def _run(self, x: Tensor, state: None) -> tuple[Tensor, None]:
        shape = x.shape
        if len(shape) < 2:
            raise EngramError(
                f"OverTime got a sequence of shape {tuple(x.shape)}, without a batch axis: give it "
                "(time, batch, *features), such as x[:, None]; in single steps (batch, *features)"
            )
        here.folded += 1
        try:
            y = self.layer(x.flatten(0, 1))
        finally:
            here.folded -= 1
        steps, batch = shape[0], shape[1]
        if not isinstance(y, Tensor):
            raise EngramError(
                f"{type(self.layer).__name__} in OverTime returned a {type(y).__name__}: OverTime "
                "is for layers that return one tensor (batch, *features); call a recurrent layer "
                "such as nn.LSTM on the sequence (time, batch, features) itself"
            )
        if y.ndim < 1 or y.shape[0] != steps * batch:
            raise EngramError(
                f"{type(self.layer).__name__} in OverTime made {tuple(y.shape)} of a batch of "
                f"{steps * batch}, which is {steps} steps of {batch} samples: the layer must keep "
                "the batch axis in front"
            )
        return torch.unflatten(y, 0, (steps, batch)), None


def _check_timeless(layer: nn.Module) -> None:
    for name, module in layer.named_modules():
        if isinstance(module, Temporal):
            raise EngramError(
                f"OverTime got a {type(module).__name__} at {name or 'the top'!r}, which works "
                "along time and would take time and batch, folded into one axis, for time: put it "
                "beside OverTime, as in nn.Sequential(OverTime(conv), LIF())"
            )


@contextmanager
def stream(net: nn.Module, *, single_step: bool = False) -> Iterator[None]:
    """Context in which the layers of `net` keep their state between calls, starting from rest.

    The states belong to this `with` block and to the thread that opened it: calls from other
    threads and of copies of the network start from rest, an inner `stream` of the same layers has
    its own states, and a call that raises changes none. A layer that the network uses several
    times in a call has a state for each use. The gradient flows through the carried state; call
    `detach_state` between chunks to truncate it.

    Args:
        net: A network, or a layer.
        single_step: Calls pass one step `(batch, *features)` instead of a chunk
            `(time, batch, *features)`.

    Raises:
        ValueError: A layer of the network reads the whole sequence and cannot be streamed; and at
            a call, a batch of another shape, a layer that is not used as often as before, one that
            is under activation checkpointing or a transform that the stream is not under, or that
            a suspended generator or coroutine streams.
    """
    opened = Stream(net, Temporal, single_step=single_step)
    try:
        opened.open()
        yield
    finally:
        opened.close()


def detach_state(net: nn.Module) -> None:
    """Detach the states of the layers of `net`, for truncated backpropagation."""
    layers = {id(module) for module in net.modules() if isinstance(module, Temporal)}
    for opened in here.streams:
        if not opened.suspended:
            opened.detach(layers)
