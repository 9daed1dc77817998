"""SpikingJelly and snnTorch read what is written, and what they write is read."""

from typing import Any

import pytest
import torch
from torch import nn

from engram.neuron import IF, LIF
from engram.neuron.interchange import from_nir, to_nir
from tests.neuron.interchange.networks import BATCH, DT, T, assert_fires, by_steps, excite


@pytest.mark.parametrize("decay_input", [True, False])
def test_spikingjelly_reads_what_is_written(decay_input):
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        LIF(2.5, 0.3, -0.1, decay_input=decay_input),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 6),
        IF(0.8),
    )
    torch.manual_seed(3)
    excite(net)
    x = torch.rand(T, BATCH, 2, 8, 8)
    theirs, _ = exchange.import_from_nir(to_nir(net, (2, 8, 8), dt=DT), dt=DT, step_mode="m")(x)
    assert_fires(theirs)
    torch.testing.assert_close(theirs, by_steps(net, x), rtol=0, atol=0)


def test_what_spikingjelly_writes_is_read():
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    from spikingjelly.activation_based import functional, layer, neuron

    torch.manual_seed(4)
    theirs = nn.Sequential(
        layer.Conv1d(2, 4, 3, padding=1, bias=False),
        neuron.ParametricLIFNode(init_tau=3.0, v_threshold=0.2),
        layer.Flatten(),
        layer.Linear(32, 6),
        neuron.LIFNode(tau=1.8, v_threshold=0.5, v_reset=-0.1, decay_input=False),
        layer.Linear(6, 5, bias=False),
        neuron.IFNode(v_threshold=0.6, v_reset=0.1),
    )
    excite(theirs)
    functional.set_step_mode(theirs, "m")
    x = torch.rand(T, BATCH, 2, 8)
    spikes = theirs(x)
    functional.reset_net(theirs)
    assert_fires(spikes)
    ours = from_nir(exchange.export_to_nir(theirs, x, dt=2e-3), dt=2e-3)
    torch.testing.assert_close(ours(x), spikes, rtol=0, atol=0)


def test_snntorch_reads_what_is_written():
    importer = pytest.importorskip("snntorch.import_nir")
    torch.manual_seed(5)
    net = nn.Sequential(
        nn.Linear(6, 8), LIF(4.0, 0.5), nn.Linear(8, 5), LIF(2.0, 0.9, decay_input=False)
    )
    excite(net)
    x = torch.rand(T, BATCH, 6)
    theirs, state, spikes = importer.import_from_nir(to_nir(net, (6,), dt=1e-4)), None, []
    for x_t in x:
        spikes_t, state = theirs(x_t, state)
        spikes.append(spikes_t)
    assert_fires(torch.stack(spikes))
    torch.testing.assert_close(torch.stack(spikes), net(x), rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph:DeprecationWarning")
def test_what_snntorch_writes_is_read():
    snn = pytest.importorskip("snntorch")
    pytest.importorskip("nirtorch")
    from snntorch import utils
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(6)

    def leaky(n: int, beta: float) -> nn.Module:
        return snn.Leaky(
            beta=torch.full((n,), beta),
            threshold=torch.full((n,), 0.9),
            init_hidden=True,
            reset_mechanism="zero",
            reset_delay=False,
        )

    theirs = nn.Sequential(nn.Linear(6, 8), leaky(8, 0.9), nn.Linear(8, 5), leaky(5, 0.75))
    excite(theirs)
    graph: Any = export_to_nir(theirs, torch.rand(1, 6), ignore_dims=[0])
    ours = from_nir(graph, dt=1e-4)
    utils.reset(theirs)
    x = torch.rand(T, BATCH, 6)
    spikes = torch.stack([theirs(x_t) for x_t in x])
    assert_fires(spikes)
    torch.testing.assert_close(ours(x), spikes, rtol=0, atol=0)
