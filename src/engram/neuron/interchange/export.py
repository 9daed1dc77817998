"""From the wiring of a network to NIR."""

from collections.abc import Sequence
from typing import NamedTuple

import nir
import numpy as np
import torch
from torch import Tensor, nn

from engram.neuron.delay import Delay
from engram.neuron.interchange.graph import INPUT, OUTPUT, Wiring, located
from engram.neuron.lif import IF, LIF, ParametricLIF
from engram.neuron.module import Temporal
from engram.neuron.psn import SlidingPSN

Shape = tuple[int, ...]


class Part(NamedTuple):
    """What one layer becomes: nodes and edges, the nodes that read its input, the one that ends it.

    All nodes but a delay line are alone.
    """

    nodes: dict[str, nir.NIRNode]
    edges: list[tuple[str, str]]
    entries: list[str]
    exit: str


def export_graph(wiring: Wiring, sample_shape: Shape, dt: float) -> nir.NIRGraph:
    """The network in NIR.

    Args:
        wiring: The network, simplified.
        sample_shape: Shape of one step of one sample.
        dt: Duration of a step in s.

    Raises:
        ValueError: NIR cannot express a layer, which is named.
    """
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array(sample_shape)})}
    edges: list[tuple[str, str]] = []
    shapes, exits = {INPUT: sample_shape}, {INPUT: INPUT}
    for name, layer in wiring.layers.items():
        sources = wiring.sources[name]
        before = _sum_shape(name, sources, shapes)
        with located(name, layer):
            part, shapes[name] = _part(name, layer, before, dt)
        nodes |= part.nodes
        edges += [(exits[source], entry) for source in sources for entry in part.entries]
        edges += part.edges
        exits[name] = part.exit
    sources = wiring.sources[OUTPUT]
    nodes[OUTPUT] = nir.Output({"output": np.array(_sum_shape(OUTPUT, sources, shapes))})
    edges += [(exits[source], OUTPUT) for source in sources]
    return nir.NIRGraph(nodes, edges)


def _sum_shape(name: str, sources: Sequence[str], shapes: dict[str, Shape]) -> Shape:
    if len(set(sources)) < len(sources):
        raise ValueError(
            f"{name!r} adds the same signal more than once ({' + '.join(sources)}), and NIR has no "
            "multiple edges: double the weights instead"
        )
    added = {shapes[source]: None for source in sources}
    if len(added) > 1:
        raise ValueError(
            f"{name!r} adds signals of shapes {', '.join(map(str, added))} a step: NIR adds equal "
            "shapes only"
        )
    return next(iter(added))


def _part(name: str, layer: nn.Module, shape: Shape, dt: float) -> tuple[Part, Shape]:
    if isinstance(layer, SlidingPSN):
        return _delay_line(name, layer, shape, dt), shape
    if isinstance(layer, Temporal):
        node, after = _neuron(layer, shape, dt), shape
    else:
        after = _shape_after(layer, shape)
        node = _layer(layer, shape)
        _check_shapes(node, shape, after)
    return Part({name: node}, [], [name], name), after


def _neuron(neuron: Temporal, shape: Shape, dt: float) -> nir.NIRNode:
    match neuron:
        case LIF() | ParametricLIF():
            return nir.LIF(
                tau=np.full(shape, neuron.tau * dt),
                r=np.full(shape, 1.0 if neuron.decay_input else neuron.tau),
                v_leak=np.full(shape, _hard_reset(neuron)),
                v_threshold=np.full(shape, neuron.threshold),
                v_reset=np.full(shape, _hard_reset(neuron)),
            )
        case IF():
            return nir.IF(
                r=np.full(shape, 1 / dt),
                v_threshold=np.full(shape, neuron.threshold),
                v_reset=np.full(shape, _hard_reset(neuron)),
            )
        case Delay():
            steps = _array(neuron.delay.clamp(0, neuron.max_delay)).astype(float)
            channels = steps.reshape(-1, *[1] * (len(shape) - 1))
            return nir.Delay(delay=np.broadcast_to(channels, shape) * dt)
    raise ValueError(
        "NIR has no such neuron: of the parallel neurons it can express SlidingPSN, of the others "
        "IF, LIF and ParametricLIF"
    )


def _hard_reset(neuron: LIF | ParametricLIF | IF) -> float:
    if neuron.reset is None:
        raise ValueError(
            "NIR has no soft reset: train the network with a reset potential, such as reset=0.0"
        )
    return neuron.reset


def _delay_line(name: str, neuron: SlidingPSN, shape: Shape, dt: float) -> Part:
    nodes: dict[str, nir.NIRNode] = {name: nir.Threshold(np.full(shape, neuron.threshold.item()))}
    edges: list[tuple[str, str]] = []
    entries: list[str] = []
    for age, weight in enumerate(reversed(neuron.weight.tolist())):
        delay, scale = f"{name}.delay_{age}", f"{name}.scale_{age}"
        nodes[delay] = nir.Delay(np.full(shape, age * dt))
        nodes[scale] = nir.Scale(np.full(shape, weight))
        edges += [(delay, scale), (scale, name)]
        entries.append(delay)
    return Part(nodes, edges, entries, name)


def _layer(layer: nn.Module, shape: Shape) -> nir.NIRNode:
    match layer:
        case nn.Linear(bias=None):
            return nir.Linear(_array(layer.weight))
        case nn.Linear():
            return nir.Affine(_array(layer.weight), _array(layer.bias))
        case nn.Conv1d() | nn.Conv2d():
            return _convolution(layer, shape)
        case nn.AvgPool2d():
            return _pooling(layer)
        case nn.AvgPool1d():
            return _convolution(_pooling_convolution(layer, shape[0]), shape)
        case nn.Flatten():
            start, end = (d % (len(shape) + 1) - 1 for d in (layer.start_dim, layer.end_dim))
            return nir.Flatten({"input": np.array(shape)}, start, end)
    raise ValueError(
        "NIR has no such layer: use Linear, Conv1d, Conv2d, AvgPool1d, AvgPool2d or Flatten"
    )


def _convolution(conv: nn.Conv1d | nn.Conv2d, shape: Shape) -> nir.NIRNode:
    if conv.padding_mode != "zeros":
        raise ValueError(f"padding_mode={conv.padding_mode!r}: NIR pads with zeros only")
    bias = np.zeros(conv.out_channels) if conv.bias is None else _array(conv.bias)
    if isinstance(conv, nn.Conv2d):
        return nir.Conv2d(
            input_shape=(shape[1], shape[2]),
            weight=_array(conv.weight),
            stride=_pair(conv.stride),
            padding=conv.padding if isinstance(conv.padding, str) else _pair(conv.padding),
            dilation=_pair(conv.dilation),
            groups=conv.groups,
            bias=bias,
        )
    return nir.Conv1d(
        input_shape=shape[1],
        weight=_array(conv.weight),
        stride=conv.stride[0],
        padding=conv.padding if isinstance(conv.padding, str) else int(conv.padding[0]),
        dilation=conv.dilation[0],
        groups=conv.groups,
        bias=bias,
    )


def _pooling(pool: nn.AvgPool2d) -> nir.NIRNode:
    _check_pooling(pool)
    size, stride, padding = map(np.array, map(_pair, (pool.kernel_size, pool.stride, pool.padding)))
    if pool.divisor_override == 1:
        return nir.SumPool2d(size, stride, padding)
    if pool.divisor_override is not None and pool.divisor_override != size.prod():
        raise ValueError(
            f"divisor_override={pool.divisor_override}: NIR has means (None) and sums (1) only"
        )
    return nir.AvgPool2d(size, stride, padding)


def _pooling_convolution(pool: nn.AvgPool1d, channels: int) -> nn.Conv1d:
    """The pooling as the convolution it is: NIR pools in two dimensions only."""
    _check_pooling(pool)
    conv = nn.Conv1d(
        channels, channels, pool.kernel_size, pool.stride, pool.padding, bias=False, device="meta"
    )
    size = conv.kernel_size[0]
    weight = (torch.eye(channels) / size)[..., None].repeat(1, 1, size)
    conv.load_state_dict({"weight": weight}, assign=True)
    return conv


def _check_pooling(pool: nn.AvgPool1d | nn.AvgPool2d) -> None:
    if pool.ceil_mode or (np.any(pool.padding) and not pool.count_include_pad):
        raise ValueError("NIR pools with ceil_mode=False and count_include_pad=True only")


def _shape_after(layer: nn.Module, shape: Shape) -> Shape:
    like = next(layer.parameters(), torch.empty(0))
    with torch.no_grad():
        return tuple(layer(like.new_zeros(1, *shape)).shape[1:])


def _check_shapes(node: nir.NIRNode, before: Shape, after: Shape) -> None:
    """Refuses layers whose shapes NIR reckons otherwise, which no reader of the file would load."""
    pairs = (node.input_type["input"], before), (node.output_type["output"], after)
    for reckoned, actual in pairs:
        if reckoned is not None and tuple(reckoned) != actual:
            raise ValueError(
                f"it maps {before} to {after}, and NIR has {tuple(map(int, reckoned))} in place of "
                f"{actual}: NIR knows convolutions of one group with a square kernel, and a Linear "
                "that reads one axis (put nn.Flatten before it)"
            )


def _array(tensor: Tensor) -> np.ndarray:
    """A copy, so that training on does not change the graph; NumPy has no bfloat16."""
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    return tensor.detach().to("cpu", dtype, copy=True).numpy()


def _pair(size: int | tuple[int, ...]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[-1])
