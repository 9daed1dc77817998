"""What is written to NIR reads back as the same network."""

from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engram.neuron import IF, LIF, SlidingPSN
from engram.neuron.interchange import from_nir, to_nir
from tests.neuron.interchange.networks import (
    BATCH,
    DT,
    NETS,
    T,
    assert_fires,
    build,
    by_steps,
    if_node,
    lif_node,
)


@pytest.mark.parametrize("name", NETS)
def test_what_is_written_reads_back_with_equal_spikes(name, tmp_path):
    net, x, by_step = build(name)
    spikes = by_steps(net, x) if by_step else net(x)
    assert_fires(spikes)
    nir.write(tmp_path / "net.nir", to_nir(net, x.shape[2:], dt=3e-4))
    back = from_nir(tmp_path / "net.nir", dt=3e-4)
    torch.testing.assert_close(back(x), spikes, rtol=0, atol=0)
    torch.testing.assert_close(by_steps(back, x), spikes, rtol=0, atol=0)


@pytest.mark.parametrize("name", NETS)
def test_an_imported_network_exports_the_graph_it_came_from(name):
    net, x, _ = build(name)
    graph = to_nir(net, x.shape[2:])
    again = to_nir(from_nir(graph), x.shape[2:])
    assert set(again.edges) == set(graph.edges)
    for node, other in (
        (graph.nodes[name].to_dict(), again.nodes[name].to_dict()) for name in graph.nodes
    ):
        assert node.keys() == other.keys()
        for field, value in node.items():
            if isinstance(value, str):
                assert value == other[field]
            elif field != "metadata":
                np.testing.assert_allclose(other[field], value, rtol=1e-12)


@given(
    tau=st.floats(1.01, 1e4),
    threshold=st.floats(0.1, 10),
    reset=st.floats(-10, 0),
    decay_input=st.booleans(),
    dt=st.floats(1e-6, 1e-1),
)
@settings(max_examples=50, deadline=None)
def test_a_lif_comes_back_whatever_the_step(tau, threshold, reset, decay_input, dt):
    net = LIF(tau, threshold, reset, decay_input=decay_input)
    (back,) = from_nir(to_nir(net, (3,), dt=dt), dt=dt).layers
    assert back.tau == pytest.approx(tau, rel=1e-8)
    assert (back.threshold, back.reset) == (threshold, reset)
    assert back.decay_input == decay_input


@given(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=6), st.floats(-2, 2, width=32))
@settings(max_examples=50, deadline=None)
def test_a_sliding_psn_comes_back_from_its_delay_line(weight, threshold):
    net = SlidingPSN(len(weight))
    net.load_state_dict({"weight": torch.tensor(weight), "threshold": torch.tensor(threshold)})
    (back,) = from_nir(to_nir(net, (2, 3), dt=DT), dt=DT).layers
    assert isinstance(back, SlidingPSN)
    assert back.weight.tolist() == weight
    assert back.threshold.item() == threshold


def test_a_graph_within_a_graph_is_opened():
    inner = nir.NIRGraph.from_list(nir.Linear(np.eye(5)), lif_node())
    outer = nir.NIRGraph.from_list(nir.Linear(np.ones((5, 4))), inner, if_node())
    net = from_nir(outer)
    flat = nn.Sequential(net["linear"], LIF(5.0), IF())
    x = torch.rand(T, BATCH, 4)
    assert_fires(flat(x))
    torch.testing.assert_close(net(x), flat(x))
    torch.testing.assert_close(by_steps(net, x), flat(x))
    assert isinstance(net["nirgraph.lif"], LIF)
    torch.testing.assert_close(from_nir(to_nir(net, (4,)))(x), flat(x))


def test_sums_in_a_network_may_be_written_in_any_way():
    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.lif = nn.Linear(4, 4), nn.Linear(4, 4), LIF()

        def forward(self, x):
            y = self.a(x).add(self.b(x))
            y += x
            return torch.add(self.lif(y), x)

    net, x = Sums(), torch.rand(T, BATCH, 4)
    torch.testing.assert_close(from_nir(to_nir(net, (4,)))(x), net(x))


def test_pooled_sums_come_back():
    net = nn.Sequential(nn.AvgPool2d((2, 2), stride=1, padding=(1, 0), divisor_override=1))
    x = torch.rand(T, BATCH, 2, 5, 5)
    graph = to_nir(net, (2, 5, 5))
    assert isinstance(graph.nodes["0"], nir.SumPool2d)
    torch.testing.assert_close(from_nir(graph)(x), net(x.flatten(0, 1)).unflatten(0, (T, BATCH)))


def test_batch_norm_that_nothing_but_the_norm_reads_leaves_one_node():
    net, *_ = build("convolutional")
    nodes = to_nir(net, (2, 8, 8)).nodes
    assert [type(node).__name__ for node in nodes.values()] == [
        *("Input", "Conv2d", "LIF", "AvgPool2d", "Conv2d", "IF", "Flatten", "Affine", "LIF"),
        "Output",
    ]


def test_graph_and_networks_share_no_memory():
    net: Any
    net, x, _ = build("dense")
    graph = to_nir(net, x.shape[2:])
    nodes: dict[str, Any] = graph.nodes
    back = from_nir(graph)
    before = back(x)
    with torch.no_grad():
        net[0].weight.zero_()
    nodes["2"].weight[:] = 0
    torch.testing.assert_close(back(x), before)
    assert nodes["0"].weight.any()


def test_an_imported_network_learns():
    net, x, _ = build("folded")
    back = from_nir(to_nir(net, x.shape[2:]))
    back(x).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in back.parameters())


def test_export_leaves_the_network_as_it_was():
    net, x, _ = build("folded")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    to_nir(net, x.shape[2:])
    assert not any(module.training for module in net.modules())
    torch.testing.assert_close(net.state_dict(), before)
