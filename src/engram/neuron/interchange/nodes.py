"""Nodes and edges of a NIR graph, flat, checked and in a form that layers follow from."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import nir
import numpy as np

from engram.errors import EngramError
from engram.neuron.interchange.arrays import array
from engram.neuron.interchange.graph import free_name, located

Edge = tuple[str, str]
WITH_SHAPE = (
    *(nir.LIF, nir.IF, nir.LI, nir.I, nir.CubaLIF, nir.CubaLI),
    *(nir.Scale, nir.Delay, nir.Threshold, nir.Linear, nir.Affine),
)


class Flat(NamedTuple):
    """A graph without graphs in it.

    Attributes:
        nodes: The nodes by name.
        edges: Pairs of names.
        notes: What was mended, a sentence each.
    """

    nodes: dict[str, nir.NIRNode]
    edges: list[Edge]
    notes: tuple[str, ...]


def flat(graph: nir.NIRGraph) -> Flat:
    """The graph with the nodes and edges of the graphs within it in their place.

    Raises:
        ValueError: An edge leads to a node that is not there, is there twice, or joins nodes of
            different shapes; a node is not one; a graph within has not one Input and one Output.
    """
    nodes, edges, notes = _open(graph)
    doubled = sorted({edge for edge in edges if edges.count(edge) > 1}) if _repeats(edges) else []
    if doubled:
        raise EngramError(f"the edge {doubled[0]} occurs more than once: keep one of each edge")
    for source, target in edges:
        _check_shapes(source, nodes[source], target, nodes[target])
    return _stages(Flat(nodes, edges, notes))


def _stages(graph: Flat) -> Flat:
    """The graph with a current-based integrator as the two integrators that it consists of."""
    nodes: dict[str, nir.NIRNode] = {}
    entries: dict[str, str] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.CubaLI):
            entries[name] = free_name(f"{name}.current", graph.nodes)
            none = np.zeros_like(array(node.v_leak))
            nodes[entries[name]] = nir.LI(tau=node.tau_syn, r=node.w_in, v_leak=none)
            nodes[name] = nir.LI(tau=node.tau_mem, r=node.r, v_leak=node.v_leak)
        else:
            nodes[name] = node
    edges = [(source, entries.get(target, target)) for source, target in graph.edges]
    return Flat(nodes, [*edges, *((entry, name) for name, entry in entries.items())], graph.notes)


def _repeats(edges: list[Edge]) -> bool:
    return len(set(edges)) < len(edges)


def only(graph: nir.NIRGraph, kind: type[nir.NIRNode]) -> str:
    """The name of the one node of this type.

    Raises:
        ValueError: There is none, or there are several.
    """
    names = [name for name, node in graph.nodes.items() if isinstance(node, kind)]
    if len(names) != 1:
        raise EngramError(
            f"the graph has {len(names)} nodes of type {kind.__name__} ({', '.join(names)}): it "
            "needs exactly one; import one path at a time"
        )
    return names[0]


def _open(graph: nir.NIRGraph) -> Flat:
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRNode):
            raise EngramError(f"the node {name!r} is a {type(node).__name__}, not a NIR node")
    pairs, notes = _mended(graph)
    nodes = {name: n for name, n in graph.nodes.items() if not isinstance(n, nir.NIRGraph)}
    edges: list[Edge] = []
    ends = {name: (name, name) for name in nodes}
    for outer, inner in graph.nodes.items():
        if isinstance(inner, nir.NIRGraph):
            with located(outer, inner):
                start, end = only(inner, nir.Input), only(inner, nir.Output)
                opened = _open(inner)
            names = {name: free_name(f"{outer}.{name}", nodes) for name in opened.nodes}
            nodes |= {names[name]: node for name, node in opened.nodes.items()}
            edges += [(names[source], names[target]) for source, target in opened.edges]
            notes += tuple(f"in {outer!r}: {note}" for note in opened.notes)
            ends |= {f"{outer}.{name}": (names[name],) * 2 for name in opened.nodes}
            ends[outer] = names[start], names[end]
    for pair in pairs:
        for name in pair:
            if name not in ends:
                raise EngramError(
                    f"the edge {pair} leads to {name!r}, which is no node of the graph: its nodes "
                    f"are {', '.join(ends)}"
                )
    return Flat(nodes, edges + [(ends[a][1], ends[b][0]) for a, b in pairs], notes)


def _mended(graph: nir.NIRGraph) -> tuple[list[Edge], tuple[str, ...]]:
    """The edges, where one name that no node has can only mean the one node without edges."""
    pairs = [(str(source), str(target)) for source, target in graph.edges]
    named = {name for pair in pairs for name in pair}
    idle = [name for name in graph.nodes if name not in named]
    inside = tuple(f"{n}." for n, node in graph.nodes.items() if isinstance(node, nir.NIRGraph))
    lost = [n for n in sorted(named - graph.nodes.keys()) if not n.startswith(inside or ("\0",))]
    if len(idle) != 1 or len(lost) != 1:
        return pairs, ()
    meant = {lost[0]: idle[0]}
    note = (
        f"the edges name {lost[0]!r}, which is no node, and the node {idle[0]!r} has no edges: "
        "taken as one"
    )
    return [(meant.get(a, a), meant.get(b, b)) for a, b in pairs], (note,)


def _check_shapes(source: str, a: nir.NIRNode, target: str, b: nir.NIRNode) -> None:
    """Refuses two nodes with shapes of their own that differ; an Input may add a batch axis."""
    if not (isinstance(a, WITH_SHAPE) and isinstance(b, WITH_SHAPE)):
        return
    out, into = _shape(a.output_type, "output"), _shape(b.input_type, "input")
    if out is None or into is None or into in (out, ()):
        return
    raise EngramError(
        f"{source!r} gives {out} values and {target!r} takes {into}: make their shapes equal"
    )


def _shape(kind: Mapping[str, object] | None, key: str) -> tuple[int, ...] | None:
    """A shape without its axes of one neuron; None where it is not known."""
    shape = None if kind is None else kind.get(key)
    return None if shape is None else tuple(int(n) for n in array(shape) if n != 1)


def sources_of(nodes: Mapping[str, nir.NIRNode], edges: list[Edge]) -> dict[str, list[str]]:
    """Whom each node reads."""
    sources: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        sources[target].append(source)
    return sources


def late_edges(
    nodes: Mapping[str, nir.NIRNode], sources: Mapping[str, list[str]], start: str, dt: float
) -> set[Edge]:
    """The edges of loops that carry the output of the step before, as (source, reader).

    A loop through a Delay of a step or more is late there. In any other loop, a neuron is late
    that is at least as far from the Input as the neuron that its output leads to.
    """
    late: set[Edge] = set()
    for loop in loops(sources, late):
        for name in loop:
            node = nodes[name]
            if isinstance(node, nir.Delay) and array(node.delay).min() >= dt * (1 - 1e-9):
                late |= {(source, name) for source in sources[name] if source in loop}
    depth = _depths(sources, start)
    for loop in loops(sources, late):
        readers = {n: [r for r in loop if n in sources[r] and (n, r) not in late] for n in loop}
        neurons = {name for name in loop if isinstance(nodes[name], STATEFUL)}
        for name in neurons:
            for reader in readers[name]:
                reached = _neurons_after(reader, readers, neurons)
                if reached and depth[name] >= min(depth[n] for n in reached):
                    late.add((name, reader))
    return late


STATEFUL = (nir.LIF, nir.IF, nir.LI, nir.I, nir.CubaLIF, nir.Threshold)
"""Nodes whose output may be taken a step late: a spike, or a membrane."""


def _neurons_after(name: str, readers: Mapping[str, list[str]], neurons: set[str]) -> set[str]:
    """The first neurons on the ways from this node."""
    found, pending, seen = set(), [name], set()
    while pending:
        at = pending.pop()
        if at in neurons:
            found.add(at)
        elif at not in seen:
            seen.add(at)
            pending += readers[at]
    return found


def _depths(sources: Mapping[str, list[str]], start: str) -> dict[str, int]:
    """How many edges each node is from the Input at least; nodes out of reach are furthest."""
    readers: dict[str, list[str]] = {name: [] for name in sources}
    for reader, reads in sources.items():
        for source in reads:
            readers[source].append(reader)
    depth, ring = {start: 0}, [start]
    while ring:
        ring = list(dict.fromkeys(r for name in ring for r in readers[name] if r not in depth))
        depth |= dict.fromkeys(ring, max(depth.values()) + 1)
    return {name: depth.get(name, len(sources)) for name in sources}


def loops(sources: Mapping[str, list[str]], late: Collection[Edge] = ()) -> list[set[str]]:
    """The sets of nodes that all depend on each other, through edges that are not late."""
    reads = {name: [s for s in of if (s, name) not in late] for name, of in sources.items()}
    before = {name: _all_before(name, reads) for name in reads}
    found: list[set[str]] = []
    for name in reads:
        if name in before[name] and not any(name in loop for loop in found):
            found.append({other for other in before[name] if name in before[other]})
    return found


def _all_before(name: str, reads: Mapping[str, list[str]]) -> set[str]:
    """The nodes that this node depends on; itself, too, if it lies in a loop."""
    found: set[str] = set()
    pending = list(reads[name])
    while pending:
        at = pending.pop()
        if at not in found:
            found.add(at)
            pending += reads[at]
    return found
