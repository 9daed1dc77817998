"""Recurrent graphs: loops, current-based neurons, and the published braille networks' structure."""

import copy
import pickle

import nir
import numpy as np
import pytest
import torch
from torch import nn

from engram.neuron import (
    IF,
    LI,
    LIF,
    CubaLIF,
    Delay,
    OverTime,
    RecurrentGraph,
    Threshold,
    detach_state,
    from_nir,
    recurrent,
    stream,
    to_nir,
)
from tests.neuron.interchange.interpreter import Interpreter
from tests.neuron.interchange.networks import DT, assert_fires, by_steps, lif_node

INPUTS, HIDDEN, LETTERS = 12, 38, 7


def cuba_node(n: int, alpha: float, beta: float, **fields) -> nir.CubaLIF:
    """As snnTorch exports its Synaptic neuron of these decays."""
    values = {
        "tau_syn": DT / (1 - alpha),
        "tau_mem": DT / (1 - beta),
        "r": 1 / (1 - beta),
        "w_in": 1 / (1 - alpha),
        "v_leak": 0.0,
        "v_threshold": 1.0,
        "v_reset": 0.0,
    } | fields
    return nir.CubaLIF(**{name: np.full(n, value) for name, value in values.items()})


def affine(rng: np.random.Generator, n: int, m: int, bias: bool, scale: float) -> nir.NIRNode:
    weight = rng.normal(0.0, scale, (n, m)).astype(np.float32)
    if not bias:
        return nir.Linear(weight)
    return nir.Affine(weight, rng.normal(0, 0.1, n).astype(np.float32))


def braille(bias: bool = True, **fields) -> nir.NIRGraph:
    """The structure and constants of `braille_noDelay_bias_zero.nir`, with other weights."""
    rng = np.random.default_rng(0)
    nodes = {
        "input": nir.Input(np.array([INPUTS])),
        "fc1": affine(rng, HIDDEN, INPUTS, bias, 0.4),
        "lif1.lif": cuba_node(HIDDEN, 0.55, 0.9, **fields),
        "lif1.w_rec": affine(rng, HIDDEN, HIDDEN, bias, 0.15),
        "fc2": affine(rng, LETTERS, HIDDEN, bias, 0.3),
        "lif2": cuba_node(LETTERS, 0.5, 0.55, **fields),
        "output": nir.Output(np.array([LETTERS])),
    }
    edges = [("input", "fc1"), ("lif1.w_rec", "lif1.lif"), ("fc2", "lif2"), ("lif2", "output")]
    edges += [("lif1.lif", "lif1.w_rec"), ("fc1", "lif1.lif"), ("lif1.lif", "fc2")]
    return nir.NIRGraph(nodes, edges)


LATE = {("lif1.lif", "lif1.w_rec")}


def touches(steps: int = 60, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return (torch.rand(steps, batch, INPUTS, generator=generator) < 0.3).float()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_the_braille_network_is_what_the_equations_say(bias, reset):
    graph, x = braille(bias), touches()
    net = from_nir(graph, reset=reset)
    expected = Interpreter(graph, DT, late=LATE, subtract=reset == "subtract").run(x.numpy())
    assert_fires(torch.tensor(expected))
    np.testing.assert_array_equal(net.double()(x.double()).detach().numpy(), expected)
    assert "'lif1.w_rec' reads 'lif1.lif' of the step before" in net.notes
    assert any(f"reset='{reset}'" in note for note in net.notes)


def test_constants_in_float32_are_those_of_the_file():
    """The published file has r = 9.99999762 and tau = 0.001: one step for all that."""
    graph = braille()
    for node in ("lif1.lif", "lif2"):
        for field in ("r", "w_in"):
            value = getattr(graph.nodes[node], field)
            setattr(graph.nodes[node], field, value.astype(np.float32).astype(float) - 2e-7)
    net = from_nir(graph)
    assert any("dt = 0.0001, for r is tau/dt" in note for note in net.notes)
    assert not net["lif1.lif"].decay_input


def test_a_loop_of_snntorch_neurons_spikes_alike():
    snn = pytest.importorskip("snntorch")
    graph, x = braille(), touches()
    weights = {
        name: [torch.tensor(a) for a in (graph.nodes[name].weight, graph.nodes[name].bias)]
        for name in ("fc1", "lif1.w_rec", "fc2")
    }
    settings = {"reset_mechanism": "zero", "reset_delay": False}
    first = snn.Synaptic(alpha=0.55, beta=0.9, **settings)
    second = snn.Synaptic(alpha=0.5, beta=0.55, **settings)
    spikes, syn, mem = (torch.zeros(3, HIDDEN) for _ in range(3))
    syn2, mem2 = (torch.zeros(3, LETTERS) for _ in range(2))
    outputs = []
    for x_t in x:
        current = nn.functional.linear(x_t, *weights["fc1"])
        spikes, syn, _ = first(
            current + nn.functional.linear(spikes, *weights["lif1.w_rec"]), syn, mem
        )
        mem = first.mem  # what it returns lacks the reset
        out, syn2, _ = second(nn.functional.linear(spikes, *weights["fc2"]), syn2, mem2)
        mem2 = second.mem
        outputs.append(out)
    ours = from_nir(graph)(x)
    assert_fires(ours)
    torch.testing.assert_close(torch.stack(outputs), ours, rtol=0, atol=0)


def test_spikingjelly_reads_a_loop_that_is_written():
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    net, x = from_nir(braille(bias=False)), touches()
    theirs, state, outputs = exchange.import_from_nir(to_nir(net, (INPUTS,)), dt=DT), None, []
    for x_t in x:
        out, state = theirs(x_t, state)
        outputs.append(out)
    assert_fires(torch.stack(outputs))
    torch.testing.assert_close(torch.stack(outputs), net(x), rtol=0, atol=0)


def subgraph(inner: str, named: str) -> nir.NIRGraph:
    graph, hidden = braille(), np.array([HIDDEN])
    loop = nir.NIRGraph(
        {
            "input": nir.Input(hidden),
            inner: graph.nodes["lif1.lif"],
            "lin": graph.nodes["lif1.w_rec"],
            "output": nir.Output(hidden),
        },
        [("input", named), (named, "lin"), ("lin", named), (named, "output")],
        type_check=False,
    )
    outer = {n: node for n, node in graph.nodes.items() if not n.startswith("lif1")}
    edges = [("input", "fc1"), ("fc1", "lif1"), ("lif1", "fc2"), ("fc2", "lif2")]
    return nir.NIRGraph(outer | {"lif1": loop}, [*edges, ("lif2", "output")], type_check=False)


def test_the_loop_may_lie_in_a_graph_within(tmp_path):
    """The published subgraph files name "lif" in their edges and "lif1" in their nodes."""
    x, expected = touches(), from_nir(braille())(touches())
    torch.testing.assert_close(from_nir(subgraph("lif", "lif"))(x), expected, rtol=0, atol=0)
    nir.write(tmp_path / "sub.nir", subgraph("lif1", "lif"))
    net = from_nir(tmp_path / "sub.nir")
    torch.testing.assert_close(net(x), expected, rtol=0, atol=0)
    assert any("'lif'" in note and "'lif1' has no edges" in note for note in net.notes)


def test_edges_may_lead_into_a_graph_within():
    graph = subgraph("lif", "lif")
    graph.edges = [("lif1.lif", "fc2") if e == ("lif1", "fc2") else e for e in graph.edges]
    torch.testing.assert_close(from_nir(graph)(touches()), from_nir(braille())(touches()))


def test_streams_chunks_copies_and_comes_back(tmp_path):
    net, x = from_nir(braille()), touches()
    whole = net(x)
    assert_fires(whole)
    torch.testing.assert_close(by_steps(net, x), whole, rtol=0, atol=0)
    with stream(net):
        parts = [net(chunk) for chunk in x.split([7, 20, 20, 13])]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=0)
    with torch.no_grad():
        _, state = net.run(x[:7])
    for twin in (copy.deepcopy((net, state)), pickle.loads(pickle.dumps((net, state)))):
        torch.testing.assert_close(twin[0].run(x[7:], twin[1])[0], whole[7:], rtol=0, atol=0)
    nir.write(tmp_path / "net.nir", to_nir(net, (INPUTS,), dt=5e-3))
    back = from_nir(tmp_path / "net.nir")
    torch.testing.assert_close(back(x), whole, rtol=0, atol=0)
    assert back.late == net.late


def test_a_recurrent_layer_learns_through_its_loop():
    layer, x = recurrent(LIF(3.0), nn.Linear(5, 5)), torch.rand(9, 2, 5) * 3
    spikes, loop = [], torch.zeros(2, 5)
    voltage = None
    for x_t in x:  # the same by hand
        y, voltage = layer["neuron"].run((x_t + layer["feedback"](loop))[None], voltage)
        loop = y[0]
        spikes.append(loop)
    assert_fires(layer(x))
    torch.testing.assert_close(layer(x), torch.stack(spikes), rtol=0, atol=0)
    grads = [
        torch.autograd.grad((y * torch.arange(5.0)).sum(), layer["feedback"].weight)[0]
        for y in (layer(x), torch.stack(spikes))
    ]
    assert grads[0].abs().sum() > 0
    torch.testing.assert_close(*grads)


def test_the_gradient_ends_at_a_detached_state():
    layer, x = recurrent(CubaLIF(), nn.Linear(4, 4)), torch.rand(6, 2, 4).requires_grad_()
    with stream(layer):
        layer(x[:3])
        detach_state(layer)
        layer(x[3:]).sum().backward()
    assert x.grad is not None
    assert x.grad[:3].abs().sum() == 0
    assert x.grad[3:].abs().sum() > 0


def test_another_batch_size_is_refused_while_state_is_carried():
    layer = recurrent(LIF(), nn.Linear(4, 4))
    with stream(layer), torch.no_grad():
        layer(torch.rand(3, 2, 4))
        with pytest.raises(ValueError, match=r"a batch of 2 and got a batch of 3.*new stream"):
            layer(torch.rand(3, 3, 4))


def test_a_recurrent_convolution():
    conv = OverTime(nn.Conv2d(3, 3, 3, padding=1))
    net = nn.Sequential(OverTime(nn.Conv2d(2, 3, 3, padding=1)), recurrent(IF(0.5), conv))
    x = torch.rand(6, 2, 2, 5, 5)
    whole = net(x)
    assert_fires(whole)
    torch.testing.assert_close(by_steps(net, x), whole)
    torch.testing.assert_close(from_nir(to_nir(net, (2, 5, 5)))(x), whole)


def wired(nodes: dict[str, nir.NIRNode], *edges: tuple[str, str], n: int = 4) -> nir.NIRGraph:
    ends = {"input": nir.Input(np.array([n])), "output": nir.Output(np.array([n]))}
    return nir.NIRGraph(ends | nodes, list(edges), type_check=False)


def weights(seed: int, scale: float = 0.8, n: int = 4) -> nir.Linear:
    return nir.Linear(np.random.default_rng(seed).normal(0.2, scale, (n, n)))


FORWARD = [("input", "in"), ("in", "a"), ("a", "ab"), ("ab", "b"), ("b", "output")]
LOOPS = {
    "feedback of a deeper layer": (
        wired(
            {"in": weights(1, 2), "a": lif_node(4), "ab": weights(2, 2), "b": lif_node(4, r=2.0)}
            | {"ba": weights(3)},
            *FORWARD,
            *[("b", "ba"), ("ba", "a")],
        ),
        {("b", "ba")},
    ),
    "lateral": (
        wired(
            {"in": weights(1, 2), "ab": weights(2), "ba": weights(3)}
            | {"a": lif_node(4), "b": lif_node(4), "sum": weights(4)},
            *[("input", "in"), ("in", "a"), ("in", "b"), ("a", "ab"), ("ab", "b")],
            *[("b", "ba"), ("ba", "a"), ("a", "sum"), ("b", "sum"), ("sum", "output")],
        ),
        {("a", "ab"), ("b", "ba")},
    ),
    "neurons on themselves": (
        wired({"in": weights(1, 2), "a": lif_node(4)}, *FORWARD[:2], ("a", "a"), ("a", "output")),
        {("a", "a")},
    ),
    "leaky readout fed back": (
        wired(
            {"in": weights(1, 2), "a": lif_node(4), "ab": weights(2, 2), "ba": weights(3)}
            | {"b": nir.LI(*(np.full(4, v) for v in (6e-4, 1.0, 0.2)))},
            *FORWARD,
            *[("b", "ba"), ("ba", "a")],
        ),
        {("b", "ba")},
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_each_loop_is_what_the_equations_say(name):
    graph, late = LOOPS[name]
    x = torch.rand(30, 2, 4, generator=torch.Generator().manual_seed(1)).double()
    net = from_nir(graph, dt=DT).double()
    expected = Interpreter(graph, DT, late=late).run(x.numpy())
    assert np.abs(expected).sum() > 10
    torch.testing.assert_close(net(x), torch.tensor(expected))
    torch.testing.assert_close(by_steps(net, x), torch.tensor(expected))
    torch.testing.assert_close(from_nir(to_nir(net, (4,))).double()(x), torch.tensor(expected))


@pytest.mark.parametrize("delay", [1, 3])
def test_a_delay_in_the_loop_is_all_that_the_loop_is_late_by(delay):
    back = nir.Delay(np.full(4, delay * DT))
    nodes = {"in": weights(1, 2), "a": lif_node(4), "w": weights(3), "late": back}
    edges = [*FORWARD[:2], ("a", "late"), ("late", "w"), ("w", "a"), ("a", "output")]
    graph = wired(nodes, *edges)
    x = torch.rand(30, 2, 4, generator=torch.Generator().manual_seed(1)).double()
    net = from_nir(graph).double()
    # the same with the step that the loop is late by taken out of the delay
    rest = wired(nodes | {"late": nir.Delay(np.full(4, (delay - 1) * DT))}, *edges)
    expected = torch.tensor(Interpreter(rest, DT, late={("a", "late")}).run(x.numpy()))
    assert_fires(expected)
    torch.testing.assert_close(net(x), expected)
    torch.testing.assert_close(by_steps(net, x), expected)
    again = to_nir(net, (4,))
    np.testing.assert_allclose(again.nodes["late"].delay, back.delay)
    torch.testing.assert_close(from_nir(again).double()(x), expected)


def test_refusals():
    with pytest.raises(ValueError, match=r"Sequential at 'a' contains LIF.*by its own name"):
        RecurrentGraph(
            {"a": nn.Sequential(LIF())}, {"a": ["input", "a"], "output": ["a"]}, {("a", "a")}
        )
    with pytest.raises(ValueError, match=r"late=.*only what a layer reads"):
        RecurrentGraph({"a": LIF()}, {"a": ["input"], "output": ["a"]}, {("a", "a")})
    with pytest.raises(ValueError, match=r"'a' reads \('b',\)"):
        RecurrentGraph({"a": LIF(), "b": LIF()}, {"a": ["b"], "b": ["a"], "output": ["b"]}, set())
    alone = RecurrentGraph({"a": LIF()}, {"a": ["a"], "output": ["a"]}, {("a", "a")})
    with pytest.raises(ValueError, match="reads nothing from outside"):
        alone(torch.rand(3, 2, 4))
    with pytest.raises(ValueError, match="reads nothing from outside"):
        to_nir(alone, (4,))


def test_a_loop_delayed_where_nir_cannot_say_is_refused():
    late = {("feedback", "neuron")}
    sources = {"neuron": ("input", "feedback"), "feedback": ("neuron",), "output": ("neuron",)}
    net = RecurrentGraph({"neuron": LIF(), "feedback": nn.Linear(4, 4)}, sources, late)
    with pytest.raises(ValueError, match=r"no such mark.*put a Delay of a step there"):
        to_nir(net, (4,))
    delayed = {"neuron": LIF(), "w": nn.Linear(4, 4), "feedback": Delay(1, delay=0.0)}
    sources = sources | {"w": ("neuron",), "feedback": ("w",)}
    order = ("feedback", "neuron", "w")
    net = RecurrentGraph({n: delayed[n] for n in order}, sources, {("w", "feedback")})
    x = torch.rand(20, 2, 4) * 2
    torch.testing.assert_close(from_nir(to_nir(net, (4,)))(x), net(x), rtol=0, atol=0)


def test_readouts_without_spikes_export():
    net = nn.Sequential(nn.Linear(4, 3), LI(5.0, resting=0.3), Threshold(0.2))
    x = torch.rand(12, 2, 4) * 3
    torch.testing.assert_close(from_nir(to_nir(net, (4,)))(x), net(x))


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_norm_in_a_loop_counts_each_step_once(training: bool) -> None:
    torch.manual_seed(0)
    x = torch.rand(5, 4, 3) * 2
    norm, alone = (OverTime(nn.BatchNorm1d(3)) for _ in range(2))
    net = RecurrentGraph(
        {"neuron": LIF(), "norm": norm},
        {"neuron": ("input", "norm"), "norm": ("neuron",), "output": ("neuron",)},
        late={("norm", "neuron")},
    ).train(training)
    alone.train(training)
    before, state, expected = torch.zeros(1, 4, 3), None, []
    for x_t in x.split(1):
        spikes, state = LIF().run(x_t + before, state)
        expected.append(spikes)
        before = alone(spikes)
    torch.testing.assert_close(net(x), torch.cat(expected))
    torch.testing.assert_close(norm.layer.state_dict(), alone.layer.state_dict())
    assert all(module.training == training for module in net.modules())
