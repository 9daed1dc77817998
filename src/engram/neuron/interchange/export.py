"""From the wiring of a network to NIR."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import nir
import numpy as np
import torch
from torch import Tensor, nn

from engram.errors import EngramError
from engram.neuron.cuba import CubaLIF
from engram.neuron.delay import Delay
from engram.neuron.integrator import LI
from engram.neuron.interchange.graph import INPUT, OUTPUT, Wiring, located
from engram.neuron.interchange.nodes import late_edges, sources_of
from engram.neuron.interchange.scale import Scale
from engram.neuron.interchange.units import Convention, Units
from engram.neuron.lif import IF, LIF, ParametricLIF
from engram.neuron.module import Temporal
from engram.neuron.psn import SlidingPSN
from engram.neuron.threshold import Threshold

Shape = tuple[int, ...]


class Part(NamedTuple):
    """What one layer becomes: nodes and edges, and the nodes that read its input.

    The node of the layer's name ends it; all nodes but a delay line are alone.
    """

    nodes: dict[str, nir.NIRNode]
    edges: list[tuple[str, str]]
    entries: list[str]


def export_graph(
    wiring: Wiring, sample_shape: Shape, dt: float, convention: Convention
) -> nir.NIRGraph:
    """The network in NIR.

    Args:
        wiring: The network, simplified.
        sample_shape: Shape of one step of one sample.
        dt: Duration of a step in s.
        convention: What r of an IF node means.

    Raises:
        ValueError: NIR cannot express a layer, which is named.
    """
    units = Units(dt, dt if convention == "physical" else 1.0, ())
    shapes = _shapes(wiring, sample_shape)
    parts: dict[str, Part] = {}
    for name, layer in wiring.layers.items():
        before = _sum_shape(name, wiring.sources[name], shapes)
        with located(name, layer):
            early = _is_early(name, layer, wiring)
            parts[name] = _part(name, layer, before, shapes[name], units, early=early)
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array(sample_shape)})}
    edges: list[tuple[str, str]] = []
    for name, part in parts.items():
        nodes |= part.nodes
        sources = wiring.sources[name]
        edges += [(source, entry) for source in sources for entry in part.entries]
        edges += part.edges
    sources = wiring.sources[OUTPUT]
    nodes[OUTPUT] = nir.Output({"output": np.array(_sum_shape(OUTPUT, sources, shapes))})
    edges += [(source, OUTPUT) for source in sources]
    if wiring.late:
        _check_late(wiring, nodes, edges, dt)
    return nir.NIRGraph(nodes, edges, metadata={"dt": dt, "convention": convention})


def _shapes(wiring: Wiring, sample_shape: Shape) -> dict[str, Shape]:
    """The shape of a step after each layer; one known source is enough, for all are alike."""
    shapes, pending = {INPUT: sample_shape}, list(wiring.layers)
    while pending:
        left: list[str] = []
        for name in pending:
            layer = wiring.layers[name]
            known = [s for s in wiring.sources[name] if s in shapes]
            if not known:
                left.append(name)
                continue
            before = _sum_shape(name, known, shapes)
            with located(name, layer):
                shapes[name] = (
                    before if isinstance(layer, Temporal) else _shape_after(layer, before)
                )
        if len(left) == len(pending):
            raise EngramError(f"the loop of {', '.join(left)} reads nothing from outside")
        pending = left
    return shapes


def _is_early(name: str, layer: nn.Module, wiring: Wiring) -> bool:
    """Whether the layer is a Delay that reads a loop's late signal, a step of its delay."""
    late = [(source, name) in wiring.late for source in wiring.sources[name]]
    if not isinstance(layer, Delay) or not any(late):
        return False
    if not all(late):
        raise EngramError("it reads signals of this step and of the step before: delay them apart")
    return True


def _check_late(
    wiring: Wiring, nodes: Mapping[str, nir.NIRNode], edges: list[tuple[str, str]], dt: float
) -> None:
    """Refuses a loop that `from_nir` would delay at another connection."""
    read = late_edges(nodes, sources_of(nodes, edges), INPUT, dt)
    if read != wiring.late:
        raise EngramError(
            f"the network takes {sorted(wiring.late)} a step late, and its graph in NIR, which has "
            f"no such mark, would be read as taking {sorted(read)} late: delay each loop where a "
            "neuron leads to one no further from the input, or put a Delay of a step there"
        )


def _sum_shape(name: str, sources: Sequence[str], shapes: dict[str, Shape]) -> Shape:
    if len(set(sources)) < len(sources):
        raise EngramError(
            f"{name!r} adds the same signal more than once ({' + '.join(sources)}), and NIR has no "
            "multiple edges: double the weights instead"
        )
    added = {shapes[source]: None for source in sources}
    if len(added) > 1:
        raise EngramError(
            f"{name!r} adds signals of shapes {', '.join(map(str, added))} a step: NIR adds equal "
            "shapes only"
        )
    return next(iter(added))


def _part(
    name: str, layer: nn.Module, shape: Shape, after: Shape, units: Units, *, early: bool
) -> Part:
    if isinstance(layer, SlidingPSN):
        return _delay_line(name, layer, shape, units.dt)
    if isinstance(layer, Temporal):
        node = _neuron(layer, shape, units, early=early)
    else:
        node = _layer(layer, shape)
        _check_shapes(node, shape, after)
    return Part({name: node}, [], [name])


def _neuron(  # noqa: PLR0911
    neuron: Temporal, shape: Shape, units: Units, *, early: bool
) -> nir.NIRNode:
    dt = units.dt

    def each(value: float | Tensor) -> np.ndarray:
        return _each(value, shape)

    match neuron:
        case LIF() | ParametricLIF():
            return nir.LIF(
                tau=each(neuron.tau) * dt,
                r=each(1.0 if neuron.decay_input else neuron.tau),
                v_leak=each(_resting(neuron)),
                v_threshold=each(neuron.threshold),
                v_reset=each(_hard_reset(neuron)),
            )
        case CubaLIF():
            decays = neuron.decay_input
            return nir.CubaLIF(
                tau_syn=each(neuron.tau_syn) * dt,
                tau_mem=each(neuron.tau) * dt,
                r=each(1.0 if decays else neuron.tau),
                v_leak=each(_resting(neuron)),
                v_threshold=each(neuron.threshold),
                v_reset=each(_hard_reset(neuron)),
                w_in=each(neuron.input_weight) * each(1.0 if decays else neuron.tau_syn),
            )
        case IF():
            return nir.IF(
                r=each(1 / units.gain),
                v_threshold=each(neuron.threshold),
                v_reset=each(_hard_reset(neuron)),
            )
        case LI() if isinstance(neuron.tau, float) and math.isinf(neuron.tau):
            return nir.I(r=each(neuron.input_weight) / units.gain)
        case LI():
            r = each(neuron.input_weight) * each(1.0 if neuron.decay_input else neuron.tau)
            return nir.LI(tau=each(neuron.tau) * dt, r=r, v_leak=each(neuron.resting))
        case Threshold():
            return nir.Threshold(each(neuron.threshold))
        case Delay():
            steps = neuron.delay.clamp(0, neuron.max_delay) + (1.0 if early else 0.0)
            own = steps if neuron.each else steps.reshape(-1, *[1] * (len(shape) - 1))
            return nir.Delay(delay=each(own) * dt)
    raise EngramError(
        "NIR has no such neuron: of the parallel neurons it can express SlidingPSN, of the others "
        "IF, LIF, ParametricLIF, CubaLIF, LI and Threshold"
    )


def _each(value: float | Tensor, shape: Shape) -> np.ndarray:
    """A setting as one value for each neuron."""
    values = _array(value).astype(float) if isinstance(value, Tensor) else np.asarray(value, float)
    return np.broadcast_to(values, shape).copy()


def _resting(neuron: LIF | ParametricLIF | CubaLIF) -> float | Tensor:
    resting = None if isinstance(neuron, ParametricLIF) else neuron.resting
    return _hard_reset(neuron) if resting is None else resting


def _hard_reset(neuron: LIF | ParametricLIF | IF | CubaLIF) -> float | Tensor:
    if neuron.reset is None:
        raise EngramError(
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
    return Part(nodes, edges, entries)


def _layer(layer: nn.Module, shape: Shape) -> nir.NIRNode:  # noqa: PLR0911
    match layer:
        case nn.Linear(bias=None):
            return nir.Linear(_array(layer.weight))
        case nn.Linear():
            return nir.Affine(_array(layer.weight), _array(layer.bias))
        case nn.Conv1d() | nn.Conv2d():
            return _convolution(layer, shape)
        case Scale():
            return nir.Scale(_each(layer.scale, shape))
        case nn.AvgPool2d():
            return _pooling(layer)
        case nn.AdaptiveAvgPool2d():
            size = _adaptive_size(layer.output_size, shape[-2:])
            return _pooling(nn.AvgPool2d(size))
        case nn.AdaptiveAvgPool1d():
            size = _adaptive_size(layer.output_size, shape[-1:])
            return _convolution(_pooling_convolution(nn.AvgPool1d(size), shape[0]), shape)
        case nn.AvgPool1d():
            return _convolution(_pooling_convolution(layer, shape[0]), shape)
        case nn.Flatten():
            start, end = (d % (len(shape) + 1) - 1 for d in (layer.start_dim, layer.end_dim))
            return nir.Flatten({"input": np.array(shape)}, start, end)
    raise EngramError(
        "NIR has no such layer: use Linear, Conv1d, Conv2d, AvgPool1d, AvgPool2d, "
        "AdaptiveAvgPool1d, AdaptiveAvgPool2d or Flatten"
    )


def _convolution(conv: nn.Conv1d | nn.Conv2d, shape: Shape) -> nir.NIRNode:
    if conv.padding_mode != "zeros":
        raise EngramError(f"padding_mode={conv.padding_mode!r}: NIR pads with zeros only")
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


def _adaptive_size(output_size: Any, shape: Shape) -> Any:
    """The kernel of the pooling of equal windows that an adaptive pooling of this input is."""
    wanted = output_size if isinstance(output_size, tuple) else (output_size,) * len(shape)
    sizes = [(n, n if want is None else want) for n, want in zip(shape, wanted, strict=True)]
    if any(n % want for n, want in sizes):
        raise EngramError(
            f"it pools {shape} to {tuple(want for _, want in sizes)}: NIR has windows of one size "
            "only, so the output must divide the input"
        )
    return tuple(n // want for n, want in sizes)


def _pooling(pool: nn.AvgPool2d) -> nir.NIRNode:
    _check_pooling(pool)
    size, stride, padding = map(np.array, map(_pair, (pool.kernel_size, pool.stride, pool.padding)))
    if pool.divisor_override == 1:
        return nir.SumPool2d(size, stride, padding)
    if pool.divisor_override is not None and pool.divisor_override != size.prod():
        raise EngramError(
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
        raise EngramError("NIR pools with ceil_mode=False and count_include_pad=True only")


def _shape_after(layer: nn.Module, shape: Shape) -> Shape:
    like = next(layer.parameters(), torch.empty(0))
    with torch.no_grad():
        return tuple(layer(like.new_zeros(1, *shape)).shape[1:])


def _check_shapes(node: nir.NIRNode, before: Shape, after: Shape) -> None:
    """Refuses layers whose shapes NIR reckons otherwise, which no reader of the file would load."""
    pairs = (node.input_type["input"], before), (node.output_type["output"], after)
    for reckoned, actual in pairs:
        if reckoned is not None and tuple(reckoned) != actual:
            raise EngramError(
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
