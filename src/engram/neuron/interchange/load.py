"""From NIR to a spiking graph."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from engram.neuron.convolution import Conv2d
from engram.neuron.delay import Delay
from engram.neuron.interchange.graph import (
    INPUT,
    OUTPUT,
    SpikingGraph,
    free_name,
    in_order,
    located,
)
from engram.neuron.lif import IF, LIF
from engram.neuron.module import OverTime
from engram.neuron.psn import SlidingPSN

Taps = dict[int, float]
"""Weights by age: what a delay line multiplies the input of so many steps ago by."""


def load_graph(graph: nir.NIRGraph, dt: float) -> SpikingGraph:
    """The network that the graph describes.

    Args:
        graph: The graph.
        dt: Duration of a step in s.

    Raises:
        ValueError: A node cannot be expressed, which is named.
    """
    graph.validate_structure()
    start, end = _only(graph, nir.Input), _only(graph, nir.Output)
    nodes, edges = _flat(graph)
    sources: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        sources[target].append(source)
    lines: dict[str, Taps] = {}
    for name, node in nodes.items():
        if isinstance(node, nir.Threshold):
            with located(name, node):
                sources[name], lines[name] = _delay_line(name, nodes, sources, dt)
    layers: dict[str, nn.Module] = {}
    new_names = {start: INPUT, end: OUTPUT}
    order = [name for name in in_order(sources, end) if name not in new_names]
    for name in order:
        node = nodes[name]
        new_names[name] = free_name(name, layers)
        with located(name, node):
            layers[new_names[name]] = (
                _sliding_psn(node, lines[name])
                if isinstance(node, nir.Threshold)
                else _layer(node, dt)
            )
    reads = {new_names[name]: [new_names[s] for s in sources[name]] for name in (*order, end)}
    return SpikingGraph(layers, reads)


def _only(graph: nir.NIRGraph, kind: type[nir.NIRNode]) -> str:
    names = [name for name, node in graph.nodes.items() if isinstance(node, kind)]
    if len(names) != 1:
        raise ValueError(
            f"the graph has {len(names)} nodes of type {kind.__name__} ({', '.join(names)}): it "
            "needs exactly one; import one path at a time"
        )
    return names[0]


def _flat(graph: nir.NIRGraph) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
    """Nodes and edges of the graph, with those of the graphs within it in their place."""
    nodes = {name: n for name, n in graph.nodes.items() if not isinstance(n, nir.NIRGraph)}
    edges: list[tuple[str, str]] = []
    ends = {name: (name, name) for name in nodes}
    for outer, inner in graph.nodes.items():
        if isinstance(inner, nir.NIRGraph):
            with located(outer, inner):
                start, end = _only(inner, nir.Input), _only(inner, nir.Output)
            inner_nodes, inner_edges = _flat(inner)
            names = {name: free_name(f"{outer}.{name}", nodes) for name in inner_nodes}
            nodes |= {names[name]: node for name, node in inner_nodes.items()}
            edges += [(names[source], names[target]) for source, target in inner_edges]
            ends[outer] = names[start], names[end]
    return nodes, edges + [(ends[source][1], ends[target][0]) for source, target in graph.edges]


def _delay_line(
    name: str, nodes: Mapping[str, nir.NIRNode], sources: Mapping[str, list[str]], dt: float
) -> tuple[list[str], Taps]:
    """Where the Delays and Scales before a Threshold start, and the taps that they make up."""
    lines: dict[str, Taps] = {}
    for branch in sources[name]:
        origin, age, weight = branch, 0, 1.0
        if isinstance(scale := nodes[origin], nir.Scale):
            with located(origin, scale):
                weight = _uniform(scale, "scale")
                origin = _only_source(sources[origin])
        if isinstance(delay := nodes[origin], nir.Delay):
            with located(origin, delay):
                age = _whole_steps(_uniform(delay, "delay"), dt)
                origin = _only_source(sources[origin])
        taps = lines.setdefault(origin, {})
        taps[age] = taps.get(age, 0.0) + weight
    if not lines:
        raise ValueError("it reads nothing: connect it, or take it out")
    taps, *others = lines.values()
    if any(other != taps for other in others):
        raise ValueError(
            f"its inputs {', '.join(lines)} arrive with different delays and weights: one "
            "SlidingPSN treats all its inputs alike; give each a Threshold of its own"
        )
    return list(lines), taps


def _only_source(sources: list[str]) -> str:
    if len(sources) != 1:
        raise ValueError(
            f"it reads {len(sources)} nodes: before a Threshold it must read one; give each of "
            "them a branch of its own"
        )
    return sources[0]


def _whole_steps(seconds: float, dt: float) -> int:
    steps = float(_steps(seconds, dt))
    if steps < 0 or not steps.is_integer():
        raise ValueError(
            f"a delay of {seconds} s is {steps} steps of {dt} s: delays before a Threshold must "
            "be whole steps; choose another dt"
        )
    return int(steps)


def _sliding_psn(node: nir.Threshold, taps: Taps) -> SlidingPSN:
    neuron = SlidingPSN(max(taps) + 1)
    weight = torch.tensor([taps.get(age, 0.0) for age in reversed(range(neuron.k))])
    threshold = torch.tensor(_uniform(node, "threshold"))
    neuron.load_state_dict({"weight": weight, "threshold": threshold})
    return neuron


def _layer(node: nir.NIRNode, dt: float) -> nn.Module:
    if isinstance(node, nir.Input | nir.Output):
        return nn.Identity()  # the ends of a graph within the graph
    if type(node) not in LAYERS:
        names = ", ".join(kind.__name__ for kind in LAYERS)
        raise ValueError(
            f"no layer here expresses it: use {names}, Threshold, or Scale before a Threshold"
        )
    return LAYERS[type(node)](node, dt)


def _linear(node: nir.Linear | nir.Affine) -> nn.Linear:
    weight = _tensor(node.weight)
    if weight.ndim != 2:
        raise ValueError(f"its weight has shape {tuple(weight.shape)}: it must be a matrix")
    state = {"weight": weight}
    if isinstance(node, nir.Affine):
        state["bias"] = _tensor(node.bias)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in state, device="meta")
    layer.load_state_dict(state, assign=True)
    return layer


def _convolution(node: nir.Conv1d | nir.Conv2d) -> nn.Conv1d | nn.Conv2d:
    weight, groups = _tensor(node.weight), int(node.groups)
    make = nn.Conv1d if isinstance(node, nir.Conv1d) else Conv2d
    conv = make(
        weight.shape[1] * groups,
        weight.shape[0],
        _plain(weight.shape[2:]),
        stride=_plain(node.stride),
        padding=_plain(node.padding),
        dilation=_plain(node.dilation),
        groups=groups,
        device="meta",
    )
    conv.load_state_dict({"weight": weight, "bias": _tensor(node.bias)}, assign=True)
    return conv


def _pooling(node: nir.AvgPool2d | nir.SumPool2d) -> nn.AvgPool2d:
    sizes = map(_plain, (node.kernel_size, node.stride, node.padding))
    return nn.AvgPool2d(*sizes, divisor_override=1 if isinstance(node, nir.SumPool2d) else None)


def _flatten(node: nir.Flatten) -> nn.Flatten:
    dims = (int(dim) for dim in (node.start_dim, node.end_dim))
    return nn.Flatten(*(dim if dim < 0 else dim + 1 for dim in dims))


def _lif(node: nir.LIF, dt: float) -> LIF:
    tau = float(_steps(_uniform(node, "tau"), dt))
    r, leak, reset = (_uniform(node, field) for field in ("r", "v_leak", "v_reset"))
    if not math.isclose(leak, reset, rel_tol=1e-6, abs_tol=1e-9):
        raise ValueError(
            f"v_leak={leak} and v_reset={reset}: these neurons leak towards the reset potential; "
            "make the two equal"
        )
    if math.isclose(r, tau, rel_tol=1e-6):
        return LIF(tau, _uniform(node, "v_threshold"), reset, decay_input=False)
    return LIF(tau, *_per_gain(node, r))


def _if(node: nir.IF, dt: float) -> IF:
    gain = _uniform(node, "r") * dt
    return IF(*_per_gain(node, gain))


def _per_gain(node: nir.LIF | nir.IF, gain: float) -> tuple[float, float]:
    """Threshold and reset of a membrane that is measured in units of its input's gain."""
    if not gain > 0:
        raise ValueError(f"r={_uniform(node, 'r')}: the resistance must be positive")
    gain = 1.0 if math.isclose(gain, 1, rel_tol=1e-6) else gain
    return _uniform(node, "v_threshold") / gain, _uniform(node, "v_reset") / gain


def _delay(node: nir.Delay, dt: float) -> Delay:
    steps = _steps(node.delay, dt)
    channels = steps.reshape(steps.shape[0] if steps.ndim else 1, -1)
    if (channels != channels[:, :1]).any():
        raise ValueError("the delays differ within a channel: a Delay has one for each channel")
    delays = np.unique(channels) if np.unique(channels).size == 1 else channels[:, 0]
    if delays.min() < 0:
        raise ValueError(f"a delay of {delays.min() * dt} s: delays cannot be negative")
    layer = Delay(max(1, math.ceil(delays.max())), delays.size, delay=0.0)
    layer.load_state_dict({"delay": _tensor(delays)})
    return layer


def _uniform(node: nir.NIRNode, field: str) -> float:
    values = np.unique(np.asarray(getattr(node, field), dtype=float))
    if values.size != 1:
        raise ValueError(
            f"{field} differs between its neurons, from {values[0]} to {values[-1]}: the "
            "neurons of a layer share one value here; split the layer"
        )
    return float(values[0])


def _steps(seconds: Any, dt: float) -> np.ndarray:
    steps = np.asarray(seconds, dtype=float) / dt
    # 3e-4 / 1e-4 is 2.9999999999999996
    short = np.round(steps, 9)
    return np.where(np.isclose(steps, short, rtol=1e-12, atol=0), short, steps)


def _tensor(array: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(array), dtype=torch.get_default_dtype())


def _plain(size: Any) -> Any:
    """A size as torch takes it: an int, a tuple of them, or "same" or "valid"."""
    if isinstance(size, str):
        return size
    size = np.asarray(size).tolist()
    return tuple(size) if isinstance(size, list) else size


LAYERS: dict[type[nir.NIRNode], Callable[[Any, float], nn.Module]] = {
    nir.Linear: lambda node, dt: _linear(node),
    nir.Affine: lambda node, dt: _linear(node),
    nir.Conv1d: lambda node, dt: OverTime(_convolution(node)),
    nir.Conv2d: lambda node, dt: OverTime(_convolution(node)),
    nir.AvgPool2d: lambda node, dt: OverTime(_pooling(node)),
    nir.SumPool2d: lambda node, dt: OverTime(_pooling(node)),
    nir.Flatten: lambda node, dt: OverTime(_flatten(node)),
    nir.LIF: _lif,
    nir.IF: _if,
    nir.Delay: _delay,
}
"""What each type of node becomes, Thresholds and the Scales before them apart."""
