"""What a step and a resistance mean is read from the file, said, or asked for."""

import nir
import numpy as np
import pytest
import torch
from torch import nn

from engram.neuron import IF, LIF, SlidingPSN, from_nir, to_nir
from tests.neuron.interchange.interpreter import Interpreter
from tests.neuron.interchange.networks import assert_fires, if_node, lif_node

N = 4


def chain(*nodes: nir.NIRNode) -> nir.NIRGraph:
    weight = np.random.default_rng(0).normal(0.3, 1, (N, N))
    return nir.NIRGraph.from_list(nir.Linear(weight), *nodes)


def spikes_of(net: nn.Module) -> np.ndarray:
    return net.double()(inputs()).detach().numpy()


def inputs(steps: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(steps, 2, N, generator=generator, dtype=torch.float64) * 1.5


def unit_if(**fields) -> nir.IF:
    return if_node(N, **{"r": 1.0} | fields)


PER_STEP = {
    "sinabs, by default": (unit_if(), {}),
    "sinabs, frames of 1 ms": (unit_if(), {"dt": 1e-3}),
    "as asked": (unit_if(), {"convention": "per-step"}),
    "a threshold of a few inputs": (unit_if(v_threshold=3.0), {}),
    "weights in whole numbers": (unit_if(v_threshold=0.9, r=1.0), {"dt": 1e-4}),
}


@pytest.mark.parametrize("name", PER_STEP)
def test_r_of_one_acts_per_step_as_in_sinabs_and_snntorch(name):
    node, settings = PER_STEP[name]
    net = from_nir(chain(node), **settings)
    spikes = spikes_of(net)
    assert_fires(torch.tensor(spikes))
    expected = Interpreter(chain(node), 1.0, gain=1.0).run(inputs().numpy())
    np.testing.assert_array_equal(spikes, expected)
    assert any("v ← v + r·i a step" in note for note in net.notes)


PHYSICAL = {
    "SpikingJelly": (if_node(N, r=1e4), {}, 1e-4),
    "SpikingJelly, its dt read from r": (if_node(N, r=500.0), {}, 2e-3),
    "its dt given": (if_node(N, r=500.0), {"dt": 2e-3}, 2e-3),
    "a threshold in reach of dt alone": (unit_if(v_threshold=2e-4), {"dt": 1e-4}, 1e-4),
    "as asked": (unit_if(v_threshold=1e-4), {"convention": "physical"}, 1e-4),
    "another resistance": (if_node(N, r=7000.0), {"dt": 1e-4}, 1e-4),
    "steps as the unit": (unit_if(), {"dt": 1.0}, 1.0),
}


@pytest.mark.parametrize("name", PHYSICAL)
def test_r_of_one_over_dt_acts_per_unit_of_time(name):
    node, settings, dt = PHYSICAL[name]
    net = from_nir(chain(node), **settings)
    spikes = spikes_of(net)
    assert_fires(torch.tensor(spikes))
    np.testing.assert_array_equal(spikes, Interpreter(chain(node), dt).run(inputs().numpy()))
    assert any(f"dt = {dt:g}" in note for note in net.notes)


TIMES = {
    "the usual dt": (lif_node(N, tau=5e-4), {}, 1e-4, "the usual value"),
    "sinabs, in steps": (lif_node(N, tau=20.0), {}, 1.0, "times are in steps"),
    "SpikingJelly in steps": (lif_node(N, tau=4.0, r=4.0), {}, 1.0, "r is tau/dt"),
    "snnTorch": (lif_node(N, tau=1e-3, r=10.0), {}, 1e-4, "r is tau/dt"),
    "float32": (
        lif_node(N, tau=1e-3, r=np.float32(10) - np.float32(2e-6)),
        {},
        1e-4,
        "r is tau/dt",
    ),
    "given": (lif_node(N, tau=5e-3, r=2.5), {"dt": 1e-3}, 1e-3, "as given"),
}


@pytest.mark.parametrize("name", TIMES)
def test_the_step_is_read_from_times_and_resistances(name):
    node, settings, dt, why = TIMES[name]
    net = from_nir(chain(node), **settings)
    assert any(note.startswith(f"dt = {dt:g}") and why in note for note in net.notes)
    expected = Interpreter(chain(node), dt).run(inputs(200).numpy())
    np.testing.assert_array_equal(net.double()(inputs(200)).detach().numpy(), expected)


def test_two_layers_that_agree_settle_another_step():
    graph = chain(lif_node(N, tau=1e-2, r=5.0), lif_node(N, tau=6e-3, r=3.0))
    net = from_nir(graph)
    assert any(note.startswith("dt = 0.002, for r is tau/dt") for note in net.notes)
    np.testing.assert_array_equal(spikes_of(net), Interpreter(graph, 2e-3).run(inputs().numpy()))


UNSETTLED = {
    "r = 1 beside times in seconds": (
        chain(unit_if(), lif_node(N, tau=5e-3)),
        {},
        r"r of 'if' may act per step.*other nodes have times.*convention='per-step'",
    ),
    "the same with dt": (
        chain(unit_if(), lif_node(N, tau=5e-3)),
        {"dt": 1e-3},
        "r of 'if' may act per step",
    ),
    "one of each": (chain(unit_if(), if_node(N, r=1e4)), {}, "r of 'if', 'if_1' may act"),
    "a threshold between both": (chain(unit_if(v_threshold=1.0)), {"dt": 0.05}, "may act per step"),
    "a threshold out of reach": (chain(unit_if(v_threshold=1e-3)), {}, "may act per step"),
    "another resistance": (chain(if_node(N, r=3.0)), {}, "may act per step"),
    "an integrator alone": (chain(nir.I(np.ones(N))), {}, "r of 'i' may act per step"),
    "one layer with r = tau/dt": (
        chain(lif_node(N, tau=1e-2, r=5.0)),
        {},
        r"either tau/dt for dt = 0.002, or a resistance.*dt=0.002 or dt=0.0001",
    ),
    "layers that disagree": (
        chain(lif_node(N, tau=1e-2, r=5.0), lif_node(N, tau=1e-2, r=10.0)),
        {},
        r"different durations.*'lif': 0.002, 'lif_1': 0.001.*such as dt=1e-4",
    ),
    "seconds or steps": (
        chain(lif_node(N, tau=0.5), lif_node(N, tau=20.0)),
        {},
        "seconds or steps.*dt=1 for steps",
    ),
    "too long a step": (chain(lif_node(N, tau=5e-4)), {"dt": 1e-3}, "0.5 steps of dt = 0.001"),
    "a delay of years": (
        chain(nir.Delay(np.full(N, 3e7)), lif_node(N, tau=5e-3)),
        {"dt": 1e-3},
        "steps of dt = 0.001, above the 100000",
    ),
}


@pytest.mark.parametrize("name", UNSETTLED)
def test_what_the_file_leaves_open_is_asked_for(name):
    graph, settings, message = UNSETTLED[name]
    with pytest.raises(ValueError, match=message):
        from_nir(graph, **settings)


@pytest.mark.parametrize("convention", ["physical", "per-step"])
def test_each_unsettled_if_loads_as_asked(convention):
    graph = chain(unit_if(v_threshold=1e-3), lif_node(N, tau=5e-3, v_threshold=1e-3))
    net = from_nir(graph, convention=convention)
    gain = 1.0 if convention == "per-step" else 1e-4
    expected = Interpreter(graph, 1e-4, gain=gain).run(inputs().numpy())
    np.testing.assert_array_equal(spikes_of(net), expected)


@pytest.mark.parametrize("convention", ["physical", "per-step"])
@pytest.mark.parametrize("dt", [1e-4, 2e-3, 1.0])
def test_what_is_written_says_its_units(convention, dt, tmp_path):
    net = nn.Sequential(nn.Linear(N, N), IF(0.4), nn.Linear(N, N), LIF(3.0, 0.2), SlidingPSN(2))
    torch.manual_seed(2)
    for layer in (net[0], net[2]):
        nn.init.uniform_(layer.weight, -0.5, 1)
    graph = to_nir(net, (N,), dt=dt, convention=convention)
    np.testing.assert_allclose(graph.nodes["1"].r, 1 / dt if convention == "physical" else 1.0)
    nir.write(tmp_path / "net.nir", graph)
    back = from_nir(tmp_path / "net.nir")
    x = inputs().float()
    assert_fires(net(x))
    torch.testing.assert_close(back(x), net(x), rtol=0, atol=0)
    assert any("metadata" in note for note in back.notes)


def test_a_file_may_run_at_another_step_than_it_was_written_for():
    graph = to_nir(LIF(10.0), (N,), dt=1e-3)
    net = from_nir(graph, dt=5e-4)
    assert net.layers[0].tau == pytest.approx(20)
    assert any("written for dt = 0.001" in note for note in net.notes)


def test_notes_are_in_the_representation():
    assert "# dt = 0.0001" in repr(from_nir(chain(lif_node(N))))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"convention": "steps"}, "convention='steps'.*'physical' or 'per-step'"),
        ({"reset": "zero"}, "reset='zero'.*'subtract'"),
        ({"dt": 0.0}, "such as 1e-4"),
    ],
)
def test_arguments_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        from_nir(chain(lif_node(N)), **settings)


def test_the_soft_reset_is_a_choice():
    graph = chain(unit_if(v_reset=-0.5))
    x = inputs().numpy()
    for reset in ("subtract", None):
        spikes = spikes_of(from_nir(graph, reset=reset))
        expected = Interpreter(graph, 1.0, gain=1.0, subtract=True).run(x)
        np.testing.assert_array_equal(spikes, expected)
    assert (spikes != spikes_of(from_nir(graph))).any()


def test_snntorch_reads_an_if_that_acts_per_step():
    importer = pytest.importorskip("snntorch.import_nir")
    net = nn.Sequential(nn.Linear(6, 5), IF(0.8))
    with pytest.raises(AssertionError, match="r != 1"):
        importer.import_from_nir(to_nir(net, (6,)))
    theirs = importer.import_from_nir(to_nir(net, (6,), convention="per-step"))
    (spikes, _), _ = theirs(torch.rand(2, 6))
    assert spikes.shape == (2, 5)


def test_snntorch_spikes_alike_where_an_if_is_written_as_a_lif_that_hardly_leaks():
    """snnTorch makes a leaky neuron with soft reset of every IF, and of this what it says."""
    importer = pytest.importorskip("snntorch.import_nir")
    net = nn.Sequential(nn.Linear(6, 5), LIF(1e9, 0.8, decay_input=False))
    nn.init.uniform_(net[0].weight, -0.3, 0.6)
    theirs, state, spikes = importer.import_from_nir(to_nir(net, (6,))), None, []
    x = torch.rand(30, 2, 6)
    for x_t in x:
        out, state = theirs(x_t, state)
        spikes.append(out)
    assert_fires(net(x))
    with torch.no_grad():
        expected = nn.Sequential(net[0], IF(0.8))(x)
    torch.testing.assert_close(torch.stack(spikes), expected, rtol=0, atol=0)


@pytest.mark.parametrize("dt", [1e-4, 2e-3])
def test_spikingjelly_reads_an_if_that_acts_per_unit_of_time(dt):
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    net = nn.Sequential(nn.Linear(6, 5), IF(0.8))
    nn.init.uniform_(net[0].weight, -0.3, 0.6)
    x = torch.rand(30, 2, 6)
    with pytest.raises(ValueError, match="must equal 1 / dt"):
        exchange.import_from_nir(to_nir(net, (6,), dt=dt, convention="per-step"), dt=dt)
    theirs, _ = exchange.import_from_nir(to_nir(net, (6,), dt=dt), dt=dt, step_mode="m")(x)
    assert_fires(theirs)
    torch.testing.assert_close(theirs, net(x), rtol=0, atol=0)


def test_the_structure_of_the_published_cnn_fires_as_its_equations_say(tmp_path):
    """`cnn_sinabs.nir` of the NIR paper: IF of r = 1 and threshold 1, sums, no biases."""
    rng = np.random.default_rng(0)

    def conv(out: int, into: int, k: int, stride: int) -> nir.Conv2d:
        weight = rng.normal(0.15, 1, (out, into, k, k)).astype(np.float32) / np.sqrt(k * k * into)
        sizes = (stride, stride), (1, 1), (1, 1), 1
        return nir.Conv2d(None, weight, *sizes, np.zeros(out, np.float32))

    def linear(out: int, into: int) -> nir.Affine:
        weight = rng.normal(0.1, 1, (out, into)).astype(np.float32) / np.sqrt(into)
        return nir.Affine(weight, np.zeros(out, np.float32))

    def fire(*shape: int) -> nir.IF:
        one = np.ones(shape, np.float32)
        return nir.IF(r=one, v_threshold=one, v_reset=0 * one)

    pool = [nir.SumPool2d(*np.array([[2, 2], [2, 2], [0, 0]])) for _ in range(2)]
    graph = nir.NIRGraph.from_list(
        *[nir.Input(np.array([2, 34, 34])), conv(16, 2, 5, 2), fire(16, 16, 16)],
        *[conv(16, 16, 3, 1), fire(16, 16, 16), pool[0], conv(8, 16, 3, 1), fire(8, 8, 8)],
        *[pool[1], nir.Flatten({"input": np.array([8, 4, 4])}, 0, -1)],
        *[linear(256, 128), fire(256), linear(10, 256), fire(10)],
    )
    nir.write(tmp_path / "cnn.nir", graph)
    net = from_nir(tmp_path / "cnn.nir")
    assert net["if"].threshold == 1.0
    x = torch.rand(12, 1, 2, 34, 34, generator=torch.Generator().manual_seed(0)) < 0.1
    spikes = net.double()(x.double())
    assert_fires(spikes)
    expected = Interpreter(graph, 1.0, gain=1.0).run(x.numpy())
    np.testing.assert_array_equal(spikes.detach().numpy(), expected)
