"""From any network to its wiring, and the wiring without what only training needs."""

import operator
from typing import NamedTuple

import torch
from torch import fx, nn
from torch.fx.proxy import TraceError
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

from engram.errors import EngramError
from engram.neuron.convolution import Conv2d
from engram.neuron.interchange.graph import (
    INPUT,
    OUTPUT,
    WiredLayers,
    Wiring,
    free_name,
    in_order,
    located,
)
from engram.neuron.interchange.scale import Scale
from engram.neuron.module import OverTime, Temporal

ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")


class Signal(NamedTuple):
    """A value inside a network: the sum of these layers, with time folded into batch or not."""

    sources: tuple[str, ...]
    folded: bool


class LayerTracer(fx.Tracer):
    """Records calls of layers, and never looks into one that works along time."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether the module is recorded as one call."""
        leaf = Temporal | WiredLayers | Scale | Conv2d
        return isinstance(m, leaf) or super().is_leaf_module(m, module_qualified_name)


def trace(net: nn.Module) -> Wiring:
    """The layers that the network's `forward` calls, and the sums between them.

    Raises:
        ValueError: It does something else, which is named.
    """
    wiring = Wiring({}, {}, set())
    wiring.sources[OUTPUT] = _enter("", net, Signal((INPUT,), folded=False), wiring).sources
    return wiring


def _enter(name: str, layer: nn.Module, signal: Signal, wiring: Wiring) -> Signal:
    """What the layer makes of the signal, with the layer, or those within it, added to the wiring.

    The name is that of the module within the network.
    """
    match layer:
        case OverTime():
            inside = _enter(name, layer.layer, Signal(signal.sources, folded=True), wiring)
            return Signal(inside.sources, signal.folded)
        case WiredLayers():
            return _enter_graph(name, layer, signal, wiring)
    if not LayerTracer().is_leaf_module(layer, name):
        return _enter_forward(name, layer, signal, wiring)
    name = free_name(name or type(layer).__name__.lower(), wiring.layers)
    with located(name, layer):
        wiring.layers[name] = _per_step(layer, signal)
    wiring.sources[name] = signal.sources
    return Signal((name,), signal.folded)


def _enter_graph(name: str, graph: WiredLayers, signal: Signal, wiring: Wiring) -> Signal:
    signals = {INPUT: signal}
    awaited: dict[str, str] = {}

    def read(reader: str) -> Signal:
        reads: list[str] = []
        for source in graph.sources[reader]:
            if (source, reader) in graph.late:
                reads.append(awaited.setdefault(source, f"\0{name}\0{source}"))
            else:
                reads += signals[source].sources
        return Signal(tuple(reads), signal.folded)

    if graph.late and signal.folded:
        raise EngramError(
            f"{name!r} reads time and batch folded into one axis: unflatten(0, …) before it"
        )
    for inner in graph.names:
        signals[inner] = _enter(_joined(name, inner), graph[inner], read(inner), wiring)
    for source, token in awaited.items():
        for reader, reads in wiring.sources.items():
            if token in reads:
                meant = signals[source].sources
                wiring.sources[reader] = tuple(
                    n for r in reads for n in (meant if r == token else (r,))
                )
                wiring.late.update((n, reader) for n in meant)
    return read(OUTPUT)


def _enter_forward(name: str, net: nn.Module, signal: Signal, wiring: Wiring) -> Signal:
    try:
        operations = LayerTracer().trace(net).nodes
    except (TraceError, NameError, TypeError, RuntimeError) as error:
        raise EngramError(
            f"{type(net).__name__}.forward cannot be recorded ({error}): export a network that "
            "calls its own layers in an order that does not depend on the input"
        ) from error
    signals: dict[fx.Node, Signal] = {}
    for node in operations:
        match node.op:
            case "placeholder" if not signals:
                signals[node] = signal
            case "call_module":
                layer, path = net.get_submodule(str(node.target)), _joined(name, str(node.target))
                read = _signal((*node.args, *node.kwargs.values())[0], signals, path)
                signals[node] = _enter(path, layer, read, wiring)
            case "output":
                return _signal(node.args[0], signals, _joined(name, OUTPUT))
            case _ if (passed := _passed_on(node, signals)) is not None:
                signals[node] = passed
    raise AssertionError("a recorded forward ends in its output")


def _joined(*names: str) -> str:
    return ".".join(name for name in names if name)


def _signal(value: object, signals: dict[fx.Node, Signal], reader: str) -> Signal:
    if isinstance(value, fx.Node) and value in signals:
        return signals[value]
    what = f"operation {value.name!r}" if isinstance(value, fx.Node) else repr(value)
    raise EngramError(
        f"{reader!r} reads {what}, which NIR has no node for: build the part of the network that "
        "you export from layers, neurons and sums, such as nn.Flatten instead of reshape, and "
        "leave a readout over time outside"
    )


def _passed_on(node: fx.Node, signals: dict[fx.Node, Signal]) -> Signal | None:
    """What an operation makes of its signals, if it only adds them, or folds or unfolds time."""
    inputs = [signals.get(value) for value in node.args if isinstance(value, fx.Node)]
    match node.target, node.args, inputs:
        case target, (_, _), [Signal() as a, Signal() as b] if (
            target in ADDITIONS and not node.kwargs
        ):
            return Signal(a.sources + b.sources, a.folded)
        case "flatten" | torch.flatten, (_, 0, 1), [Signal(sources, False)]:
            return Signal(sources, folded=True)
        case "unflatten" | torch.unflatten, (_, 0, *_), [Signal(sources, True), *_]:
            return Signal(sources, folded=False)
    return None


def _per_step(layer: nn.Module, signal: Signal) -> nn.Module:
    """The layer as it acts on one step, `(batch, *features)`."""
    if isinstance(layer, Temporal) and signal.folded:
        raise EngramError("it reads time and batch folded into one axis: unflatten(0, …) before it")
    if isinstance(layer, nn.Flatten) and not signal.folded and layer.start_dim > 1:
        # it flattens whole sequences, (time, batch, *features)
        end = layer.end_dim if layer.end_dim < 0 else layer.end_dim - 1
        return nn.Flatten(layer.start_dim - 1, end)
    return layer


def simplify(wiring: Wiring) -> Wiring:
    """The same network without dropout, and with batch norm folded into the layer before it.

    Raises:
        ValueError: A layer is in training mode, or a batch norm cannot be folded.
    """
    layers: dict[str, nn.Module] = {}
    sources: dict[str, tuple[str, ...]] = {}
    stands_for: dict[str, tuple[str, ...]] = {INPUT: (INPUT,)}
    late = set(wiring.late)
    for name, layer in wiring.layers.items():
        reads = _through(stands_for, wiring.sources[name])
        stands_for[name] = (name,)
        with located(name, layer):
            match layer:
                case nn.Identity() | _DropoutNd():
                    if isinstance(layer, _DropoutNd):
                        _check_eval(layer)
                    if any(reader == name for _, reader in late):
                        raise EngramError("it carries the loop's late signal: take it out")
                    stands_for[name] = reads
                case _BatchNorm():
                    layers[name] = _folded(layer, [layers.get(read) for read in reads])
                    sources[name] = sources[reads[0]]
                    late |= {(source, name) for source, reader in late if reader == reads[0]}
                case _:
                    layers[name], sources[name] = layer, reads
    sources[OUTPUT] = _through(stands_for, wiring.sources[OUTPUT])
    sources = {name: _through(stands_for, reads) for name, reads in sources.items()}
    late = {(s, name) for source, name in late for s in _through(stands_for, (source,))}
    kept = [name for name in in_order(sources, OUTPUT, late) if name in layers]
    return Wiring({name: layers[name] for name in kept}, sources, late)


def _through(stands_for: dict[str, tuple[str, ...]], reads: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for read in reads for name in stands_for.get(read, (read,)))


def _folded(norm: _BatchNorm, before: list[nn.Module | None]) -> nn.Module:
    _check_eval(norm)
    if norm.running_mean is None:
        raise EngramError("it keeps no running statistics: build it with track_running_stats=True")
    match before:
        case [nn.Linear() as linear]:
            _check_eval(linear)
            return fuse_linear_bn_eval(linear, norm)
        case [nn.Conv1d() | nn.Conv2d() as conv]:
            _check_eval(conv)
            return fuse_conv_bn_eval(conv, norm)
    raise EngramError(
        "NIR has no batch norm, and only one that follows a Linear, Conv1d or Conv2d can be folded "
        "into it: move it there, or take it out"
    )


def _check_eval(layer: nn.Module) -> None:
    if layer.training:
        raise EngramError("it is in training mode: call net.eval() before the export")
