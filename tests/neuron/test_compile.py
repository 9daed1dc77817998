"""torch.compile, in a process of its own: the compiler cannot see through the shape checks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.neuron.members import MEMBERS, T

ROOT = Path(__file__).parents[2]


def compile_every_member(backend: str) -> None:
    """Asserts that each compiled neuron, without a graph break, equals itself uncompiled."""
    for make in MEMBERS.values():
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


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_every_member_compiles_without_a_graph_break(backend: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.neuron.test_compile", backend],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    compile_every_member(sys.argv[1])
