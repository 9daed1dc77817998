"""Networks do what the equations of NIR say, solved by forward Euler."""

from typing import Any

import nir
import numpy as np
import pytest
import torch

from engram.neuron import IF
from engram.neuron.interchange import from_nir, to_nir
from tests.neuron.interchange.interpreter import Interpreter
from tests.neuron.interchange.networks import (
    BATCH,
    DT,
    T,
    assert_fires,
    broadcast,
    build,
    if_node,
    lif_node,
)

OWN = np.array([1.0, 1.5, 2.5, 3.0, 5.0])
"""Values of the neurons' own."""


def cuba_node(**fields) -> nir.CubaLIF:
    values = {"tau_syn": 3e-4, "tau_mem": 5e-4, "r": 2.0, "w_in": 1.0}
    values |= {"v_leak": 0.0, "v_threshold": 0.8, "v_reset": 0.0} | fields
    return nir.CubaLIF(**broadcast(values, 5))


@pytest.mark.parametrize("name", ["lif", "undecayed", "sliding", "dense"])
def test_an_exported_network_is_what_the_equations_of_nir_say(name):
    net, x, _ = build(name)
    graph = to_nir(net, x.shape[2:], dt=DT)
    spikes = net.double()(x.double())
    assert_fires(spikes)
    np.testing.assert_array_equal(
        Interpreter(graph, DT).run(x.double().numpy()), spikes.detach().numpy()
    )


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
        lif_node(tau=DT),
        lif_node(tau=DT, r=1.3, v_leak=0.4, v_threshold=0.9),
        lif_node(v_leak=0.6, r=1.7),
        lif_node(r=5.0, v_leak=-0.3, v_reset=-0.5),
        lif_node(tau=OWN * 1e-4, r=OWN, v_threshold=OWN / 4, v_leak=OWN / 9, v_reset=-OWN),
        lif_node(tau=OWN * 3e-4, r=OWN * 3),
        lif_node(v_threshold=OWN / 4),
        if_node(r=OWN / DT, v_threshold=OWN, v_reset=-OWN / 2),
        if_node(v_threshold=OWN / 2),
        cuba_node(),
        cuba_node(r=7.0, w_in=4.0, v_threshold=9.0),
        cuba_node(tau_syn=OWN * 1e-4, w_in=OWN - 2, v_leak=0.2),
        cuba_node(tau_mem=OWN * 2e-4, r=1 / OWN, v_threshold=OWN / 5, v_reset=-OWN),
        nir.Threshold(OWN / 3),
    ],
)
def test_an_imported_neuron_is_what_the_equations_of_nir_say(node):
    weight = np.random.default_rng(1).normal(1, 2, (5, 4)).astype(np.float32)
    graph = nir.NIRGraph.from_list(nir.Linear(weight), node)
    x = torch.rand(T, BATCH, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    spikes = from_nir(graph, dt=DT).double()(x).detach()
    assert_fires(spikes)
    np.testing.assert_array_equal(spikes.numpy(), Interpreter(graph, DT).run(x.numpy()))


@pytest.mark.parametrize(
    "nodes",
    [
        [nir.LI(OWN * 2e-4, OWN, OWN / 3)],
        [nir.LI(np.full(5, DT), OWN, OWN)],
        [nir.I(OWN / DT)],
        [nir.I(OWN)],
        [nir.Scale(OWN - 2)],
        [nir.Delay(OWN.round() * DT)],
        [nir.Scale(-OWN), nir.Delay(np.full(5, 3 * DT)), nir.Threshold(-OWN)],
        [lif_node(), nir.Delay(OWN.round() * DT), nir.Scale(OWN), nir.LI(*[OWN * 1e-3] * 3)],
    ],
)
def test_what_does_not_fire_is_what_the_equations_of_nir_say(nodes):
    weight = np.random.default_rng(1).normal(1, 2, (5, 4))
    graph = nir.NIRGraph.from_list(nir.Linear(weight), *nodes)
    x = torch.rand(T, BATCH, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    net = from_nir(graph, dt=DT).double()
    for layer, array in [(net["linear"], weight)]:
        layer.load_state_dict({"weight": torch.tensor(array)})
    expected = Interpreter(graph, DT).run(x.numpy())
    assert np.ptp(expected) > 0
    torch.testing.assert_close(net(x), torch.tensor(expected), rtol=1e-6, atol=1e-6)
    again = from_nir(to_nir(net, (4,), dt=DT))
    torch.testing.assert_close(again.double()(x), net(x), rtol=1e-6, atol=1e-6)


def test_a_current_based_integrator_is_two_stages():
    tau_syn, tau_mem, r, w_in = OWN * 3e-4, OWN * 2e-4, OWN / 2, -OWN
    node = nir.CubaLI(tau_syn=tau_syn, tau_mem=tau_mem, r=r, v_leak=OWN / 3, w_in=w_in)
    x = torch.rand(T, BATCH, 5, dtype=torch.float64)
    i, v, expected = 0.0, OWN / 3, []
    for x_t in x.numpy():
        i = i + DT / tau_syn * (-i + w_in * x_t)
        v = v + DT / tau_mem * (OWN / 3 - v + r * i)
        expected.append(v)
    net = from_nir(nir.NIRGraph.from_list(node), dt=DT).double()
    torch.testing.assert_close(net(x), torch.tensor(np.stack(expected)))


def test_parameters_of_channels_stay_small():
    threshold = np.broadcast_to(np.array([0.5, 1.0])[:, None, None], (2, 3, 4))
    node = nir.IF(r=np.ones((2, 3, 4)), v_threshold=threshold, v_reset=np.zeros((2, 3, 4)))
    net = from_nir(nir.NIRGraph.from_list(node))
    assert net["if"].threshold.shape == (2, 1, 1)
    x = torch.rand(T, BATCH, 2, 3, 4)
    torch.testing.assert_close(
        net(x), torch.stack([IF(0.5)(x[:, :, 0]), IF(1.0)(x[:, :, 1])], 2), rtol=0, atol=0
    )


def test_the_two_neurons_of_the_nir_paper():
    """`two_lif_neurons.nir`: the first fires by its leak towards 1.2 alone."""
    graph = nir.NIRGraph.from_list(
        nir.Linear(np.eye(1)),
        lif_node(1, tau=0.01, v_leak=1.2),
        nir.Linear(np.eye(1)),
        lif_node(1, tau=0.01, v_threshold=20.0),
    )
    net, x = from_nir(graph), torch.zeros(1000, 1, 1)
    expected = Interpreter(graph, 1e-4).run(x.numpy())
    np.testing.assert_array_equal(net(x).detach().numpy(), expected)
    assert net["lif"](x).sum() == 5


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
