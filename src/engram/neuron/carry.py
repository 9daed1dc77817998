"""The states of a network between calls inside `stream`, stored outside its modules.

The states belong to the stream, one for each place at which a layer is used. Copies of a network,
other threads, and calls outside the `with` block therefore never access them.
"""

import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any, final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.surroundings import check_situation, situation, suspendable_frame, usual

Path = tuple[int, ...]
"""Ids of the modules whose calls led to a layer, outermost first, and of the layer."""
Use = tuple[Path, int]
"""A place where a layer is used, and its number of earlier uses there in the same call."""


class _Thread(threading.local):
    """State of a thread: its open streams, and the depth of `OverTime` calls."""

    def __init__(self) -> None:
        self.streams: tuple[Stream, ...] = ()
        self.folded = 0


here = _Thread()


@final
class Stream:
    """The states of the layers of one network, and the call in progress.

    A layer that is used at several places of the network, or several times at one place, has a
    state for each use. A call that raises leaves all states as they were.

    Args:
        net: A network, or a layer.
        kind: The class of the layers with state.
        single_step: Whether calls pass one step instead of a chunk.
    """

    def __init__(self, net: nn.Module, kind: type[nn.Module], *, single_step: bool) -> None:
        self.net = net
        self.kind = kind
        self.single_step = single_step
        self.states: dict[Use, Any] = {}
        self.owner = suspendable_frame()
        self.layers: dict[int, nn.Module] = {}
        self.containers: dict[int, nn.Module] = {}
        self._situation = situation()
        self._usual = usual()
        self._handled: BaseException | None = None
        self._path: Path = ()
        self._places: dict[Path, Path] = {}
        self._uses: dict[Path, int] = {}  # of each place, in every call
        self._used: dict[Path, int] = {}  # so far, in the call in progress
        self._pending: dict[Use, Any] = {}
        self.strangers: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    def open(self) -> None:
        """Make this the innermost stream of the thread."""
        self.admit()
        here.streams = (*here.streams, self)

    def close(self) -> None:
        """End the stream; streams may end in any order."""
        here.streams = tuple(stream for stream in here.streams if stream is not self)
        for container in self.containers.values():
            _unwatch(container)
        # if another thread closes it, the thread that opened it still lists it
        self.owner = self._handled = None
        for held in (self.layers, self.containers, self.states, self._pending):
            held.clear()

    def admit(self) -> None:
        """Register the layers of the network, including those added since the stream was opened."""
        parents: dict[int, list[nn.Module]] = {}
        new: list[nn.Module] = []
        for name, module in self.net.named_modules():
            for child in module.children():
                parents.setdefault(id(child), []).append(module)
            if isinstance(module, self.kind) and id(module) not in self.layers:
                check_causal(module, name)
                new.append(module)
        for layer in new:
            self.layers[id(layer)] = layer
        while new:
            for container in parents.get(id(new.pop()), []):
                if id(container) not in self.containers:
                    self.containers[id(container)] = container
                    _watch(container)
                    new.append(container)

    @property
    def calling(self) -> bool:
        """Whether a call of the network, or of a part of it, is in progress."""
        return bool(self._path)

    @property
    def suspended(self) -> bool:
        """Whether the `with` block is in a generator or coroutine that is not running."""
        return self.owner is not None and self.owner.f_back is None

    def enter(self, module: nn.Module) -> None:
        """Record that a part of the network is called."""
        if not self._path:
            self._used, self._pending = {}, {}
            if torch.compiler.is_compiling():
                _check_not_exported(module)  # torch would not report that the call raised
            else:
                self._handled = sys.exc_info()[1]
        self._path = (*self._path, id(module))

    def leave(self, module: nn.Module, *, returned: bool) -> None:
        """Record the end of the call, and keep the new states if the whole call succeeded."""
        if self._path and self._path[-1] == id(module):
            self._path = self._path[:-1]
            if not self._path and returned:
                self._commit()
            elif not self._path:
                self._pending = {}

    def raised(self) -> bool:
        """Whether an exception is being handled that was not when the call began."""
        return sys.exc_info()[1] is not self._handled

    def use(self, layer: nn.Module) -> Use:
        """Return which use of a layer its current call is."""
        if not self._path:
            self._used, self._pending = {}, {}
        path = (*self._path, id(layer))
        place = self._places.get(path)
        if place is None:
            place = self._place(path, layer)
        before = self._used.get(place, 0)
        if before >= self._uses.get(place, before + 1):
            self._refuse_uses(place, "more")
        self._used[place] = before + 1
        return place, before

    def state(self, use: Use) -> Any:
        """Return the initial state of this use; None is the rest state."""
        return self.states.get(use)

    def keep(self, use: Use, state: Any) -> None:
        """Record the state after this use of a layer; valid if the whole call succeeds."""
        if not torch.compiler.is_compiling() and not (usual() and self._usual):
            check_situation(self._situation)
        self._pending[use] = state
        if not self._path:
            self._commit()

    def states_of(self, layer: nn.Module) -> dict[Use, Any]:
        """Return the states of a layer at all its uses, as left by the call in progress."""
        both = self.states | self._pending
        return {use: state for use, state in both.items() if use[0][-1] == id(layer)}

    def put(self, layer: nn.Module, state: Any) -> None:
        """Replace the state of a layer that has one use."""
        uses = list(self.states_of(layer)) or [((id(layer),), 0)]
        place = uses[0][0]
        self._places.setdefault(place, place)
        self.states[uses[0]] = state
        self._pending.pop(uses[0], None)

    def detach(self, layers: set[int]) -> None:
        """Detach the states of these layers, by id, from the graph."""
        for states in (self.states, self._pending):
            for use, state in states.items():
                if use[0][-1] in layers:
                    states[use] = detached(state)

    def name_of(self, layer: nn.Module) -> str:
        """Name of a layer in errors."""
        names = [name for name, module in self.net.named_modules() if module is layer]
        return f"{type(layer).__name__} at {names[0] if names and names[0] else 'the top'!r}"

    def _commit(self) -> None:
        for place, used in self._used.items():
            if self._uses.setdefault(place, used) != used:
                self._refuse_uses(place, str(used))
        self.states.update(self._pending)
        self._pending = {}

    def _place(self, path: Path, layer: nn.Module) -> Path:
        """The place of a path; paths that start further out or in lead to the same place."""
        same = {
            place
            for known, place in self._places.items()
            if known[-len(path) :] == path or path[-len(known) :] == known
        }
        if len(same) > 1:
            raise EngramError(
                f"{self.name_of(layer)} is used at {len(same)} places of the network and carries a "
                "state at each: inside stream() call the network itself, not the part that several "
                "of these places share"
            )
        place = same.pop() if same else path
        self._places[path] = place
        return place

    def _refuse_uses(self, place: Path, used: str) -> None:
        raise EngramError(
            f"{self.name_of(self.layers[place[-1]])} was used {self._uses[place]} times in an "
            f"earlier call and {used} in this one; which state belongs to which use is not known: "
            "inside stream() use a layer equally often in every call, and call the network the "
            "same way each time, or give each use a layer of its own"
        )


def stream_of(layer: nn.Module, *, stateful: bool = True) -> Stream | None:
    """The innermost stream of this thread that the layer belongs to.

    Args:
        layer: A layer that may carry state.
        stateful: Whether it has a state; a layer without state only needs to be called from the
            network.

    Raises:
        ValueError: The stream is in a suspended generator or coroutine, or it is unknown whether
            the layer should keep its state.
    """
    streams = here.streams
    if len(streams) == 1 and id(layer) in streams[0].layers and streams[0].owner is None:
        if torch.compiler.is_compiling():
            _check_not_exported(layer)
        return streams[0]
    suspended = None
    for stream in reversed(streams):
        if id(layer) not in stream.layers and not _joins(layer, stream, stateful):
            continue
        if torch.compiler.is_compiling():
            _check_compiled(layer, stream)
        elif stream.suspended:
            suspended = stream
            continue
        if len(streams) > 1:
            _check_nesting(layer, stream)
        return stream
    if suspended is not None and suspended.owner is not None:
        name = suspended.owner.f_code.co_qualname
        raise EngramError(
            f"{suspended.name_of(layer)} is streamed by {name}(), which is suspended: "
            "whether this call continues that stream is not known; finish or close() it first, "
            "call a copy.deepcopy of the network, or make it a contextlib.contextmanager if the "
            "stream is meant for its caller"
        )
    return None


def _joins(layer: nn.Module, stream: Stream, stateful: bool) -> bool:
    """Whether a layer that is new to the stream belongs to it."""
    if not stateful or torch.compiler.is_compiling():
        return stream.calling
    if not stream.calling and layer in stream.strangers:
        return False
    stream.admit()
    if id(layer) in stream.layers:
        return True
    if stream.calling:
        raise EngramError(
            f"{type(layer).__name__} is called by {type(stream.net).__name__} inside stream() but "
            "is not one of its submodules; whether it should carry its state is not known: make "
            "it an attribute of the module that calls it, or keep several in an nn.ModuleList"
        )
    stream.strangers.add(layer)
    return False


def _check_compiled(layer: nn.Module, stream: Stream) -> None:
    """Raise ValueError if a graph of this call would be wrong for the next call."""
    _check_not_exported(layer)
    if stream.owner is not None:
        raise EngramError(
            "a compiled network cannot tell whether the generator or coroutine that streams it is "
            "suspended: open stream() in an ordinary function, or call the network uncompiled"
        )


def _check_not_exported(module: nn.Module) -> None:
    if torch.compiler.is_exporting():
        raise EngramError(
            f"{type(module).__name__} is exported inside stream(), which would freeze the state of "
            "this moment: export outside, or export a module that calls layer.run(x, state)"
        )


def _check_nesting(layer: nn.Module, stream: Stream) -> None:
    """Raise ValueError if the call began in a stream with another setting of single_step."""
    for outer in here.streams:
        if outer is stream:
            return
        began = outer._path and outer._path[0] not in stream.containers
        if began and outer.single_step != stream.single_step:
            raise EngramError(
                f"{stream.name_of(layer)} is called by a network that is streamed with "
                f"single_step={outer.single_step}, inside its own "
                f"stream(single_step={stream.single_step}): open both with the same setting, or "
                f"call the layer directly"
            )


def check_causal(layer: Any, name: str = "") -> None:
    """Raise ValueError unless the layer can be streamed."""
    if not layer.causal:
        raise EngramError(
            f"{type(layer).__name__} at {name or 'the top'!r} reads later inputs and cannot "
            "be streamed: use a MaskedPSN with lam = 1 or a SlidingPSN there"
        )


def detached(state: Any) -> Any:
    """Return the state without its autograd graph."""
    return _mapped(state, lambda v: v.detach())


def usable(state: Any) -> Any:
    """Return the state in a form usable in training, even if made in inference mode."""
    if not state[0].is_inference() or torch.is_inference_mode_enabled():
        return state
    return _mapped(state, lambda v: v.clone() if v.is_inference() else v)


def _mapped(state: Any, change: Any) -> Any:
    if not isinstance(state, tuple):
        return state
    values: Iterator[Any] = (change(v) if isinstance(v, Tensor) else v for v in state)
    return type(state)(*values)


_watched: "weakref.WeakKeyDictionary[nn.Module, int]" = weakref.WeakKeyDictionary()
"""Number of streams of any thread that follow the calls of a module."""
_lock = threading.Lock()
_KEY: Any = "engram.stream"
"""Key of our hooks in a module. Handles of torch have a new number each time, which would
recompile a compiled network for each stream."""


def _watch(container: nn.Module) -> None:
    """Report the calls of a module to the streams that contain it."""
    with _lock:
        _watched[container] = _watched.get(container, 0) + 1
        container._forward_pre_hooks[_KEY] = _enter
        container._forward_hooks[_KEY] = _leave
        container._forward_hooks_always_called[_KEY] = True


def _unwatch(container: nn.Module) -> None:
    with _lock:
        _watched[container] -= 1
        if not _watched[container]:
            del _watched[container]
            _drop_hooks(container)


def _drop_hooks(module: nn.Module) -> None:
    for hooks in (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._forward_hooks_always_called,
    ):
        hooks.pop(_KEY, None)


def _enter(module: nn.Module, inputs: Any) -> None:
    contained = False
    for stream in here.streams:
        if id(module) in stream.containers:
            stream.enter(module)
            contained = True
    if not contained and not torch.compiler.is_compiling() and module not in _watched:
        _drop_hooks(module)  # of a copy of a module that was streamed when it was copied


def _leave(module: nn.Module, inputs: Any, output: Any) -> None:
    for stream in here.streams:
        if id(module) in stream.containers:
            # torch calls this hook with None for the output of a call that raised
            failed = output is None and not torch.compiler.is_compiling() and stream.raised()
            stream.leave(module, returned=not failed)
