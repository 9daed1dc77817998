"""What cannot be exchanged is refused, by name and with a remedy."""

import subprocess
import sys
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from torch import nn

from engram.neuron import IF, LIF, PSN, MaskedPSN
from engram.neuron.interchange import SpikingGraph, from_nir, to_nir
from tests.neuron.interchange.networks import DT, if_node, lif_node


class Scripted(nn.Module):
    """A network whose forward is the function given."""

    def __init__(self, forward):
        super().__init__()
        self.linear, self.lif, self.run = nn.Linear(4, 4), LIF(), forward

    def forward(self, x):
        return self.run(self, x)


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers).eval()


NOT_EXPORTED = {
    "soft reset": (chain(nn.Linear(4, 4), IF(reset=None)), (4,), "IF at '1'.*reset=0.0"),
    "psn": (chain(PSN(5)), (4,), "PSN at '0'.*SlidingPSN"),
    "masked": (chain(MaskedPSN(2, 5, lam=0.5)), (4,), "MaskedPSN at '0'.*SlidingPSN"),
    "layer": (chain(nn.Linear(4, 4), nn.ReLU()), (4,), "ReLU at '1'.*use Linear"),
    "readout": (Scripted(lambda n, x: n.lif(n.linear(x)).mean(0)), (4,), "'output'.*'mean'.*out"),
    "reshape": (Scripted(lambda n, x: n.lif(x.reshape(2, 2, 4))), (4,), "'lif'.*'reshape'"),
    "scalar": (Scripted(lambda n, x: n.lif(x + 1)), (4,), "'lif'.*'add'"),
    "scaled sum": (Scripted(lambda n, x: torch.add(x, n.lif(x), alpha=2)), (4,), "'add'"),
    "constant": (Scripted(lambda n, x: n.lif(1.0)), (4,), "'lif' reads 1.0"),
    "branch": (
        Scripted(lambda n, x: x if x.sum() > 0 else -x),
        (4,),
        "cannot be recorded.*control flow",
    ),
    "folded": (Scripted(lambda n, x: n.lif(x.flatten(0, 1))), (4,), "LIF at 'lif'.*unflatten"),
    "twice": (Scripted(lambda n, x: n.lif(x + x)), (4,), "'lif' adds.*more than once"),
    "foreign": (Scripted(lambda n, x: LIF()(x)), (4,), "not installed.*its own layers"),
    "training": (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), (4,), "'1'.*net.eval"),
    "dropout": (nn.Sequential(nn.Dropout()), (4,), "Dropout at '0'.*net.eval"),
    "statistics": (
        chain(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False)),
        (4,),
        "'1'.*track_running_stats=True",
    ),
    "norm first": (chain(nn.BatchNorm1d(4), LIF()), (4,), "BatchNorm1d at '0'.*follows a Linear"),
    "groups": (chain(nn.Conv2d(4, 4, 3, groups=2)), (4, 8, 8), "Conv2d at '0'.*one group"),
    "kernel": (chain(nn.Conv2d(4, 4, (1, 3))), (4, 8, 8), "Conv2d at '0'.*square kernel"),
    "axes": (chain(nn.Linear(4, 4)), (3, 4), "Linear at '0'.*one axis"),
    "padding": (
        chain(nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular")),
        (1, 8),
        "Conv1d at '0'.*circular",
    ),
    "ceil": (chain(nn.AvgPool2d(2, ceil_mode=True)), (1, 5, 5), "AvgPool2d at '0'.*ceil_mode"),
    "uncounted": (
        chain(nn.AvgPool1d(2, padding=1, count_include_pad=False)),
        (1, 5),
        "AvgPool1d at '0'.*count_include_pad",
    ),
    "divisor": (
        chain(nn.AvgPool2d(2, divisor_override=3)),
        (1, 4, 4),
        "AvgPool2d at '0'.*divisor_override=3",
    ),
    "shape": (chain(nn.Linear(4, 4)), (5,), r"Linear at '0'.*5"),
}


@pytest.mark.parametrize("name", NOT_EXPORTED)
def test_what_nir_cannot_express_is_refused_by_name(name):
    net, shape, message = NOT_EXPORTED[name]
    with pytest.raises(ValueError, match=message):
        to_nir(net, shape)


def test_signals_of_different_shapes_do_not_add_up():
    net = SpikingGraph(
        {"a": nn.Linear(4, 1), "b": nn.Linear(4, 4)},
        {"a": ["input"], "b": ["input"], "output": "ab"},
    )
    with pytest.raises(ValueError, match=r"'output'.*\(1,\), \(4,\)"):
        to_nir(net, (4,))


def graph(nodes: dict[str, nir.NIRNode], *edges: str, n: int = 5) -> nir.NIRGraph:
    """A graph between x and y from edges such as "x>a>y", which nir itself does not check."""
    ends = {"x": nir.Input(np.array([n])), "y": nir.Output(np.array([n]))}
    pairs = [pair for edge in edges for names in [edge.split(">")] for pair in pairwise(names)]
    return nir.NIRGraph(ends | nodes, pairs, type_check=False)


def chain_of(node: nir.NIRNode) -> nir.NIRGraph:
    return graph({"a": node}, "x>a>y")


FIVE, UNEQUAL = np.ones(5), np.arange(1.0, 6.0)
THRESHOLD = nir.Threshold(FIVE)
NOT_IMPORTED = {
    "fast": (chain_of(lif_node(tau=DT / 2)), "LIF at 'a'.*above 1 step"),
    "resistance": (chain_of(if_node(r=-1.0)), "IF at 'a': r=-1.0"),
    "reset": (chain_of(if_node(v_reset=2.0)), "IF at 'a'.*below the threshold"),
    "stack": (chain_of(nir.Linear(np.ones((2, 5, 5)))), "Linear at 'a'.*matrix"),
    "bias": (chain_of(nir.Affine(np.ones((5, 5)), np.ones(4))), "(?s)Affine at 'a'.*bias"),
    "negative": (chain_of(nir.Delay(-FIVE)), "Delay at 'a'.*negative"),
    "loop": (
        graph({"a": nir.Scale(FIVE), "b": nir.Linear(np.eye(5))}, "x>a>y", "a>b>a"),
        "loop without a neuron or a delay.*cut it",
    ),
    "inputs": (graph({"z": nir.Input(np.array([5]))}, "x>y", "z>y"), r"2 nodes.*Input \(x, z\)"),
    "edge": (graph({}, "x>nowhere>y"), "nowhere"),
    "sourceless": (graph({"a": lif_node()}, "a>y"), r"'a' reads \(\).*at least one source"),
    "unread": (graph({"a": THRESHOLD}, "a>y"), "Threshold at 'a': it reads nothing"),
    "ends": (
        chain_of(graph({"z": nir.Input(np.array([5]))}, "x>y", "z>y")),
        "NIRGraph at 'a'.*x, z",
    ),
    "half a step": (
        graph({"a": THRESHOLD, "d": nir.Delay(FIVE * DT / 2)}, "x>d>a>y"),
        "Threshold at 'a': Delay at 'd': .*0.5 steps",
    ),
}


@pytest.mark.parametrize("name", NOT_IMPORTED)
def test_what_the_neurons_cannot_express_is_refused_by_name(name):
    graph, message = NOT_IMPORTED[name]
    with pytest.raises(ValueError, match=message):
        from_nir(graph, dt=DT)


@pytest.mark.parametrize("dt", [0.0, -1e-4, float("nan"), float("inf")])
def test_a_step_lasts_a_positive_time(dt):
    with pytest.raises(ValueError, match=r"dt=.*such as 1e-4"):
        to_nir(LIF(), (3,), dt=dt)
    with pytest.raises(ValueError, match=r"dt=.*such as 1e-4"):
        from_nir(chain_of(lif_node()), dt=dt)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "engram\[nir\]"'):
        to_nir(LIF(), (3,))
    with pytest.raises(ModuleNotFoundError, match=r'pip install "engram\[nir\]"'):
        from_nir("net.nir")


def test_importing_the_neurons_does_not_import_nir():
    code = "import engram.neuron, engram.neuron.interchange, sys; assert 'nir' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
