"""The choice of the implementation, each time in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

COMPILES = """
import torch
from engram.neuron import LIF, SlidingPSN
from engram.kernel import native
for neuron in (LIF(), SlidingPSN(3)):
    neuron(torch.randn(4, 8, requires_grad=True)).sum().backward()
print(len(native._compiled), sum(kernel.cache_hits for kernel in native._compiled))
"""


def run(script: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_kernel_is_compiled_once_and_then_read_from_disk(tmp_path: Path) -> None:
    first, second = (run(COMPILES, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert first[1] == "0"
    assert second == [first[0], first[0]]
