"""Kernels are compiled and launched without torch, on as many threads as the caller says."""

import subprocess
import sys

import pytest

SQUARES = """
import sys
import numpy as np
from numba import carray
from engram.kernel import native, team

def kernel(words):
    w = carray(words, 4)
    x = native.array_at(w[2], np.int64(0), w[1] * w[3])
    piece = native.take(words)
    while piece >= 0:
        for i in range(piece * w[3], (piece + 1) * w[3]):
            x[i] = x[i] * x[i]
        piece = native.take(words)

x = np.arange(8 * team.GRAIN)
address = native.compile_kernel(kernel)
team.launch(team.entry(address), 8, x.size, x.ctypes.data, team.GRAIN, threads=int(sys.argv[1]))
assert (x == np.arange(x.size) ** 2).all()
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_a_kernel_runs_without_torch(threads: int, tmp_path) -> None:
    script = tmp_path / "squares.py"  # Numba caches what a file holds
    script.write_text(SQUARES)
    done = subprocess.run(
        [sys.executable, script, str(threads)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
