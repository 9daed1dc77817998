"""The loops written in LLVM's IR, against NumPy, for wide and for narrow registers."""

# pyright: reportCallIssue=false
# (Numba passes the first parameter of an intrinsic)

import numpy as np
import pytest
from numba import njit

from engram.kernel import vector

NARROW = {"BYTES": 32, "VECTORS": 2, "AT_ONCE": 2}
WIDE = {"BYTES": 64, "VECTORS": 4, "AT_ONCE": 4}
PITCH = 160


@pytest.fixture(params=[NARROW, WIDE], ids=["narrow", "wide"])
def registers(request, monkeypatch):
    """Code for these registers; on a machine with others, LLVM splits or joins the vectors."""
    for name, value in request.param.items():
        monkeypatch.setattr(vector, name, value)


def integers(rng, *shape, real):
    """Small whole numbers, of which every sum is exact."""
    return rng.integers(-8, 9, shape).astype(real)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_multiply(registers, real, count):
    rng = np.random.default_rng(count)
    panel, x = integers(rng, count, 4, real=real), integers(rng, count + 2, PITCH, real=real)
    h = np.full((6, PITCH), 99, real)
    side = vector.chunk(np.dtype(real).itemsize)

    @njit
    def call(panel, x, h):
        vector.multiply(panel, 0, count, x, 2 * PITCH + 3, PITCH, h, PITCH + 5, PITCH)

    call(np.append(panel, real(0)), x.ravel(), h.ravel())
    expected = np.full_like(h, 99)
    expected[1:5, 5 : 5 + side] = panel.T @ x[2:, 3 : 3 + side]
    assert np.array_equal(h, expected)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("vectors", [0, 1, 5])
def test_correlate(registers, real, vectors):
    rng = np.random.default_rng(vectors)
    n = vectors * vector.BYTES // np.dtype(real).itemsize
    g, x = integers(rng, 5, PITCH, real=real), integers(rng, 6, PITCH, real=real)
    sums = integers(rng, 20, real=np.float64)
    expected = sums.copy()
    expected[2:18] += (x[1:5, :n] @ g[1:5, :n].T).ravel()

    @njit
    def call(g, x, sums):
        vector.correlate(g, PITCH, x, PITCH, PITCH, n, sums, 2)

    call(g.ravel(), x.ravel(), sums)
    assert np.array_equal(sums, expected)
