"""From NIR to a spiking graph."""

from collections.abc import Mapping, Sequence
from typing import Literal

import nir
from torch import nn

from engram.errors import EngramError
from engram.neuron.interchange.arrays import setting, values
from engram.neuron.interchange.graph import (
    INPUT,
    OUTPUT,
    SpikingGraph,
    free_name,
    in_order,
    located,
)
from engram.neuron.interchange.layers import delay_steps, layer_of, sliding_psn
from engram.neuron.interchange.nodes import flat, late_edges, loops, only, sources_of
from engram.neuron.interchange.recurrent import RecurrentGraph
from engram.neuron.interchange.units import Convention, Units, units_of

Taps = dict[int, float]
"""Weights by age: what a delay line multiplies the input of so many steps ago by."""
Reset = Literal["value", "subtract"]


def load_graph(
    graph: nir.NIRGraph,
    dt: float | None,
    convention: Convention | None,
    reset: Reset,
    notes: Sequence[str] = (),
) -> SpikingGraph | RecurrentGraph:
    """The network that the graph describes.

    Args:
        graph: The graph.
        dt: Duration of a step; None reads it from the graph.
        convention: What r of IF and I means; None reads it from the graph.
        reset: Whether a spike resets to v_reset or subtracts the threshold.
        notes: What is known of the graph already.

    Raises:
        ValueError: A node cannot be expressed, which is named; or the graph is not sound.
    """
    start, end = only(graph, nir.Input), only(graph, nir.Output)
    nodes, edges, mended = flat(graph)
    sources = sources_of(nodes, edges)
    units = units_of(nodes, graph.metadata or {}, dt, convention)
    lines = _delay_lines(nodes, sources, units.dt)
    late = late_edges(nodes, sources, start, units.dt)
    layers: dict[str, nn.Module] = {}
    new_names = {start: INPUT, end: OUTPUT}
    order = [name for name in in_order(sources, end, late) if name not in new_names]
    for name in order:
        node = nodes[name]
        new_names[name] = free_name(name, layers)
        early = any(reader == name for _, reader in late) and isinstance(node, nir.Delay)
        with located(name, node):
            layers[new_names[name]] = (
                sliding_psn(node, lines[name])
                if isinstance(node, nir.Threshold) and name in lines
                else layer_of(node, units, reset, early=early)
            )
    reads = {new_names[name]: [new_names[s] for s in sources[name]] for name in (*order, end)}
    delayed = {(new_names[s], new_names[r]) for s, r in late if r in new_names}
    net = RecurrentGraph(layers, reads, delayed) if delayed else SpikingGraph(layers, reads)
    kept = {name: nodes[name] for name in order}
    net.notes = (*notes, *mended, *units.notes, *_taken(kept, units, reset, delayed))
    return net


def _taken(
    nodes: Mapping[str, nir.NIRNode],
    units: Units,
    reset: Reset,
    late: set[tuple[str, str]],
) -> list[str]:
    """What was taken where NIR leaves it open."""
    notes: list[str] = []
    firing = {
        n: node for n, node in nodes.items() if isinstance(node, nir.LIF | nir.IF | nir.CubaLIF)
    }
    if firing and reset == "value":
        notes.append("a spike sets the membrane to v_reset, as NIR has it (reset='value')")
    if firing and reset == "subtract":
        notes.append("a spike subtracts the threshold (reset='subtract'), and v_reset is not read")
    apart = [
        repr(name)
        for name, node in firing.items()
        if isinstance(node, nir.LIF | nir.CubaLIF)
        and (values(node, "v_leak") != (values(node, "v_reset") if reset == "value" else 0)).any()
    ]
    if apart:
        begin = "v_reset" if reset == "value" else "0"
        notes.append(f"the membranes of {', '.join(apart)} start at {begin}, and leak to v_leak")
    notes += [f"{reader!r} reads {source!r} of the step before" for source, reader in sorted(late)]
    return notes


def _delay_lines(
    nodes: Mapping[str, nir.NIRNode], sources: dict[str, list[str]], dt: float
) -> dict[str, Taps]:
    """The Thresholds that a delay line of weights leads into; they then read its origins.

    In a loop, a delay is what the loop is late by, and remains a layer.
    """
    lines: dict[str, Taps] = {}
    looped = set().union(*loops(sources))
    for name, node in nodes.items():
        if isinstance(node, nir.Threshold) and name not in looped:
            with located(name, node):
                if not sources[name]:
                    raise EngramError("it reads nothing: connect it, or take it out")
                found = _delay_line(name, nodes, sources, dt)
            if found and isinstance(setting(values(node, "threshold")), float):
                sources[name], lines[name] = found
    return lines


def _delay_line(
    name: str, nodes: Mapping[str, nir.NIRNode], sources: Mapping[str, list[str]], dt: float
) -> tuple[list[str], Taps] | None:
    """Where the Delays and Scales before a Threshold start, and the taps that they make up.

    None where they are no line of one SlidingPSN: their inputs, neurons or steps differ.
    """
    lines: dict[str, Taps] = {}
    for branch in sources[name]:
        origin, age, weight = branch, 0, 1.0
        if isinstance(scale := nodes[origin], nir.Scale):
            with located(origin, scale):
                shared = setting(values(scale, "scale"))
            if not isinstance(shared, float) or len(sources[origin]) != 1:
                return None
            weight, origin = shared, sources[origin][0]
        if isinstance(delay := nodes[origin], nir.Delay):
            with located(origin, delay):
                steps = setting(delay_steps(delay, dt))
                if isinstance(steps, float) and not steps.is_integer():
                    raise EngramError(
                        f"a delay of {steps * dt:g} s is {steps} steps of {dt} s: delays before a "
                        "Threshold must be whole steps; choose another dt"
                    )
            if not isinstance(steps, float) or len(sources[origin]) != 1:
                return None
            age, origin = int(steps), sources[origin][0]
        taps = lines.setdefault(origin, {})
        taps[age] = taps.get(age, 0.0) + weight
    taps, *others = lines.values()
    return None if any(other != taps for other in others) else (list(lines), taps)
