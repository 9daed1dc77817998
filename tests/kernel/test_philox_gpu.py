"""The GPU generator against NumPy's: on a device, or in Triton's interpreter on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engram.kernel import philox

triton = pytest.importorskip("triton")
tl = triton.language

from engram.kernel import philox_gpu  # noqa: E402

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
BLOCKS = 64


@triton.jit
def draw(seed: tl.int64, stream: tl.int64, first: tl.int64, out, uniform, N: tl.constexpr):
    lane = tl.arange(0, N)
    c0, c1, c2, c3 = philox_gpu.block(seed, stream, first + lane.to(tl.int64))
    tl.store(out + 4 * lane, c0.to(tl.int32, bitcast=True))
    tl.store(out + 4 * lane + 1, c1.to(tl.int32, bitcast=True))
    tl.store(out + 4 * lane + 2, c2.to(tl.int32, bitcast=True))
    tl.store(out + 4 * lane + 3, c3.to(tl.int32, bitcast=True))
    tl.store(uniform + lane, philox_gpu.to_uniform(c0))


@pytest.mark.skipif(INTERPRETED, reason="runs in the interpreter already")
def test_in_the_interpreter():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-m", "gpu", "-q", "-p", "no:cacheprovider"],
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not INTERPRETED and not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("seed", [0, 1, 2**31 + 7, 2**62 + 12345])
@pytest.mark.parametrize("stream", [0, 3, 2**40 + 1])
@pytest.mark.parametrize("first", [0, 2**32 - 9, 2**45])
def test_the_words_are_those_of_numpy(seed, stream, first):
    out = torch.empty(4 * BLOCKS, dtype=torch.int32, device=DEVICE)
    uniform = torch.empty(BLOCKS, device=DEVICE)
    draw[(1,)](seed, stream, first, out, uniform, N=BLOCKS)
    expected = philox.words(seed, stream, 4 * first, 4 * BLOCKS)
    assert np.array_equal(out.cpu().numpy().view(np.uint32), expected)
    drawn = philox.uniform(seed, stream, 4 * first, 4 * BLOCKS)[::4]
    assert np.array_equal(uniform.cpu().numpy(), drawn)
