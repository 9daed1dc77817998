"""Networks do what the equations of NIR say, solved by forward Euler."""

# pyright: reportArgumentType=false
# (nir's annotations ask for dicts where its documentation and its code take arrays)

from typing import Any

import nir
import numpy as np
import pytest
import torch

from engram.neuron.interchange import from_nir, to_nir
from tests.neuron.interchange.networks import BATCH, DT, T, assert_fires, build, if_node, lif_node


def simulate(graph: nir.NIRGraph, x: np.ndarray, dt: float) -> np.ndarray:
    """NIR's equations, step by step by forward Euler, for nodes on one axis of neurons."""

    def value(name: str) -> np.ndarray:
        node = graph.nodes[name]
        reads = (value(source) for source, target in graph.edges if target == name)
        total: Any = x if isinstance(node, nir.Input) else sum(reads)
        out: Any
        match node:
            case nir.Input() | nir.Output():
                out = total
            case nir.Linear():
                out = total @ node.weight.T
            case nir.Affine():
                out = total @ node.weight.T + node.bias
            case nir.Scale():
                out = total * node.scale
            case nir.Threshold():
                out = (total >= node.threshold).astype(float)
            case nir.Delay():
                out = np.zeros_like(total)
                for i, delay in enumerate(node.delay):
                    for t in range(round(delay / dt), len(total)):
                        out[t, :, i] = total[t - round(delay / dt), :, i]
            case nir.LIF():
                out = fire(node, total, lambda v, i: dt / node.tau * (node.v_leak - v + node.r * i))
            case nir.IF():
                out = fire(node, total, lambda v, i: dt * node.r * i)
            case _:
                raise AssertionError(node)
        return out

    def fire(node, current, change):
        spikes = np.zeros_like(current)
        v = np.broadcast_to(node.v_reset, current.shape[1:])
        for t, i in enumerate(current):
            v = v + change(v, i)
            spikes[t] = v >= node.v_threshold
            v = np.where(spikes[t] > 0, node.v_reset, v)
        return spikes

    return value("output")


@pytest.mark.parametrize("name", ["lif", "undecayed", "sliding", "dense"])
def test_an_exported_network_is_what_the_equations_of_nir_say(name):
    net, x, _ = build(name)
    graph = to_nir(net, x.shape[2:], dt=DT)
    spikes = net.double()(x.double())
    assert_fires(spikes)
    np.testing.assert_array_equal(simulate(graph, x.double().numpy(), DT), spikes.detach().numpy())


@pytest.mark.parametrize(
    "node",
    [
        lif_node(),
        lif_node(r=5.0),
        lif_node(r=2.7, v_threshold=1.4, v_leak=0.3, v_reset=0.3),
        lif_node(tau=1.23e-3, r=9.0, v_threshold=0.5, v_leak=-2.0, v_reset=-2.0),
        if_node(),
        if_node(r=1.0, v_threshold=2e-4, v_reset=-1e-4),
        nir.Threshold(np.full(5, 1.2)),
    ],
)
def test_an_imported_neuron_is_what_the_equations_of_nir_say(node):
    weight = np.random.default_rng(1).normal(1, 2, (5, 4)).astype(np.float32)
    graph = nir.NIRGraph.from_list(nir.Linear(weight), node)
    x = torch.rand(T, BATCH, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    spikes = from_nir(graph, dt=DT).double()(x).detach()
    assert_fires(spikes)
    np.testing.assert_array_equal(spikes.numpy(), simulate(graph, x.numpy(), DT))


def test_inputs_of_a_delay_line_add_up():
    ones = np.ones(4)
    nodes = {"in": nir.Input(np.array([4])), "out": nir.Output(np.array([4]))}
    nodes |= {"a": nir.Linear(np.eye(4) * 2), "b": nir.Linear(np.eye(4) - 0.5)}
    nodes |= {"late": nir.Delay(ones * 2 * DT), "half": nir.Scale(ones / 2)}
    nodes |= {"late_b": nir.Delay(ones * 2 * DT), "half_b": nir.Scale(ones / 2)}
    nodes |= {"output": nir.Threshold(ones * 0.3)}
    edges = [("in", "a"), ("in", "b"), ("a", "late"), ("late", "half"), ("half", "output")]
    edges += [("b", "late_b"), ("late_b", "half_b"), ("half_b", "output")]
    edges += [("a", "output"), ("b", "output"), ("output", "out")]
    net: Any = from_nir(nir.NIRGraph(nodes, edges), dt=DT)
    assert net["output_"].weight.tolist() == [0.5, 0, 1]
    x = torch.randn(T, BATCH, 4, generator=torch.Generator().manual_seed(0))
    mixed = net["a"](x) + net["b"](x)
    now = mixed + 0.5 * torch.cat([torch.zeros(2, BATCH, 4), mixed[:-2]])
    torch.testing.assert_close(net(x), (now >= 0.3).float())
