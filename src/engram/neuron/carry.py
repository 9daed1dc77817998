"""The states of a network between calls inside `stream`, stored outside its modules.

The states belong to the stream, one for each place at which a layer is used. Copies of a network,
other threads, and calls outside the `with` block therefore never access them.
"""

import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.surroundings import check_situation, situation, suspendable_frame, usual

Path = tuple[int, ...]
"""Ids of the modules whose calls led to a layer, outermost first, and of the layer."""


class _Thread(threading.local):
    """State of a thread: its open streams, and the depth of `OverTime` calls."""

    def __init__(self) -> None:
        self.streams: tuple[Stream, ...] = ()
        self.folded = 0


here = _Thread()


@final
class Place:
    """A place of the network where a layer is used, with a state for each use in a call.

    Attributes:
        path: How calls of the network reach the layer.
        states: The states that the last call left, in the order of the uses.
        pending: Those of the call in progress, valid if the whole call succeeds.
        uses: Number of uses in every call; 0 before the first call.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states: list[Any] = []
        self.pending: list[Any] = []
        self.uses = 0

    def state(self) -> Any:
        """Return the initial state of the next use; None is the rest state."""
        use = len(self.pending)
        return self.states[use] if use < len(self.states) else None


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
        self.owner = suspendable_frame()
        self.layers: dict[int, nn.Module] = {}
        self.containers: dict[int, nn.Module] = {}
        self.strangers: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._situation = situation()
        self._usual = usual()
        self._path: Path = ()
        self._places: dict[Path, Place] = {}  # several paths may lead to one place
        self._used: list[Place] = []  # in the call in progress

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
        self.owner = None
        for held in (self.layers, self.containers, self._places, self._used):
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

    def follow(self, module: nn.Module, call: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a part of the network; keep the new states if the outermost call succeeds."""
        outer = self._path
        if not outer:
            self._discard()
            if torch.compiler.is_compiling():
                _check_not_exported(module)
        self._path = (*outer, id(module))
        try:
            result = call(*args, **kwargs)
        except BaseException:
            self._path = outer
            if not outer:
                self._discard()
            raise
        self._path = outer
        if not outer:
            self._commit()
        return result

    def use(self, layer: nn.Module) -> Place:
        """Return the place where a layer is being used."""
        if not self._path:
            self._discard()
            self._check_followed()
        path = (*self._path, id(layer))
        place = self._places.get(path)
        if place is None:
            place = self._place(path, layer)
        if place.uses and len(place.pending) >= place.uses:
            self._refuse_uses(place, "more")
        return place

    def keep(self, place: Place, state: Any) -> None:
        """Record the state after a use of a layer; valid if the whole call succeeds."""
        if not (torch.compiler.is_compiling() or (self._usual and usual())):
            check_situation(self._situation)
        if not place.pending:
            self._used.append(place)
        place.pending.append(state)
        if not self._path:
            self._commit()

    def states_of(self, layer: nn.Module) -> list[Any]:
        """Return the states of a layer at all its uses, as left by the call in progress."""
        return [
            state
            for place in self._places_of(layer)
            for state in place.pending + place.states[len(place.pending) :]
        ]

    def put(self, layer: nn.Module, state: Any) -> None:
        """Replace the state of a layer that has one use."""
        places = [place for place in self._places_of(layer) if place.states or place.pending]
        place = places[0] if places else self._place((id(layer),), layer)
        place.states = [state]
        place.pending.clear()

    def detach(self, layers: set[int]) -> None:
        """Detach the states of these layers, by id, from the graph."""
        for place in self._places.values():
            if place.path[-1] in layers:
                place.states = list(map(detached, place.states))
                place.pending = list(map(detached, place.pending))

    def name_of(self, layer: nn.Module) -> str:
        """Name of a layer in errors."""
        names = [name for name, module in self.net.named_modules() if module is layer]
        return f"{type(layer).__name__} at {names[0] if names and names[0] else 'the top'!r}"

    def _commit(self) -> None:
        for place in self._used:
            if place.uses not in (0, len(place.pending)):
                self._refuse_uses(place, str(len(place.pending)))
        for place in self._used:
            place.states, place.pending = place.pending, []
            place.uses = len(place.states)
        self._used = []

    def _check_followed(self) -> None:
        """Raise ValueError if calls of a container are no longer reported."""
        for container in self.containers.values():
            if not _is_followed(container):
                raise EngramError(
                    f"{type(container).__name__}.compile() was called inside stream(), which then "
                    "cannot tell which calls of its layers belong together: compile before stream()"
                )

    def _discard(self) -> None:
        for place in self._used:
            place.pending = []
        self._used = []

    def _places_of(self, layer: nn.Module) -> list[Place]:
        places = dict.fromkeys(self._places.values())
        return [place for place in places if place.path[-1] == id(layer)]

    def _place(self, path: Path, layer: nn.Module) -> Place:
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
        place = same.pop() if same else Place(path)
        self._places[path] = place
        return place

    def _refuse_uses(self, place: Place, used: str) -> None:
        raise EngramError(
            f"{self.name_of(self.layers[place.path[-1]])} was used {place.uses} times in an "
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


_watched: "weakref.WeakKeyDictionary[nn.Module, tuple[int, Any]]" = weakref.WeakKeyDictionary()
"""Number of streams of any thread that follow the calls of a module, and its own compiled call."""
_lock = threading.Lock()
_KEY: Any = "engram.stream"


def _watch(container: nn.Module) -> None:
    """Report the calls of a module to the streams that contain it.

    `_follow` stands where `nn.Module.compile` keeps a compiled call, which torch leaves out of
    copies; hooks would take longer than a small layer. A compiler skips that place in modules
    without hooks, and so finds the name of one.
    """
    with _lock:
        count, call = _watched.get(container, (0, container._compiled_call_impl))
        _watched[container] = count + 1, call
        container._forward_hooks_with_kwargs[_KEY] = True
        follow = partial(_follow, container, call or container._call_impl)
        container.__dict__["_compiled_call_impl"] = follow


def _unwatch(container: nn.Module) -> None:
    with _lock:
        count, call = _watched.pop(container)
        if count > 1:
            _watched[container] = count - 1, call
            return
        container._forward_hooks_with_kwargs.pop(_KEY, None)
        if _is_followed(container):
            del container.__dict__["_compiled_call_impl"]
            if call is not None:
                container._compiled_call_impl = call


def _is_followed(container: nn.Module) -> bool:
    call = container._compiled_call_impl
    return isinstance(call, partial) and call.func is _follow


def _follow(module: nn.Module, call: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call a module, and report it to the streams that contain it."""
    streams = here.streams
    if len(streams) == 1 and id(module) in streams[0].containers:
        return streams[0].follow(module, call, *args, **kwargs)
    for stream in streams:
        if id(module) in stream.containers:
            call = partial(stream.follow, module, call)
    return call(*args, **kwargs)
