"""torch.compile, in a process of its own: the compiler cannot see through the shape checks."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engram.neuron import IF, Delay, MaskedPSN, OverTime, Temporal, stream
from tests.neuron.members import CAUSAL, KINDS, MEMBERS, STATELESS, T

ROOT = Path(__file__).parents[2]
SLOW = pytest.mark.slow
BACKENDS = ["aot_eager", pytest.param("inductor", marks=SLOW)]


def compile_members(backend: str, names: Sequence[str]) -> None:
    """Asserts that each compiled neuron, without a graph break, equals itself uncompiled."""
    for make in (MEMBERS[name] for name in names):
        torch.compiler.reset()
        neuron = make()
        x = (torch.randn(T, 8) + 0.7).requires_grad_()
        weight = torch.randn(T, 8)
        inputs = (x, *neuron.parameters())
        compiled = torch.compile(neuron, fullgraph=True, backend=backend)
        spikes, expected = compiled(x), neuron(x)
        torch.testing.assert_close(spikes, expected, rtol=0, atol=0)
        torch.testing.assert_close(
            torch.autograd.grad((spikes * weight).sum(), inputs),
            torch.autograd.grad((expected * weight).sum(), inputs),
        )


class Twice(nn.Module):
    """One layer at two places."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.layer, self.second = nn.Linear(3, 3), layer, nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.second(self.layer(self.first(x))))


def once(layer: nn.Module) -> nn.Module:
    """One layer at one place."""
    return nn.Sequential(OverTime(nn.Linear(3, 3)), layer)


# their number of rounds follows from the length of a chunk, so that lengths compile alone
BY_LENGTH = ("fixed-point", "prf", "pmsn", *(name for name in MEMBERS if name.startswith("cuba")))


def stream_members(backend: str, names: Sequence[str]) -> None:
    """Asserts that streams compile once for the first call and once for the others, for good.

    Chunks of changing length add one graph at most.
    """
    steps = 40
    layers: dict[str, Callable[[], Temporal]] = {
        **{name: make for name, make in CAUSAL.items() if name in names},
        "masked": lambda: MaskedPSN(3, steps, lam=1.0),
        "delay": lambda: Delay(3),
    }
    for name, make in layers.items():
        # one place differs from two in the network, not in the neuron: one neuron stands for all
        wraps = (Twice, once) if name == "lif" or set(MEMBERS) <= set(names) else (Twice,)
        for wrap in wraps:
            torch.compiler.reset()
            torch.manual_seed(0)
            net, x = wrap(make()), torch.rand(steps, 2, 3) * 2
            compiled, graphs = counted(net, backend)
            for _ in range(2):
                with torch.no_grad(), stream(net, single_step=True):
                    got = torch.stack([compiled(x_t) for x_t in x])
                    expected = 1 if name in STATELESS and wrap is not Twice else 2
                    assert len(graphs) <= expected, (name, len(graphs))
                with torch.no_grad(), stream(net, single_step=True):
                    torch.testing.assert_close(got, torch.stack([net(x_t) for x_t in x]))
            if name in BY_LENGTH:
                continue
            torch.compiler.reset()
            graphs.clear()
            chunks = x.split([5, 5, 5, 3, 7, 4, 2, 9])
            with torch.no_grad(), stream(net):
                got = torch.cat([compiled(chunk) for chunk in chunks])
            assert len(graphs) <= 3, (name, len(graphs))
            with torch.no_grad(), stream(net):
                torch.testing.assert_close(got, torch.cat([net(chunk) for chunk in chunks]))


class Parts(nn.Module):
    """One neuron in two containers, one of which is used twice."""

    def __init__(self) -> None:
        super().__init__()
        neuron = IF()
        self.parts = nn.ModuleList(nn.Sequential(nn.Linear(3, 3), neuron) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.parts[0](self.parts[1](self.parts[0](x)))


def stream_shared_parts(backend: str, _names: Sequence[str]) -> None:
    """Asserts that a graph keeps the states of places within containers apart."""
    torch.manual_seed(0)
    net, x = Parts(), torch.rand(12, 2, 3) * 2
    whole = net(x)
    compiled, graphs = counted(net, backend)
    for call in (compiled, compiled, net):
        with torch.no_grad(), stream(net):
            torch.testing.assert_close(torch.cat([call(chunk) for chunk in x.split(3)]), whole)
    assert len(graphs) <= 2
    net.compile(backend=backend, fullgraph=True)
    with torch.no_grad(), stream(net):
        torch.testing.assert_close(torch.cat([net(chunk) for chunk in x.split(3)]), whole)


def counted(net: nn.Module, backend: str) -> tuple[Callable[[Tensor], Tensor], list[object]]:
    """The network compiled, and a list that grows with each graph."""
    graphs: list[object] = []
    compiler: Any = torch._dynamo.lookup_backend(backend)

    def compile_graph(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        graphs.append(graph)
        return compiler(graph, inputs)

    return torch.compile(net, fullgraph=True, backend=compile_graph), graphs


def fade_a_mask(backend: str, _names: Sequence[str]) -> None:
    """Asserts that λ is an input of the graph, and that λ = 1 is one graph more."""
    neuron, x = MaskedPSN(2, T), torch.randn(T, 8)
    net = nn.Sequential(neuron)
    compiled, graphs = counted(net, backend)
    counts = []
    for lam in (0.0, 0.1, 0.2, 0.3, 0.5, 0.9, 1.0):
        neuron.lam = lam
        torch.testing.assert_close(compiled(x), net(x))
        counts.append(len(graphs))
    assert counts == [counts[0]] * 6 + [counts[0] + 1]
    neuron._lam.fill_(0.5)  # as a tool that averages models does
    with pytest.raises(RuntimeError, match="changed in place"):
        compiled(x)


every = pytest.mark.parametrize(
    "names", [pytest.param(KINDS, id="kinds"), pytest.param(MEMBERS, id="all", marks=SLOW)]
)


@every
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_member_compiles_without_a_graph_break(backend: str, names: Iterable[str]) -> None:
    run("compile_members", backend, *names)


@every
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=SLOW)])
def test_every_member_streams_in_two_graphs(backend: str, names: Iterable[str]) -> None:
    run("stream_members", backend, *names)


def test_shared_parts_stream_when_compiled() -> None:
    run("stream_shared_parts", "eager")


@pytest.mark.parametrize("backend", BACKENDS)
def test_lam_is_compiled_once(backend: str) -> None:
    run("fade_a_mask", backend)


def run(check: str, backend: str, *names: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.neuron.test_compile", check, backend, *names],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], sys.argv[3:])
